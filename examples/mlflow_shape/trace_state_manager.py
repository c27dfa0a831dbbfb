"""A hand-written stack of spans. For MLflow the import would be `from mlflow import MlflowClient`."""

from tracebridge import Client as MlflowClient


class TraceStateManager:
    """Remembers what is open, so that callers need no IDs. One thread only, as written here."""

    def __init__(self):
        self.client = MlflowClient()
        self.root = None
        self.stack = []

    def start_trace(self, name, **arguments):
        self.root = self.client.start_trace(name, **arguments)
        self.stack = [self.root]
        return self.root

    def push_span(self, name, **arguments):
        parent = self.stack[-1]
        span = self.client.start_span(name, request_id=self.root.request_id, parent_id=parent.span_id, **arguments)
        self.stack.append(span)
        return span

    def pop_span(self, **arguments):
        if len(self.stack) > 1:
            span = self.stack.pop()
            self.client.end_span(span.request_id, span.span_id, **arguments)

    def end_trace(self, **arguments):
        while len(self.stack) > 1:
            self.pop_span()
        self.client.end_trace(self.root.request_id, **arguments)


manager = TraceStateManager()
manager.start_trace("pipeline", inputs={"source": "orders.csv"})
manager.push_span("load")
manager.push_span("parse", inputs={"rows": 10})
manager.pop_span(outputs={"rows": 10})
manager.pop_span(outputs={"loaded": True})
manager.push_span("store")
manager.end_trace(outputs={"stored": 10})
print("pipeline traced")
