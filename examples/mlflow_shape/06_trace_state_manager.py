"""A hand-written stack of spans, for one thread. For MLflow the import is `from mlflow import MlflowClient`."""

from tracebridge import Client as MlflowClient


class TraceStateManager:
    """Remembers what is open, so that callers need no IDs: the first push starts the trace, the last pop ends it."""

    def __init__(self):
        self.client = MlflowClient()
        self._trace_stack = []

    @property
    def current_trace(self):
        return self._trace_stack[-1] if self._trace_stack else None

    def push_trace(self, name: str, **kwargs):
        if self.current_trace:
            span = self.client.start_span(
                name=name,
                request_id=self.current_trace.request_id,
                parent_id=self.current_trace.span_id,
                **kwargs,
            )
        else:
            span = self.client.start_trace(name=name, **kwargs)
        self._trace_stack.append(span)
        return span

    def pop_trace(self, **kwargs):
        if not self._trace_stack:
            return
        span = self._trace_stack.pop()
        if self._trace_stack:
            self.client.end_span(request_id=span.request_id, span_id=span.span_id, **kwargs)
        else:
            self.client.end_trace(request_id=span.request_id, **kwargs)


manager = TraceStateManager()
manager.push_trace("pipeline", inputs={"source": "orders.csv"})
manager.push_trace("load")
manager.push_trace("parse", inputs={"rows": 10})
manager.pop_trace(outputs={"rows": 10})
manager.pop_trace(outputs={"loaded": True})
manager.push_trace("store")
manager.pop_trace()
manager.pop_trace(outputs={"stored": 10})
manager.pop_trace()  # one too many does no harm
print("pipeline traced")
