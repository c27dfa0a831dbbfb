"""The other direction of `tracebridge.logs`: log lines written inside a span become its events.

For the standard library a handler, `CaptureLogs`; for structlog a processor, `capture_logs`. Limits and redaction hold for these events as
for any other, and what recording them logs is not recorded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

from tracebridge.context import current
from tracebridge.entities import SpanEvent
from tracebridge.span import Span

LOG_EVENT = "log"
"""The name of the events that log lines become."""


class _Guard(threading.local):
    busy = False


_guard = _Guard()


def _open_span() -> Span | None:
    """Return the innermost current span of any client that is open, else None."""
    frame = current.get()
    while frame is not None and frame.span.cause is not None:
        frame = frame.before
    return None if frame is None else frame.span


def _add_event(attributes: Callable[[], dict[str, Any]]) -> None:
    """Add a log line to the current span of ours. `attributes` is asked only when there is one."""
    if _guard.busy:
        return
    span = _open_span()
    if span is None:
        return
    _guard.busy = True
    try:
        span.add_event(SpanEvent(LOG_EVENT, attributes=attributes()))
    finally:
        _guard.busy = False


class CaptureLogs(logging.Handler):
    """A handler that makes log records written inside a span its events: `log.severity`, `log.logger`, `log.message`, and `exception.*`.

    Tracebridge's own log lines are left out.
    """

    def __init__(self, level: int = logging.INFO) -> None:
        super().__init__(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Add the record to the current span, if there is one."""
        if record.name.partition(".")[0] == "tracebridge":
            return
        try:
            _add_event(lambda: _attributes_of(record))
        except Exception:
            self.handleError(record)


def _attributes_of(record: logging.LogRecord) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "log.severity": record.levelname,
        "log.logger": record.name,
        "log.message": record.getMessage(),
    }
    if record.exc_info and record.exc_info[0] is not None:
        attributes["exception.type"] = record.exc_info[0].__name__
        attributes["exception.message"] = str(record.exc_info[1])
    return attributes


def capture_logs(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method_name: str,
    event_dict: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Make the events of structlog that are logged inside a span its events too: a processor, which changes nothing.

    The event's text becomes `log.message`, its level `log.severity`, its other keys attributes of the same names.
    """
    _add_event(
        lambda: {
            "log.severity": method_name.upper(),
            "log.message": event_dict.get("event", ""),
            **{key: value for key, value in event_dict.items() if key not in _SAID_OTHERWISE},
        }
    )
    return event_dict


_SAID_OTHERWISE = ("event", "level", "timestamp", "exc_info")
