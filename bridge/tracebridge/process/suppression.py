"""Requests of ours become no spans: a tracer that traces its own delivery never comes to an end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

_KEYS = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
"""Where OpenTelemetry keeps the context keys that its instrumentation asks for; its own exporters set the first around each export."""


def silence_instrumentation() -> None:
    """Tell OpenTelemetry's instrumentation to leave this thread alone, from now on; nothing where OpenTelemetry is not imported.

    For threads of ours only: what is set is never taken back.
    """
    _silence()


@contextlib.contextmanager
def not_traced() -> Iterator[None]:
    """Do the same for one request, in a thread that may be the application's."""
    before = _silence()
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(Exception):
                sys.modules["opentelemetry.context"].attach(before)


def _silence() -> Any:
    """Return OpenTelemetry's context as it was before; None where there is none, or it was silent already."""
    otel: Any = sys.modules.get("opentelemetry.context")
    if otel is None:
        return None
    with contextlib.suppress(
        Exception
    ):  # another thread may still be importing it, and its context can be anybody's implementation
        loud = [key for name in _KEYS if not otel.get_value(key := getattr(otel, name))]
        if loud:
            before = otel.get_current()
            for key in loud:
                otel.attach(otel.set_value(key, True))
            return before
    return None
