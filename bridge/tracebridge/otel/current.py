"""One tree with OpenTelemetry: a span that is current here is current there, and the other way round when asked.

Nothing of OpenTelemetry is imported for this. In a process that has imported it, its context (not its provider, which is never read or set)
is told what is current. Contexts are set, never detached by token, so that leaving in another order or another task than entering
cannot fail; see `tracebridge.spans.context`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracebridge.otel.lazy import OTEL, integration
from tracebridge.propagation.context import RemoteParent
from tracebridge.spans import context
from tracebridge.spans.context import Owner, current_span
from tracebridge.spans.span import Span

if TYPE_CHECKING:
    from tracebridge.calls.core import Core

CURRENT = "current"
"""The parent that means: whatever span is current where the call stands, OpenTelemetry's or ours."""

_modules = sys.modules


def enter(core: Core, span: Span, owner: Owner) -> None:
    """Make a span the current one in this context, and in OpenTelemetry's where the process has imported it."""
    attachment = None
    if core._shares_current and OTEL in _modules:
        try:
            loaded = integration()
            attachment = None if loaded is None else loaded.show(span, owner)
        except Exception:  # its context can be anybody's implementation
            core._broken("telling OpenTelemetry of the current span")
    context.enter(core, span, owner, attachment)


def leave(owner: Owner) -> None:
    """Take what an owner made current off this context's frames, and out of OpenTelemetry's context."""
    frame = context.leave(owner)
    if frame is not None and frame.attachment is not None:
        try:
            frame.attachment.leave()
        except Exception:
            frame.core._broken("telling OpenTelemetry of the current span")


def current_parent(core: Core) -> Span | RemoteParent | None:
    """Return what `parent="current"` means here: the innermost span, OpenTelemetry's or a client's; None where there is none.

    A span of this client that has ended is one that this context outlives.
    """
    loaded = integration() if OTEL in _modules else None
    found = None if loaded is None else loaded.parent_for(core)
    return current_span(core, None) if found is None else found
