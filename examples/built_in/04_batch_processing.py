"""The nested batch, one item of which is invalid and one of which fails: parents are found by themselves, no span stays open."""

from tracebridge import Client

ITEMS = [{"id": "a", "price": "12.50"}, {"id": "b", "price": ""}, {"id": "c", "price": "free"}]


def process(client: Client, item: dict[str, str]) -> dict[str, object] | None:
    with client.span("validate") as span:
        is_valid = item["price"] != ""
        span.set_outputs({"is_valid": is_valid})
    if not is_valid:
        return None
    with client.span("transform") as span:
        result = {"id": item["id"], "cents": round(float(item["price"]) * 100)}
        span.set_outputs({"transformed": result})
    return result


def process_batch(client: Client, items: list[dict[str, str]], batch_id: str) -> list[dict[str, object]]:
    results = []
    with client.trace("batch_processing", trace_id=batch_id, inputs={"batch_size": len(items)}) as root:
        for i, item in enumerate(items):
            try:
                with client.span(f"process_item_{i}", inputs={"item_id": item["id"]}):
                    result = process(client, item)
            except ValueError as error:
                print(f"item {i} failed: {error}")
            else:
                results += [result] if result else []
        root.set_outputs({"processed_count": len(results), "success_rate": len(results) / len(items)})
    return results


with Client() as client:
    print(f"processed {process_batch(client, ITEMS, 'batch_001_20260101')} of {len(ITEMS)} items")
