"""One tree with OpenTelemetry: a span that is current here is current there, and the other way round when asked.

Nothing of OpenTelemetry is imported for this. In a process that has imported it, its context (not its provider, which is never read or set)
is told what is current. Contexts are set, never detached by token, so that leaving in another order or another task than entering
cannot fail; see `tracebridge.context`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from tracebridge import context
from tracebridge.context import Frame, current_span
from tracebridge.ids.parent import RemoteParent
from tracebridge.span import Span

if TYPE_CHECKING:
    from tracebridge.calls.core import Core
    from tracebridge.otel.shadow import Shadow

CURRENT = "current"
"""The parent that means: whatever span is current where the call stands, OpenTelemetry's or ours."""

_modules = sys.modules


class Showing:
    """One span of ours shown in OpenTelemetry's context, and what was there before."""

    __slots__ = ("after", "before", "left", "owner", "shadow", "span")

    def __init__(self, span: Span, owner: object) -> None:
        from opentelemetry import context as otel_context
        from opentelemetry import trace as otel

        from tracebridge.otel.shadow import Shadow

        self.span, self.owner, self.left = span, owner, False
        self.before = otel_context.get_current()
        self.shadow: Shadow = Shadow(span, otel.get_current_span(self.before), self.speaks)
        self.after = otel.set_span_in_context(self.shadow, self.before)
        otel_context.attach(self.after)

    def speaks(self) -> bool:
        """Whether the span is still current somewhere that this context comes from: not left, or left elsewhere only."""
        return not self.left or context.has(self.span, self.owner)

    def leave(self) -> None:
        """Put back what was there before, as far as it is still ours to put back."""
        from opentelemetry import context as otel_context
        from opentelemetry import trace as otel

        self.left = True
        now = otel_context.get_current()
        if now is self.after:
            otel_context.attach(self.before)
        elif otel.get_current_span(now) is self.shadow:  # somebody has added to the context: baggage, most likely
            otel_context.attach(otel.set_span_in_context(self.shadow.before, now))


def enter(core: Core, span: Span, owner: object) -> None:
    """Make a span the current one in this context, and in OpenTelemetry's where the process has imported it."""
    showing = None
    if core.shares_current and "opentelemetry.trace" in _modules:
        try:
            showing = Showing(span, owner)
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
