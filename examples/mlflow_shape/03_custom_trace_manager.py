"""IDs of one's own, kept beside the client's. For MLflow the import is `from mlflow import MlflowClient`."""

import uuid
from datetime import datetime

from tracebridge import Client as MlflowClient


class CustomTraceManager:
    """Names each trace by an ID of the form user_operation_timestamp_random, and finds open ones by it."""

    def __init__(self):
        self.client = MlflowClient()
        self.active_traces = {}

    def generate_trace_id(self, user_id: str, operation: str) -> str:
        timestamp = datetime.now().strftime("%Y%m%d%H%M%S")
        return f"{user_id}_{operation}_{timestamp}_{uuid.uuid4().hex[:8]}"

    def start_custom_trace(self, user_id: str, operation: str, **kwargs):
        trace_name = self.generate_trace_id(user_id, operation)
        root_span = self.client.start_trace(
            name=trace_name,
            attributes={"user_id": user_id, "operation": operation, "custom_trace_id": trace_name, **kwargs},
        )
        self.active_traces[trace_name] = root_span
        return root_span

    def get_active_trace(self, trace_name: str):
        return self.active_traces.get(trace_name)


manager = CustomTraceManager()
trace = manager.start_custom_trace(user_id="user123", operation="report_generation", report_type="quarterly")
print(f"traced {trace.name}")
assert manager.get_active_trace(trace.name) is trace
manager.client.end_trace(request_id=trace.request_id, outputs={"pages": 3})
