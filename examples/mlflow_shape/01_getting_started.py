"""One trace, two sibling spans, every start and end written out. For MLflow the import is `from mlflow import MlflowClient`."""

from tracebridge import Client as MlflowClient

client = MlflowClient()

root_span = client.start_trace(
    name="my_application_flow",
    inputs={"user_id": "123", "action": "generate_report"},
    attributes={"environment": "production", "version": "1.0.0"},
)
request_id = root_span.request_id
print(f"started trace {request_id}")

# Both have the root as their parent, and both are open at once: parents come from IDs, not from nesting.
data_span = client.start_span(
    name="fetch_user_data",
    request_id=request_id,
    parent_id=root_span.span_id,
    inputs={"user_id": "123"},
    attributes={"database": "users_db", "query_type": "select"},
)
process_span = client.start_span(
    name="process_data",
    request_id=request_id,
    parent_id=root_span.span_id,
    inputs={"data_size": "1024KB"},
    attributes={"processor": "gpu", "batch_size": 32},
)

client.end_span(
    request_id=data_span.request_id,
    span_id=data_span.span_id,
    outputs={"record_count": 42, "cache_hit": True},
    attributes={"duration_ms": 150},
)
client.end_span(
    request_id=process_span.request_id,
    span_id=process_span.span_id,
    outputs={"processed_records": 42, "errors": 0},
    status="OK",
)

client.end_trace(
    request_id=request_id,
    outputs={"report_url": "https://example.com/report/123"},
    attributes={"total_duration_ms": 1250, "status": "success"},
)
print("ended it; what is queued is delivered before the program exits")
