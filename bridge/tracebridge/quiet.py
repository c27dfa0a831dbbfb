"""Requests of ours are nobody's spans: a tracer that traces its own delivery never comes to an end."""

from __future__ import annotations

import contextlib
import sys

_KEYS = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
"""Where OpenTelemetry keeps the context keys that its instrumentation asks for; its own exporters set the first around each export."""


def silence_instrumentation() -> None:
    """Tell OpenTelemetry's instrumentation to leave this thread alone, from now on; nothing where OpenTelemetry is not imported.

    For threads of ours only: what is set is never taken back.
    """
    otel = sys.modules.get("opentelemetry.context")
    if otel is None:
        return
    with contextlib.suppress(
        Exception
    ):  # another thread may still be importing it, and its context can be anybody's implementation
        for key in (getattr(otel, name) for name in _KEYS):
            if not otel.get_value(key):
                otel.attach(otel.set_value(key, True))
