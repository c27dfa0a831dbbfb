"""Which span is the innermost where ours and OpenTelemetry's meet. Imported only where `opentelemetry.trace` has been imported already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace as otel

from tracebridge.ids.parent import RemoteParent
from tracebridge.otel.ours import Stranger
from tracebridge.otel.shadow import Shadow, parent_of
from tracebridge.span import Span

if TYPE_CHECKING:
    from tracebridge.calls.core import Core


def innermost_of(own: Span | None) -> Span | Stranger | None:
    """Return what is current in OpenTelemetry's context when that is another's span, else `own`."""
    there: Any = otel.get_current_span()
    while isinstance(there, Shadow):
        if there.is_recording():
            return there.span
        there = there.before
    found = there.get_span_context()
    if not found.is_valid:
        return own
    resource = getattr(getattr(there, "resource", None), "attributes", None)
    return Stranger(
        otel.format_trace_id(found.trace_id),
        otel.format_span_id(found.span_id),
        int(found.trace_flags) & 0xFF,
        dict(resource or {}),
    )


def parent_for(core: Core) -> Span | RemoteParent | None:
    """Return what is current in OpenTelemetry's context as a parent for a client's next span; None where nothing is."""
    there: Any = otel.get_current_span()
    while isinstance(there, Shadow):
        if there.is_recording():
            return there.span if there.span.calls is core else parent_of(there.get_span_context())
        there = there.before
    found = there.get_span_context()
    return parent_of(found) if found.is_valid else None
