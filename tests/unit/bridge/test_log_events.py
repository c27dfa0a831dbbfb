"""Log lines written inside a span become its events."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from tracebridge.log_events import CaptureLogs, capture_logs


@pytest.fixture
def logger():
    """A logger whose records become events."""
    logger = logging.getLogger("test.capture")
    logger.propagate = False
    logger.handlers = [CaptureLogs()]
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()


def events_of(record: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of a record."""
    return [(event.name, event.attributes) for event in record.events]


def test_records_become_events_of_the_current_span(client, delivered, logger):
    """Severity, logger, message with its arguments; below the level and outside a span, nothing."""
    logger.info("outside")
    with client.trace("root"):
        logger.info("%d items", 3)
        logger.debug("too low")
        try:
            raise ValueError("boom")
        except ValueError:
            logger.exception("failed")
    (record,) = delivered(client)
    assert events_of(record) == [
        ("log", {"log.severity": "INFO", "log.logger": "test.capture", "log.message": "3 items"}),
        (
            "log",
            {
                "log.severity": "ERROR",
                "log.logger": "test.capture",
                "log.message": "failed",
                "exception.type": "ValueError",
                "exception.message": "boom",
            },
        ),
    ]


def test_events_of_log_lines_are_redacted_and_bounded(make_client, delivered):
    """As any other event."""
    client = make_client(limits={"event_count_limit": 2})
    with client.trace("root"):
        capture_logs(None, "info", {"event": "login", "password": "hunter2", "timestamp": "now", "level": "info"})
        for _ in range(5):
            capture_logs(None, "warning", {"event": "again"})
    (record,) = delivered(client)
    assert events_of(record)[0][1] == {"log.severity": "INFO", "log.message": "login", "password": "[redacted]"}
    assert (len(record.events), record.dropped_events) == (2, 4)


def test_what_recording_a_line_logs_is_not_recorded(client, delivered, logger):
    """An object that logs while it is turned into text is no endless loop."""

    class Chatty:
        def __str__(self) -> str:
            logger.info("I am being shown")
            return "chatty"

    handler = logger.handlers[0]
    with client.trace("root"):
        handler.handle(logger.makeRecord("test.capture", logging.INFO, "app.py", 1, "%s", (Chatty(),), None))
        capture_logs(None, "info", {"event": "x", "who": Chatty()})
        handler.handle(logger.makeRecord("tracebridge.inside", logging.ERROR, "app.py", 1, "our own", (), None))
    (record,) = delivered(client)
    assert [attributes["log.message"] for _, attributes in events_of(record)] == ["chatty", "x"]


def test_the_processor_changes_nothing(client):
    """It only looks."""
    event = {"event": "x", "n": 1}
    with client.trace("root"):
        assert capture_logs(None, "info", event) is event
    assert event == {"event": "x", "n": 1}


def test_under_structlog(client, delivered):
    """In a chain, before the renderer."""
    logger = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[capture_logs, structlog.processors.KeyValueRenderer()]
    )
    with client.trace("root"):
        logger.error("no stock", item=7)
    (record,) = delivered(client)
    assert events_of(record) == [("log", {"log.severity": "ERROR", "log.message": "no stock", "item": 7})]
