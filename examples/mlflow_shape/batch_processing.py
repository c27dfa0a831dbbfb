"""A nested batch, one item of which fails. For MLflow the import would be `from mlflow import MlflowClient`."""

import time

from tracebridge import Client as MlflowClient

client = MlflowClient()


class BatchProcessor:
    def process_batch(self, items: list[str], batch_id: str) -> list[dict]:
        root = client.start_trace(
            name="batch_processing",
            inputs={"batch_id": batch_id, "item_count": len(items)},
            attributes={"processor_version": "2.0"},
        )
        results = [self.process_item(root.request_id, root.span_id, index, item) for index, item in enumerate(items)]
        failed = sum(1 for result in results if result["status"] == "failed")
        client.end_trace(
            request_id=root.request_id,
            outputs={"successful": len(items) - failed, "failed": failed},
            attributes={"success_rate": (len(items) - failed) / len(items)},
        )
        return results

    def process_item(self, request_id: str, parent_id: str, index: int, item: str) -> dict:
        span = client.start_span(
            name=f"process_item_{index}", request_id=request_id, parent_id=parent_id, inputs={"item": item}
        )
        try:
            self.validate(request_id, span.span_id, item)
            client.end_span(request_id, span.span_id, outputs={"item": item.upper()}, status="OK")
            return {"item": item, "status": "success"}
        except ValueError as error:
            client.end_span(request_id, span.span_id, status="ERROR", attributes={"error": str(error)})
            return {"item": item, "status": "failed"}

    def validate(self, request_id: str, parent_id: str, item: str) -> None:
        span = client.start_span(name="validate", request_id=request_id, parent_id=parent_id, inputs={"item": item})
        time.sleep(0.001)
        if not item.strip():
            client.end_span(request_id, span.span_id, status="ERROR")
            raise ValueError("the item is empty")
        client.end_span(request_id, span.span_id, outputs={"valid": True})


for result in BatchProcessor().process_batch(["apple", " ", "cherry"], batch_id="batch_001"):
    print(result)
