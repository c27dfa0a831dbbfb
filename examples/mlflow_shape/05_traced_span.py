"""A hand-written context manager around start and end. For MLflow the import is `from mlflow import MlflowClient`."""

from contextlib import contextmanager

from tracebridge import Client as MlflowClient


@contextmanager
def traced_span(client, name, request_id, parent_id=None, **kwargs):
    span = client.start_span(name=name, request_id=request_id, parent_id=parent_id, **kwargs)
    try:
        yield span
    except Exception as error:
        client.end_span(
            request_id=span.request_id, span_id=span.span_id, status="ERROR", attributes={"error": str(error)}
        )
        raise
    else:
        client.end_span(request_id=span.request_id, span_id=span.span_id, status="OK")


client = MlflowClient()
root = client.start_trace("workflow")
with traced_span(client, "step_1", root.request_id, root.span_id, inputs={"n": 1}) as step:
    with traced_span(client, "step_1_1", root.request_id, step.span_id):
        print("inside step 1.1")
try:
    with traced_span(client, "step_2", root.request_id, root.span_id):
        raise RuntimeError("step 2 broke")
except RuntimeError as error:
    print(error)
client.end_trace(request_id=root.request_id)
