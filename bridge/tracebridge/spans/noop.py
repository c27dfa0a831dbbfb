"""The span that does nothing: what a start returns when tracing is off, so that the application need not ask."""

from __future__ import annotations

from typing import Any

from tracebridge.records.entities import Link, SpanEvent, SpanStatus, SpanStatusCode
from tracebridge.records.mlflow_span import MlflowMembers
from tracebridge.records.record import EndCause, Kind
from tracebridge.spans.span import Span

NOOP_TRACE_ID = "TRACEBRIDGE_NO_OP_TRACE_ID"


class NoopSpan(MlflowMembers):
    """What a start returns when tracing is off: every member of Span, and nothing happens."""

    trace_id = request_id = NOOP_TRACE_ID
    wire_trace_id = "0" * 32
    span_id = "0" * 16
    custom_span_id: str | None = None
    parent_id: str | None = None
    name = ""
    inputs: Any = None
    outputs: Any = None
    start_time_ns = 0
    end_time_ns: int | None = 0
    span_type = "UNKNOWN"
    kind = int(Kind.INTERNAL)
    cause: EndCause | None = EndCause.FINISHED

    @property
    def attributes(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @property
    def status(self) -> SpanStatus:
        """Unset."""
        return SpanStatus(SpanStatusCode.UNSET)

    @property
    def events(self) -> list[SpanEvent]:
        """Nothing."""
        return []

    @property
    def links(self) -> list[Link]:
        """Nothing."""
        return []

    def get_attribute(self, key: str) -> Any:
        """Return None."""

    def _ignore(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    set_inputs = set_outputs = set_attribute = set_attributes = set_status = _ignore
    set_span_type = set_description = set_log_level = add_event = add_link = record_exception = end = _ignore

    def to_dict(self) -> dict[str, Any]:
        """Return an empty dict."""
        return {}

    def __repr__(self) -> str:
        return "NoopSpan()"


AnySpan = Span | NoopSpan
