"""Which span is the innermost where ours and OpenTelemetry's meet. Imported only where `opentelemetry.trace` has been imported already.

A module of its own, because it is asked for every log line: imports inside a function cost more than the answer.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace as otel

from tracebridge.otel.current import Stranger
from tracebridge.otel.shadow import Shadow
from tracebridge.span import Span


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
