"""A span of ours shown in OpenTelemetry's context. Imported only where `opentelemetry.trace` has been imported already."""

from __future__ import annotations

from opentelemetry import context as otel_context
from opentelemetry import trace as otel

from tracebridge import context
from tracebridge.otel.shadow import Shadow
from tracebridge.span import Span


class Showing:
    """One span of ours shown in OpenTelemetry's context, and what was there before."""

    __slots__ = ("after", "before", "left", "owner", "shadow", "span")

    def __init__(self, span: Span, owner: object) -> None:
        self.span, self.owner, self.left = span, owner, False
        self.before = otel_context.get_current()
        self.shadow = Shadow(span, otel.get_current_span(self.before), self.speaks)
        self.after = otel.set_span_in_context(self.shadow, self.before)
        otel_context.attach(self.after)

    def speaks(self) -> bool:
        """Whether the span is still current somewhere that this context comes from: not left, or left elsewhere only."""
        return not self.left or context.has(self.span, self.owner)

    def leave(self) -> None:
        """Put back what was there before, as far as it is still ours to put back."""
        self.left = True
        now = otel_context.get_current()
        if now is self.after:
            otel_context.attach(self.before)
        elif otel.get_current_span(now) is self.shadow:  # somebody has added to the context: baggage, most likely
            otel_context.attach(otel.set_span_in_context(self.shadow.before, now))
