"""The other direction of `tracebridge.logs`: log lines written inside a span become its events.

For the standard library a handler, `CaptureLogs`; for structlog a processor, `capture_logs`. Limits and redaction hold for these events as
for any other, and what recording them logs is not recorded.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from functools import cache
from typing import Any

from tracebridge.masking.loggers import logger
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.entities import SpanEvent
from tracebridge.spans.context import below, current
from tracebridge.spans.span import Span

LOG_EVENT = "log"
"""The name of the events that log lines become."""


class _Guard(threading.local):
    busy = False


_guard = _Guard()


def _open_span() -> Span | None:
    """Return the innermost current span of any client that is open, else None."""
    frame = current.get()
    while frame is not None and frame.span._cause is not None:
        frame = below(frame)
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
        except BaseException as error:
            raise_interrupt(error)
            self.handleError(record)


def _attributes_of(record: logging.LogRecord) -> dict[str, Any]:
    return {
        "log.severity": record.levelname,
        "log.logger": record.name,
        "log.message": _message_of(record),
        **_exception(record.exc_info),
    }


def _message_of(record: logging.LogRecord) -> str:
    """Return the message, without its arguments where they do not fit: the other handlers tell the application."""
    try:
        return record.getMessage()
    except BaseException as error:
        raise_interrupt(error)
        return str(record.msg)


def _exception(exc_info: Any) -> dict[str, Any]:
    """Return what an `exc_info` in any of its forms says, as attributes."""
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1] if isinstance(exc_info, tuple) else None
    return {} if error is None else {"exception.type": type(error).__name__, "exception.message": str(error)}


def capture_logs(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method_name: str,
    event_dict: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Make the events of structlog that are logged inside a span its events too: a processor, which changes nothing and never raises.

    The event's text becomes `log.message`, its level `log.severity`, its exception `exception.*`, its other keys attributes of the same
    names, except those that structlog keeps for itself (`_record`).
    """
    try:
        _add_event(lambda: _attributes_of_event(method_name, event_dict))
    except BaseException as error:
        raise_interrupt(error)
        _complain(type(error).__name__)
    return event_dict


def _attributes_of_event(method_name: str, event_dict: MutableMapping[str, Any]) -> dict[str, Any]:
    level = event_dict.get("level")
    level = (level if isinstance(level, str) else method_name).lower()
    return {
        "log.severity": _LEVELS.get(level, level).upper(),
        "log.message": event_dict.get("event", ""),
        **_exception(event_dict.get("exc_info")),
        **{
            key: value
            for key, value in event_dict.items()
            if key not in _SAID_OTHERWISE and not (isinstance(key, str) and key.startswith("_"))
        },
    }


@cache
def _complain(what: str) -> None:
    """Say, once for each kind of error, that a line could not be recorded."""
    _log.warning("a log line could not become an event (%s); capture_logs stands before the renderer", what)


_LEVELS = {"exception": "error", "warn": "warning", "fatal": "critical"}  # structlog's methods by other names
_SAID_OTHERWISE = ("event", "level", "timestamp", "exc_info")
_log = logger("tracebridge")
