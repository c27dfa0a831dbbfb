"""Errors recorded by hand. For MLflow the import would be `from mlflow import MlflowClient`."""

from tracebridge import Client as MlflowClient

client = MlflowClient()


def process_with_error_handling(items: list[int]) -> float:
    root = client.start_trace("risky_operation", inputs={"items": items})
    try:
        span = client.start_span(
            "divide", request_id=root.request_id, parent_id=root.span_id, inputs={"count": len(items)}
        )
        try:
            result = sum(items) / len(items)
            client.end_span(root.request_id, span.span_id, outputs={"mean": result}, status="OK")
        except Exception as error:
            client.end_span(
                root.request_id,
                span.span_id,
                status="ERROR",
                attributes={"error.type": type(error).__name__, "error.message": str(error)},
            )
            raise
        client.end_trace(root.request_id, outputs={"mean": result}, status="OK")
        return result
    except Exception as error:
        client.end_trace(root.request_id, status="ERROR", attributes={"error.type": type(error).__name__})
        raise


print(process_with_error_handling([1, 2, 3]))
try:
    process_with_error_handling([])
except ZeroDivisionError as error:
    print(f"failed as it should: {error}")
