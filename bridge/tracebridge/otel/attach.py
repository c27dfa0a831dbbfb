"""A span of ours shown in OpenTelemetry's context. Imported only where `opentelemetry.trace` has been imported already."""

from __future__ import annotations

import msgspec
from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.context import Context

from tracebridge.otel.shadow import Shadow
from tracebridge.spans.context import Owner, leftovers, sweep
from tracebridge.spans.span import Span


def show(span: Span, owner: Owner) -> Attachment:
    """Make a span of ours the current one in OpenTelemetry's context, without the leftovers there (see `tracebridge.spans.context`)."""
    before = otel_context.get_current()
    there = found = otel.get_current_span(before)
    if isinstance(found, Shadow) and found.swept is not leftovers.latest:
        there = sweep(found)
        if there is not found:
            before = otel.set_span_in_context(there, before)
    shadow = Shadow(span, owner, there)
    after = otel.set_span_in_context(shadow, before)
    otel_context.attach(after)
    return Attachment(shadow, before, after)


class Attachment(msgspec.Struct, frozen=True, eq=False):
    """One span of ours shown in OpenTelemetry's context, and what was there before.

    Nothing in it leads back to it: as long as each shadow knew its attachment, every `with` left a cycle for the collector (1 µs).
    """

    shadow: Shadow
    before: Context
    after: Context

    def leave(self) -> None:
        """Put back what was there before, as far as it is still ours to put back."""
        now = otel_context.get_current()
        if now is self.after:
            otel_context.attach(self.before)
        elif otel.get_current_span(now) is self.shadow:  # somebody has added to the context: baggage, most likely
            otel_context.attach(otel.set_span_in_context(self.shadow.before, now))
