"""The nested batch with context managers: errors are recorded and re-raised, parents are found by themselves."""

import time

from tracebridge import Client


def process_batch(client: Client, items: list[str], batch_id: str) -> int:
    failed = 0
    with client.trace("batch_processing", trace_id=batch_id, inputs={"item_count": len(items)}) as root:
        for index, item in enumerate(items):
            try:
                with client.span(f"process_item_{index}", inputs={"item": item}) as span:
                    with client.span("validate", inputs={"item": item}):
                        time.sleep(0.001)
                        if not item.strip():
                            raise ValueError("the item is empty")
                    span.set_outputs({"item": item.upper()})
            except ValueError as error:
                failed += 1
                print(f"item {index} failed: {error}")
        root.set_outputs({"successful": len(items) - failed, "failed": failed})
        root.set_attribute("success_rate", (len(items) - failed) / len(items))
    return failed


with Client() as client:
    print(f"{process_batch(client, ['apple', ' ', 'cherry'], 'batch_001_20260101')} failed")
