"""A span read back, with every member of a live one."""

from __future__ import annotations

from typing import Any

from tracebridge.errors import InvalidParameterError, misuse
from tracebridge.records.entities import Link, SpanEvent, SpanStatus, SpanStatusCode
from tracebridge.records.mlflow_span import MlflowMembers, record_of
from tracebridge.records.record import EndCause, SpanRecord, StatusCode
from tracebridge.spans.noop import NoopSpan


class FinishedSpan(MlflowMembers):
    """A span read back: every member of a live span; what would change it does nothing."""

    __slots__ = ("record",)

    def __init__(self, record: SpanRecord) -> None:
        self.record = record
        """The record behind this view."""

    @property
    def trace_id(self) -> str:
        """The caller's own trace ID, or 32 hex digits when none was given."""
        return self.record.custom_trace_id or self.record.trace_id.hex()

    request_id = trace_id

    @property
    def wire_trace_id(self) -> str:
        """The 32 lower-case hex digits that back-ends show."""
        return self.record.trace_id.hex()

    @property
    def span_id(self) -> str:
        """16 lower-case hex digits."""
        return self.record.span_id.hex()

    @property
    def custom_span_id(self) -> str | None:
        """The caller's own span ID; None when none was given, or it is `span_id` itself."""
        return self.record.custom_span_id

    @property
    def parent_id(self) -> str | None:
        """16 lower-case hex digits, or None for a root."""
        return None if self.record.parent_id is None else self.record.parent_id.hex()

    @property
    def name(self) -> str:
        """The span's name."""
        return self.record.name

    @property
    def inputs(self) -> Any:
        """The recorded inputs; None when not set."""
        return self.record.inputs

    @property
    def outputs(self) -> Any:
        """The recorded outputs; None when not set."""
        return self.record.outputs

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of the recorded attributes."""
        return dict(self.record.attributes)

    @property
    def span_type(self) -> str:
        """MLflow's span type."""
        return self.record.span_type

    @property
    def kind(self) -> int:
        """A `Kind`."""
        return self.record.kind

    @property
    def cause(self) -> EndCause:
        """Why the span ended."""
        return EndCause(self.record.end_cause)

    @property
    def start_time_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return self.record.start_time_ns

    @property
    def end_time_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return self.record.end_time_ns

    @property
    def status(self) -> SpanStatus:
        """The span's status."""
        return SpanStatus(SpanStatusCode(StatusCode(self.record.status).name), self.record.status_message)

    @property
    def events(self) -> list[SpanEvent]:
        """The recorded events."""
        return [SpanEvent(event.name, event.time_ns, dict(event.attributes)) for event in self.record.events]

    @property
    def links(self) -> list[Link]:
        """The recorded links."""
        return [
            Link(link.trace_id.hex(), link.span_id.hex(), dict(link.attributes), link.trace_state)
            for link in self.record.links
        ]

    def get_attribute(self, key: str) -> Any:
        """Return one recorded attribute, or None."""
        return self.record.attributes.get(key)

    set_inputs = set_outputs = set_attribute = set_attributes = set_status = NoopSpan._ignore
    set_span_type = set_description = set_log_level = add_event = add_link = record_exception = end = NoopSpan._ignore

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FinishedSpan:
        """Return the span that `to_dict`, ours or MLflow's, wrote. Raises InvalidParameterError for anything else."""
        try:
            return cls(record_of(data))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise misuse(InvalidParameterError, f"not a span of MLflow's JSON form: {error!r}.") from error

    def __repr__(self) -> str:
        return f"FinishedSpan(name={self.name!r}, trace_id={self.trace_id!r}, span_id={self.span_id!r})"
