"""What `get_trace` and `search_traces` return: a trace read back, under MLflow's field names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tracebridge.records.entities import Link, SpanEvent, SpanStatus, SpanStatusCode, TraceState, span_as_dict
from tracebridge.records.record import EndCause, SpanRecord, StatusCode
from tracebridge.spans.noop import AnySpan, NoopSpan
from tracebridge.spans.span import Span

PREVIEW_CHARACTERS = 1000  # of inputs and outputs in TraceInfo, as MLflow keeps
_MS = 1_000_000  # nanoseconds


class FinishedSpan:
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
    set_span_type = add_event = add_link = record_exception = end = NoopSpan._ignore

    def to_dict(self) -> dict[str, Any]:
        """Return the span as plain values: IDs as hex, times in nanoseconds."""
        return span_as_dict(self)

    def __repr__(self) -> str:
        return f"FinishedSpan(name={self.name!r}, trace_id={self.trace_id!r}, span_id={self.span_id!r})"


@dataclass
class TraceInfo:
    """What is known of a trace as a whole. Times are milliseconds, as MLflow has them."""

    trace_id: str
    """The caller's own ID, or 32 hex digits."""
    wire_trace_id: str
    request_time: int
    """Start of the root, Unix milliseconds."""
    execution_duration: int | None
    """Duration of the root, milliseconds; None while it is open."""
    state: TraceState
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    trace_metadata: dict[str, str] = field(default_factory=dict)
    experiment_id: str | None = None
    client_request_id: str | None = None

    @property
    def request_id(self) -> str:
        """MLflow 2's name for `trace_id`."""
        return self.trace_id

    @property
    def timestamp_ms(self) -> int:
        """MLflow 2's name for `request_time`."""
        return self.request_time

    @property
    def execution_time_ms(self) -> int | None:
        """MLflow 2's name for `execution_duration`."""
        return self.execution_duration

    @property
    def status(self) -> TraceState:
        """MLflow 2's name for `state`."""
        return self.state


@dataclass
class TraceData:
    """A trace's spans in start order, root first where there is one."""

    spans: list[AnySpan | FinishedSpan] = field(default_factory=list)

    @property
    def request(self) -> Any:
        """The root's inputs."""
        return self.spans[0].inputs if self.spans else None

    @property
    def response(self) -> Any:
        """The root's outputs."""
        return self.spans[0].outputs if self.spans else None


@dataclass
class Trace:
    """A trace read back."""

    info: TraceInfo
    data: TraceData

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        info = msgspec.to_builtins(self.info)
        return {"info": info, "data": {"spans": [span.to_dict() for span in self.data.spans]}}

    def search_spans(
        self, span_type: str | None = None, name: str | None = None, span_id: str | None = None
    ) -> list[AnySpan | FinishedSpan]:
        """Return the spans that have this type, name and ID; None matches all."""
        return [
            span
            for span in self.data.spans
            if span_type in {None, span.span_type} and name in {None, span.name} and span_id in {None, span.span_id}
        ]


class PagedList(list[Trace]):
    """A page of traces; `token` leads to the next page, None on the last."""

    def __init__(self, traces: Iterable[Trace], token: str | None) -> None:
        super().__init__(traces)
        self.token = token


def root_first(spans: Sequence[AnySpan | FinishedSpan]) -> list[AnySpan | FinishedSpan]:
    """Return spans in start order, with those that have no parent in front."""
    return sorted(spans, key=lambda span: (span.parent_id is not None, span.start_time_ns))


def trace_of(
    spans: Sequence[Span | FinishedSpan], tags: dict[str, str] | None = None, include_spans: bool = True
) -> Trace:
    """Build a Trace from live and finished spans of one trace (at least one)."""
    ordered = root_first(spans)
    root = ordered[0]
    open_ = any(isinstance(span, Span) and span.cause is None for span in ordered)
    known = {"OK": TraceState.OK, "ERROR": TraceState.ERROR}
    state = TraceState.IN_PROGRESS if open_ else known.get(root.status.status_code, TraceState.STATE_UNSPECIFIED)
    end_ns = root.end_time_ns
    record = root.record if isinstance(root, FinishedSpan) else None
    info = TraceInfo(
        trace_id=root.trace_id,
        wire_trace_id=root.wire_trace_id,
        request_time=root.start_time_ns // _MS,
        execution_duration=None if end_ns is None else max(0, end_ns - root.start_time_ns) // _MS,
        state=state,
        request_preview=_preview(root.inputs),
        response_preview=_preview(root.outputs),
        tags=dict(tags if tags is not None else record.tags if record is not None else {}),
        experiment_id=(record.experiment_id or None) if record is not None else None,
        client_request_id=root.trace_id if root.trace_id != root.wire_trace_id else None,
    )
    return Trace(info, TraceData(list(ordered) if include_spans else []))


def _preview(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"
