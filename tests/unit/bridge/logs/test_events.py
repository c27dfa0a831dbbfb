"""Log lines written inside a span become its events."""

from __future__ import annotations

import logging
import shutil
import threading
from typing import Any

import pytest
import structlog

from tracebridge import Client
from tracebridge.logs.events import CaptureLogs, capture_logs


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


def test_a_record_whose_arguments_do_not_fit_is_an_event_without_them(client, delivered, logger):
    """The line is told, as far as there is one."""
    with client.trace("root"):
        record = logger.makeRecord("test.capture", logging.INFO, "app.py", 1, "%d items", ("three",), None)
        logger.handlers[0].handle(record)  # and no other handler, whose business it is to complain
    (span,) = delivered(client)
    assert events_of(span)[0][1]["log.message"] == "%d items"


@pytest.mark.parametrize("form", ["true", "error", "tuple"])
def test_what_structlog_says_of_an_exception_is_said(form, client, delivered):
    """In each form of `exc_info`; its level is the event's, and what structlog keeps for itself is left out."""
    with client.trace("root"):
        try:
            raise ValueError("boom")
        except ValueError as error:
            given = {"true": True, "error": error, "tuple": (ValueError, error, None)}[form]
            capture_logs(None, "exception", {"event": "bad", "exc_info": given, "_record": object()})
            capture_logs(None, "msg", {"event": "bad", "level": "info", "exc_info": False})
    (record,) = delivered(client)
    assert [attributes for _, attributes in events_of(record)] == [
        {
            "log.severity": "ERROR",
            "log.message": "bad",
            "exception.type": "ValueError",
            "exception.message": "boom",
        },
        {"log.severity": "INFO", "log.message": "bad"},
    ]


def test_a_processor_in_the_wrong_place_is_said_once_and_breaks_no_line(client, delivered, caplog):
    """After the renderer there is only text."""
    with client.trace("root"):
        rendered: Any = "event='x'"
        assert [capture_logs(None, "info", rendered) for _ in range(2)] == [rendered] * 2
    (record,) = delivered(client)
    assert (events_of(record), caplog.text.count("stands before the renderer")) == ([], 1)


def test_a_handler_of_the_application_may_trace_while_the_disk_is_ill(tmp_path):
    """What the journal has to say is not said under its lock: a thread in the handler's lock may be waiting for that one."""
    directory = tmp_path / "spans"
    client = Client(config={"adapters": {"memory": {}}, "journal": {"directory": str(directory)}})
    root = logging.getLogger()
    handler = CaptureLogs()
    root.addHandler(handler)
    with client.trace("warm up"):
        pass
    shutil.rmtree(directory)
    directory.write_text("")  # no folder can be made there any more
    inside, ended = threading.Event(), threading.Event()

    class Slow:
        def __str__(self) -> str:  # the handler's lock is held
            inside.set()
            ended.wait(2)
            return "slow"

    def log() -> None:
        with client.trace("logs"):
            root.warning("%s", Slow())

    def trace() -> None:
        inside.wait(60)
        for _ in range(100):
            with client.trace("ends", inputs="x" * 60_000):
                pass
        ended.set()

    threads = [threading.Thread(target=run, daemon=True) for run in (log, trace)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stuck = [thread for thread in threads if thread.is_alive()]
    root.removeHandler(handler)
    assert stuck == []
    client.close()
    assert client.stats().balance("memory") == 0
