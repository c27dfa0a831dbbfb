"""Which span is the innermost where ours and OpenTelemetry's meet. Imported only where `opentelemetry.trace` has been imported already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace as otel

from tracebridge.otel.shadow import Shadow, parent_of
from tracebridge.otel.stranger import Stranger
from tracebridge.propagation.context import RemoteParent
from tracebridge.spans.span import Span

if TYPE_CHECKING:
    from tracebridge.calls.core import Core


def nearest_of(own: Span | None) -> Span | Stranger | None:
    """Return what is current in OpenTelemetry's context when that is another's span, else `own`.

    A client that keeps its spans separate does not show them there, so which stands inside which is unknown: `own` then.
    """
    if own is not None and not own._calls._shares_current:
        return own
    there = _innermost()
    if isinstance(there, Shadow):
        return there.span
    found = _context(there)
    if found is None:
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
    there = _innermost()
    if isinstance(there, Shadow) and there.span._calls is core:
        return there.span
    found = _context(there)
    return None if found is None else parent_of(found)


def _innermost() -> Any:
    """Return the innermost span there, ours (a Shadow) or not."""
    there: Any = otel.get_current_span()
    while isinstance(there, Shadow) and not there.is_parent():
        there = there.before
    return there


def _context(there: Any) -> otel.SpanContext | None:
    """Return a span's context; None where it has none, whatever a stranger's span does."""
    try:
        found: otel.SpanContext = there.get_span_context()
        return found if found.is_valid else None
    except Exception:
        return None
