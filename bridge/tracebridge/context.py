"""The current span: per thread and per asyncio task, changed only by context managers and TraceStack.

One ContextVar holds a linked list of frames, newest first. Threads start empty; tasks inherit a copy and cannot disturb each
other or their parent, because frames are immutable and only the variable of one's own context is set.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tracebridge.calls.core import Core
    from tracebridge.live import LiveTrace
    from tracebridge.span import Span


class Frame(msgspec.Struct, frozen=True, eq=False):
    """One span made current, who made it so, what was current before, and how OpenTelemetry was told.

    A struct, because one is built in a third of the time of a named tuple (0.07 against 0.2 µs).
    """

    core: Core
    span: Span
    owner: object
    before: Frame | None
    showing: Any = None


current: ContextVar[Frame | None] = ContextVar("tracebridge_current", default=None)


def current_span(core: Core, trace: LiveTrace | None) -> Span | None:
    """Return the newest current span of this client, in this trace if one is given; ended spans do not count."""
    frame = current.get()
    while frame is not None:
        if frame.core is core and (trace is None or frame.span.trace is trace) and frame.span.cause is None:
            return frame.span
        frame = frame.before
    return None


def enter(core: Core, span: Span, owner: object, showing: Any = None) -> None:
    """Make a span the current one in this context."""
    current.set(Frame(core, span, owner, current.get(), showing))


def has(span: Span, owner: object) -> bool:
    """Return whether a span is on this context's frames by that owner."""
    frame = current.get()
    while frame is not None:
        if frame.span is span and frame.owner is owner:
            return True
        frame = frame.before
    return False


def leave(span: Span, owner: object) -> Frame | None:
    """Take a span off this context's frames, wherever it stands, and return its frame; None in a context that never had it.

    Generators and callbacks may leave in another order, or in another context, than they entered: no token is used, so
    nothing can fail with "created in a different Context".
    """
    kept: list[Frame] = []
    frame = current.get()
    while frame is not None:
        if frame.span is span and frame.owner is owner:
            before = frame.before
            for above in reversed(kept):
                before = msgspec.structs.replace(above, before=before)
            current.set(before)
            return frame
        kept.append(frame)
        frame = frame.before
    return None
