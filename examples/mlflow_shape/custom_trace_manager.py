"""A hand-written manager that maps IDs of its own to traces. For MLflow: `from mlflow import MlflowClient`."""

import uuid
from datetime import datetime

from tracebridge import Client as MlflowClient


class CustomTraceManager:
    """Keeps `user_operation_timestamp_uuid8` IDs beside the client's own, because MLflow cannot take them."""

    def __init__(self):
        self.client = MlflowClient()
        self.active_traces = {}

    def generate_trace_id(self, user_id: str, operation: str) -> str:
        timestamp = datetime.now().strftime("%Y%m%d_%H%M%S")
        return f"{user_id}_{operation}_{timestamp}_{uuid.uuid4().hex[:8]}"

    def start_custom_trace(self, user_id: str, operation: str, **attributes):
        custom_id = self.generate_trace_id(user_id, operation)
        root = self.client.start_trace(
            name=f"{operation}_{user_id}",
            attributes={"custom_trace_id": custom_id, "user_id": user_id, "operation": operation, **attributes},
        )
        self.active_traces[custom_id] = root
        return custom_id, root

    def get_active_trace(self, custom_id: str):
        return self.active_traces.get(custom_id)

    def end_custom_trace(self, custom_id: str, **end_arguments):
        root = self.active_traces.pop(custom_id, None)
        if root is not None:
            self.client.end_trace(root.request_id, **end_arguments)


manager = CustomTraceManager()
custom_id, root = manager.start_custom_trace("user123", "report", priority="high")
span = manager.client.start_span("render", request_id=root.request_id, parent_id=root.span_id)
manager.client.end_span(span.request_id, span.span_id, outputs={"pages": 3})
manager.end_custom_trace(custom_id, outputs={"status": "completed"})
print(f"traced {custom_id}")
