"""The modules that work with OpenTelemetry: loaded once OpenTelemetry is there, because importing at each call would cost as much as the call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tracebridge.otel.stranger import Stranger
from tracebridge.process.forks import no_fork

if TYPE_CHECKING:
    from tracebridge.calls.core import Core
    from tracebridge.otel.attach import Attachment
    from tracebridge.propagation.context import RemoteParent
    from tracebridge.spans.context import Owner
    from tracebridge.spans.span import Span

OTEL = "opentelemetry.trace"


class Integration(NamedTuple):
    """The modules that import OpenTelemetry, by what is asked of them."""

    show: Callable[[Span, Owner], Attachment]
    nearest_of: Callable[[Span | None], Span | Stranger | None]
    parent_for: Callable[[Core], Span | RemoteParent | None]


_integration: Integration | None = None


def integration() -> Integration | None:
    """Return it; None while OpenTelemetry is not there, or not whole yet because another thread is importing it."""
    return _integration or _load()


def _load() -> Integration | None:
    global _integration  # noqa: PLW0603 - as global as `sys.modules`
    module = sys.modules.get(OTEL)
    if module is None or getattr(module.__spec__, "_initializing", False):
        return None  # in a forked child the thread that was importing it is not there, and to wait for it would be for ever
    with no_fork():
        from tracebridge.otel.attach import show
        from tracebridge.otel.nearest import nearest_of, parent_for
    _integration = Integration(show, nearest_of, parent_for)
    return _integration
