"""A span of ours as OpenTelemetry sees it while it is current. Imported only where `opentelemetry.trace` has been imported already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace as otel

from tracebridge.propagation.context import RemoteParent
from tracebridge.records.entities import Link, SpanEvent, SpanStatus, SpanStatusCode
from tracebridge.spans.context import Left, Owner, has, leftovers, outlives
from tracebridge.spans.span import MAX_NAME, Span


class Shadow(otel.Span):
    """What `opentelemetry.trace.get_current_span()` returns while a span of ours is current.

    Children that OpenTelemetry starts under it belong to our trace, and what instrumentation sets on "the current span" is set on ours.
    It cannot be ended from there: whoever made it current ends it.

    An OpenTelemetry context that outlives the block (somebody else's detach restored it) would make strangers children of a span that is
    over: left, and not outlived by this context. The shadow then answers for the span that was current before.
    """

    def __init__(self, span: Span, owner: Owner, before: otel.Span) -> None:
        self.span = span
        self.owner = owner
        self.before = before
        self.swept = leftovers.latest
        self._context: otel.SpanContext | None = None

    def _outlived(self) -> bool:
        """Whether this context is one that outlives the block: a copy, made while the span was current."""
        return outlives(self.owner) and has(self.owner)

    def _speaks(self) -> bool:
        """Whether the span is not left yet, or outlived."""
        return not isinstance(self.owner.held, Left) or self._outlived()

    def is_parent(self) -> bool:
        """Whether the span is a parent here, as `tracebridge.spans.context.current_span` decides it for ours."""
        return self._outlived() if isinstance(self.owner.held, Left) else self.span._cause is None

    def get_span_context(self) -> otel.SpanContext:
        """Return the span's IDs, flags and trace state."""
        if not self._speaks():
            return self.before.get_span_context()
        if self._context is None:
            trace, origin = self.span._trace, self.span._origin
            state = origin.trace_state if origin is not None else ""
            self._context = otel.SpanContext(
                int.from_bytes(trace.trace_id, "big"),
                int.from_bytes(self.span._raw_id, "big"),
                False,
                otel.TraceFlags(trace.flags if origin is None else origin.flags),
                otel.TraceState.from_header([state]) if state else otel.TraceState(),
            )
        return self._context

    def is_recording(self) -> bool:
        """Whether the span is open."""
        return self.span._cause is None and self._speaks()

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute of our span."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of our span."""
        if self.is_recording():
            self.span.set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event to our span."""
        if self.is_recording():
            event = SpanEvent(name, attributes=dict(attributes or {}))
            if timestamp is not None:
                event.timestamp = timestamp
            self.span.add_event(event)

    def add_link(self, context: otel.SpanContext, attributes: Any = None) -> None:
        """Add a link to our span."""
        if self.is_recording():
            ids = otel.format_trace_id(context.trace_id), otel.format_span_id(context.span_id)
            self.span.add_link(Link(*ids, dict(attributes or {}), context.trace_state.to_header()))

    def update_name(self, name: str) -> None:
        """Rename our span."""
        if self.is_recording():
            self.span._name = self.span._calls._reducer.text(name, self.span._tally)[:MAX_NAME]

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Set our span's status; UNSET says nothing, as in OpenTelemetry."""
        code = getattr(status, "status_code", status)
        if code is otel.StatusCode.UNSET or not self.is_recording():
            return
        described = getattr(status, "description", None) or description or ""
        self.span.set_status(SpanStatus(SpanStatusCode(code.name), described))

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,  # noqa: ARG002 - OpenTelemetry's signature, this and what follows
        timestamp: int | None = None,  # noqa: ARG002
        escaped: bool = False,  # noqa: ARG002
    ) -> None:
        """Record an exception on our span, as its own `record_exception` does."""
        if self.is_recording():
            self.span.record_exception(exception)

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the span ends where it was started."""


def parent_of(context: otel.SpanContext) -> RemoteParent:
    """Return an OpenTelemetry span's context as a parent."""
    return RemoteParent(
        otel.format_trace_id(context.trace_id),
        otel.format_span_id(context.span_id),
        int(context.trace_flags) & 0xFF,
        context.trace_state.to_header() if context.trace_state else "",
    )
