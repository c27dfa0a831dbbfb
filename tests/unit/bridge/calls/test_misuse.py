"""Calls that mean nothing: each kind is said once, with the place of the call, then counted; a strict client raises."""

from __future__ import annotations

import logging
import threading

import pytest

from tracebridge import (
    ClosedError,
    InvalidParameterError,
    SpanRecord,
    TraceFinishedError,
    TraceNotFoundError,
    TraceStack,
)
from tracebridge.spans.noop import NoopSpan

RECORD = SpanRecord(b"t" * 16, b"s" * 8, None, "n", 1, 2)


def ended(client):
    """A span that has ended."""
    span = client.start_trace("r")
    span.end()
    return span


def closed(client):
    """The client, closed, and a trace of it that was open then."""
    root = client.start_trace("r")
    client.close()
    return client, root


MISUSES = {
    "end_of_unknown_span": (lambda client: client, lambda client: client.end_span("nope", "00f067aa0ba902b7"), TraceNotFoundError),
    "change_after_end": (ended, lambda span: span.set_attribute("a", 1), TraceFinishedError),
    "bad_status": (lambda client: client.start_trace("r"), lambda span: span.set_status("FINE"), InvalidParameterError),
    "bad_log_level": (lambda client: client.start_trace("r"), lambda span: span.set_log_level("LOUD"), InvalidParameterError),
    "bad_kind": (lambda client: client, lambda client: client.start_trace("r", kind=7), InvalidParameterError),
    "pop_of_empty_stack": (TraceStack, lambda stack: stack.pop(), InvalidParameterError),
    "start_after_close": (closed, lambda made: made[0].start_trace("r"), ClosedError),
    "end_after_close": (closed, lambda made: made[0].end_trace(made[1].trace_id), ClosedError),
    "ingest_after_close": (closed, lambda made: made[0].ingest(RECORD), ClosedError),
}  # fmt: skip


@pytest.mark.parametrize("what", MISUSES)
def test_each_kind_of_misuse_is_said_once_with_the_place_and_then_counted(client, caplog, what):
    """In the application's words: its own file and line."""
    prepare, call, _ = MISUSES[what]
    subject = prepare(client)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "tracebridge"):
        for _ in range(3):
            call(subject)
    (said,) = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said[0] == "WARNING"
    assert f"(called at {__file__}:" in said[1]
    assert client.stats().misuse == {what: 3}


@pytest.mark.parametrize("what", MISUSES)
def test_a_strict_client_raises_for_every_misuse(make_client, what):
    """`lifecycle.strict: true`, and it is counted all the same."""
    prepare, call, error = MISUSES[what]
    client = make_client(lifecycle={"strict": True})
    subject = prepare(client)
    with pytest.raises(error):
        call(subject)
    assert client.stats().misuse == {what: 1}


def test_a_strict_client_ends_the_span_whose_status_it_refuses(make_client, delivered):
    """The end is not lost for it, nor what else it says."""
    client = make_client(lifecycle={"strict": True})
    root = client.start_trace("r")
    with pytest.raises(InvalidParameterError):
        root.end({"a": 1}, {"b": 2}, "FINE", root.start_time_ns + 7)
    (record,) = delivered(client)
    assert (record.outputs, record.attributes, record.status, record.duration_ns) == ({"a": 1}, {"b": 2}, 2, 7)
    assert (client.stats().open, client.stats().balance("memory")) == (0, 0)


def test_what_many_threads_do_wrong_at_once_is_said_once(client, caplog):
    """Whoever is first."""
    together = threading.Barrier(8)

    def work() -> None:
        together.wait(30)
        for _ in range(50):
            client.end_span("nope", "00f067aa0ba902b7")

    threads = [threading.Thread(target=work) for _ in range(8)]
    with caplog.at_level(logging.WARNING, "tracebridge"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert (len(caplog.records), client.stats().misuse) == (1, {"end_of_unknown_span": 400})


def test_a_disabled_client_is_silent(monkeypatch, make_client, caplog):
    """To switch tracing off is no misuse of what is traced."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    client = make_client(lifecycle={"strict": True})
    with caplog.at_level(logging.WARNING, "tracebridge"):
        root = client.start_trace("r", kind="peer")
        client.end_span(root.trace_id, client.start_span("c", root.trace_id).span_id)
        client.end_trace(root.trace_id)
        client.ingest(RECORD)
    assert isinstance(root, NoopSpan)
    assert (caplog.records, client.stats().misuse) == ([], {})


def test_the_type_of_a_value_is_said_where_the_value_may_hold_a_secret(client, caplog):
    """A mapping that was meant for another argument."""
    with caplog.at_level(logging.WARNING, "tracebridge"):
        client.start_trace("r", kind={"password": "hunter2"})
    assert "unknown kind: a dict" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("wrong", [[], {}, 7, object()], ids=repr)
def test_ids_that_no_table_takes_are_refused(client, wrong):
    """Misuse of ours, not an error inside."""
    root = client.start_trace("r")
    for call in (
        lambda: client.start_trace("t", trace_id=wrong),
        lambda: client.start_span("s", wrong or [0], "00f067aa0ba902b7"),
        lambda: client.start_span("s", root.trace_id, wrong),
    ):
        with pytest.raises((InvalidParameterError, TraceNotFoundError)):
            call()
    with pytest.raises(TraceNotFoundError):
        client.end_trace(wrong)
    client.end_span(wrong, wrong)
    assert "internal_error" not in client.stats().misuse
