"""A nested batch in which one item is invalid and one fails. For MLflow the import is `from mlflow import MlflowClient`.

The failure leaves its `transform` span open, as is easily done with starts and ends by hand. It is closed, marked and delivered
all the same; MLflow 3.17 stores the trace without it.
"""

from tracebridge import Client as MlflowClient

ITEMS = [{"id": "a", "price": "12.50"}, {"id": "b", "price": ""}, {"id": "c", "price": "free"}]


def validate_item(item: dict) -> bool:
    return item["price"] != ""


def transform_item(item: dict) -> dict:
    return {"id": item["id"], "cents": round(float(item["price"]) * 100)}


def batch_processor(items: list[dict]) -> list[dict]:
    client = MlflowClient()
    root = client.start_trace(name="batch_processing", inputs={"batch_size": len(items)})
    results = []

    for i, item in enumerate(items):
        item_span = client.start_span(
            name=f"process_item_{i}",
            request_id=root.request_id,
            parent_id=root.span_id,
            inputs={"item_id": item["id"]},
        )
        try:
            validation_span = client.start_span(
                name="validate", request_id=root.request_id, parent_id=item_span.span_id
            )
            is_valid = validate_item(item)
            client.end_span(
                request_id=validation_span.request_id,
                span_id=validation_span.span_id,
                outputs={"is_valid": is_valid},
            )
            if is_valid:
                process_span = client.start_span(
                    name="transform", request_id=root.request_id, parent_id=item_span.span_id
                )
                result = transform_item(item)
                results.append(result)
                client.end_span(
                    request_id=process_span.request_id,
                    span_id=process_span.span_id,
                    outputs={"transformed": result},
                )
            client.end_span(request_id=item_span.request_id, span_id=item_span.span_id, status="OK")
        except Exception as error:
            client.end_span(
                request_id=item_span.request_id,
                span_id=item_span.span_id,
                status="ERROR",
                attributes={"error": str(error)},
            )

    client.end_trace(
        request_id=root.request_id,
        outputs={"processed_count": len(results), "success_rate": len(results) / len(items)},
    )
    return results


print(f"processed {batch_processor(ITEMS)} of {len(ITEMS)} items")
