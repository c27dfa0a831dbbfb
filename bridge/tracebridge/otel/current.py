"""One tree with OpenTelemetry: a span that is current here is current there, and the other way round when asked.

Nothing of OpenTelemetry is imported for this. In a process that has imported it, its context (not its provider, which is never read or set)
is told what is current. Contexts are set, never detached by token, so that leaving in another order or another task than entering
cannot fail; see `tracebridge.context`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from tracebridge import context
from tracebridge.context import Frame, current_span
from tracebridge.ids.parent import RemoteParent
from tracebridge.span import Span

if TYPE_CHECKING:
    from tracebridge.calls.core import Core
    from tracebridge.otel.showing import Showing

CURRENT = "current"
"""The parent that means: whatever span is current where the call stands, OpenTelemetry's or ours."""

_modules = sys.modules


@functools.cache
def _showing() -> Callable[[Span, object], Showing]:
    """Return what shows a span, loaded once OpenTelemetry is there: importing it at each `with` cost as much as the showing."""
    from tracebridge.otel.showing import Showing

    return Showing


def enter(core: Core, span: Span, owner: object) -> None:
    """Make a span the current one in this context, and in OpenTelemetry's where the process has imported it."""
    showing = None
    if core.shares_current and "opentelemetry.trace" in _modules:
        try:
            showing = _showing()(span, owner)
        except Exception:  # its context can be anybody's implementation
            core._broken("telling OpenTelemetry of the current span")
    context.enter(core, span, owner, showing)


def leave(span: Span, owner: object) -> None:
    """Take a span off this context's frames, and out of OpenTelemetry's context."""
    frame: Frame | None = context.leave(span, owner)
    if frame is not None and frame.showing is not None:
        try:
            frame.showing.leave()
        except Exception:
            frame.core._broken("telling OpenTelemetry of the current span")


def current_parent(core: Core) -> Span | RemoteParent | None:
    """Return what `parent="current"` means here: the innermost span, OpenTelemetry's or a client's; None where there is none."""
    if "opentelemetry.trace" in _modules:
        from opentelemetry import trace as otel

        from tracebridge.otel.shadow import Shadow, parent_of

        there: Any = otel.get_current_span()
        while isinstance(there, Shadow):
            if there.is_recording():
                return there.span if there.span.calls is core else parent_of(there.get_span_context())
            there = there.before
        found = there.get_span_context()
        if found.is_valid:
            return parent_of(found)
    return current_span(core, None)


class Stranger(NamedTuple):
    """A span that OpenTelemetry made, by its IDs (hex), its flags, and its resource where it tells."""

    trace_id: str
    span_id: str
    flags: int
    resource: dict[str, Any]
