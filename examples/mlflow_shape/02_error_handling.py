"""Errors recorded by hand, on the span and on the trace. For MLflow the import is `from mlflow import MlflowClient`."""

from tracebridge import Client as MlflowClient


def query_database(rows: list[int]) -> float:
    return sum(rows) / len(rows)


def traced_operation(rows: list[int]) -> None:
    client = MlflowClient()
    root_span = None
    try:
        root_span = client.start_trace("risky_operation")
        child_span = client.start_span(
            name="database_query", request_id=root_span.request_id, parent_id=root_span.span_id
        )
        try:
            result = query_database(rows)
            client.end_span(
                request_id=child_span.request_id, span_id=child_span.span_id, outputs={"result": result}, status="OK"
            )
        except Exception as error:
            client.end_span(
                request_id=child_span.request_id,
                span_id=child_span.span_id,
                status="ERROR",
                attributes={"error": str(error)},
            )
            raise
    except Exception as error:
        if root_span:
            client.end_trace(
                request_id=root_span.request_id,
                status="ERROR",
                attributes={"error_type": type(error).__name__, "error_message": str(error)},
            )
        raise
    else:
        client.end_trace(request_id=root_span.request_id, outputs={"status": "completed"}, status="OK")


traced_operation([1, 2, 3])
print("one operation completed")
try:
    traced_operation([])
except ZeroDivisionError as error:
    print(f"one failed: {error}")
