"""Ending: who ends a span, with which status and times, and what happens to spans that are never ended."""

from __future__ import annotations

import logging
import time
from typing import Any, cast

import pytest

from tracebridge import EndCause, SpanStatus, SpanStatusCode, StatusCode, TraceFinishedError, TraceNotFoundError


def test_a_clean_span_ends_ok(client, delivered):
    """The default status of an end is OK."""
    client.start_trace("r").end()
    assert delivered(client)[0].status == StatusCode.OK


def test_the_default_status_keeps_an_error_recorded_before(client, delivered):
    """record_exception is not overwritten by a plain end."""
    root = client.start_trace("r")
    root.record_exception(ValueError("boom"))
    client.end_trace(root.trace_id)
    (record,) = delivered(client)
    assert (record.status, record.status_message) == (StatusCode.ERROR, "ValueError: boom")
    assert record.events[0].name == "exception"
    assert record.events[0].attributes["exception.type"] == "ValueError"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ("OK", StatusCode.OK, ""),
        ("ERROR", StatusCode.ERROR, ""),
        ("error", StatusCode.ERROR, ""),
        ("UNSET", StatusCode.UNSET, ""),
        (SpanStatusCode.ERROR, StatusCode.ERROR, ""),
        (SpanStatus(SpanStatusCode.ERROR, "why"), StatusCode.ERROR, "why"),
        (SpanStatus(cast(Any, "OK")), StatusCode.OK, ""),
        (StatusCode.ERROR, StatusCode.ERROR, ""),
    ],
)
def test_every_way_to_say_a_status_is_understood(client, delivered, status, code, message):
    """Text, enum members and SpanStatus objects mean the same."""
    client.start_trace("r").end(status=status)
    (record,) = delivered(client)
    assert (record.status, record.status_message) == (code, message)


def test_a_bad_status_warns_and_ends_the_span_as_an_error(client, delivered, caplog):
    """A status that means nothing does not leave the span open."""
    with caplog.at_level(logging.WARNING, "tracebridge"):
        client.start_trace("r").end(status="FINE")
    (record,) = delivered(client)
    assert record.status == StatusCode.ERROR
    assert "FINE" in record.status_message
    assert "unknown status: 'FINE'" in caplog.text


def test_attributes_merge_and_the_same_key_is_overwritten(client, delivered):
    """The end's attributes win over the start's."""
    root = client.start_trace("r", attributes={"a": 1, "b": 1})
    client.end_trace(root.trace_id, attributes={"b": 2, "c": 3})
    assert delivered(client)[0].attributes == {"a": 1, "b": 2, "c": 3}


def test_the_first_end_wins(client, delivered):
    """A second end is ignored and counted."""
    root = client.start_trace("r")
    span = client.start_span("c", root.trace_id)
    client.end_span(root.trace_id, span.span_id, outputs="first")
    client.end_span(root.trace_id, span.span_id, outputs="second", status="ERROR")
    root.end()
    assert [(r.name, r.outputs, r.status) for r in delivered(client)] == [("c", "first", 1), ("r", None, 1)]
    assert client.stats().misuse == {"end_of_unknown_span": 1}


def test_changes_after_the_end_are_ignored_and_counted(client, delivered):
    """What is delivered is what was recorded when the span ended."""
    root = client.start_trace("r")
    root.end()
    root.set_attribute("late", 1)
    root.set_outputs("late")
    root.add_event("late")
    (record,) = delivered(client)
    assert (record.attributes, record.outputs, record.events) == ({}, None, ())
    assert client.stats().misuse["change_after_end"] == 3


def test_ending_an_unknown_span_is_silent_and_counted(client):
    """end_span of nothing is harmless."""
    client.end_span("nope", "00f067aa0ba902b7")
    client.end_span(None, None)
    assert client.stats().misuse == {"end_of_unknown_span": 2}


def test_strict_makes_every_misuse_raise(make_client):
    """lifecycle.strict: true raises for the end of an unknown span."""
    client = make_client(lifecycle={"strict": True})
    with pytest.raises(TraceNotFoundError):
        client.end_span("nope", "00f067aa0ba902b7")


def test_ending_an_unknown_or_finished_trace_raises(client):
    """end_trace tells "not found" from "already finished"."""
    with pytest.raises(TraceNotFoundError, match="Trace with ID nope not found"):
        client.end_trace("nope")
    client.start_trace("r", trace_id="x").end()
    with pytest.raises(TraceFinishedError, match="already finished") as raised:
        client.end_trace("x")
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"


def test_ending_the_root_through_end_span_completes_the_trace(client):
    """The root is a span like any other."""
    root = client.start_trace("r", trace_id="x")
    client.end_span("x", root.span_id)
    assert client.get_active_trace("x") is None


def test_an_id_can_be_used_again_once_its_trace_has_finished(client):
    """A custom ID is refused only while it is open."""
    client.start_trace("r", trace_id="x").end()
    assert client.start_trace("r", trace_id="x").trace_id == "x"


def test_children_may_end_after_their_root(client, delivered):
    """The root is delivered when it ends; its children when they do."""
    root = client.start_trace("r", trace_id="x")
    child = client.start_span("c", "x")
    client.end_trace("x")
    assert [r.name for r in delivered(client)] == ["r"]
    with pytest.raises(TraceFinishedError):
        client.end_trace("x")
    client.end_span("x", child.span_id, outputs=1)
    assert [(r.name, r.end_cause, r.parent_id and r.parent_id.hex()) for r in delivered(client)] == [
        ("r", "finished", None),
        ("c", "finished", root.span_id),
    ]


def test_children_open_for_too_long_are_closed_and_a_real_end_then_is_counted(make_client, delivered):
    """After late_children a child is ended, marked with the place it was opened, and never sent twice."""
    client = make_client(lifecycle={"late_children": "50ms"})
    root = client.start_trace("r")
    child = client.start_span("c", root.trace_id)
    root.end()
    deadline = time.monotonic() + 60
    while client.stats().open and time.monotonic() < deadline:
        time.sleep(0.01)
    child.end()
    record = delivered(client)[1]
    assert (record.name, record.end_cause) == ("c", EndCause.ABANDONED)
    assert "test_ending.py:" in record.opened_at
    assert (client.stats().late_ends, len(delivered(client))) == (1, 2)


def test_late_children_of_zero_closes_them_with_the_root(make_client, delivered):
    """0s means at once."""
    client = make_client(lifecycle={"late_children": "0s"})
    root = client.start_trace("r")
    client.start_span("c", root.trace_id)
    root.end()
    assert [(r.name, r.end_cause) for r in delivered(client)] == [("r", "finished"), ("c", "abandoned")]


def test_closing_the_client_ends_and_marks_what_is_open(make_client):
    """A span that is never ended is not lost."""
    client = make_client()
    root = client.start_trace("r")
    client.start_span("c", root.trace_id)
    records = client.adapter("memory").records
    client.close()
    assert sorted((r.name, r.end_cause) for r in records) == [("c", "flushed"), ("r", "flushed")]
    assert client.stats().balance("memory") == 0


def test_a_leak_is_reported_with_the_place_it_was_opened(make_client, caplog):
    """The leak detector names the line; it closes nothing unless told to."""
    client = make_client(lifecycle={"max_open": "1ms"})
    client.start_trace("leaky")
    time.sleep(0.01)
    with caplog.at_level(logging.WARNING, "tracebridge"):
        client._close_overdue()
        client._close_overdue()
    assert caplog.text.count("'leaky'") == 1
    assert "test_ending.py:" in caplog.text
    assert client.stats().open == 1


def test_a_leak_is_closed_when_told_to(make_client, delivered):
    """on_leak: close ends it with its own cause."""
    client = make_client(lifecycle={"max_open": "1ms", "on_leak": "close"})
    client.start_trace("leaky")
    time.sleep(0.01)
    client._close_overdue()
    assert [r.end_cause for r in delivered(client)] == [EndCause.LEAKED]


def test_given_times_are_stored_exactly(client, delivered):
    """Nanoseconds survive to the last digit."""
    root = client.start_trace("r", start_time_ns=1_700_000_000_123_456_789)
    root.end(end_time_ns=1_700_000_000_123_456_790)
    (record,) = delivered(client)
    assert (record.start_time_ns, record.end_time_ns) == (1_700_000_000_123_456_789, 1_700_000_000_123_456_790)


def test_an_end_before_its_start_is_kept_and_flagged(client, delivered):
    """Contradicting times are recorded as given; the duration is never negative."""
    client.start_trace("r", start_time_ns=2_000).end(end_time_ns=1_000)
    (record,) = delivered(client)
    assert (record.end_time_ns, record.duration_ns, record.end_before_start) == (1_000, 0, True)


@pytest.mark.parametrize("odd", ["soon", float("nan"), float("inf"), -5, 2**70, True, object()])
def test_a_time_that_is_none_becomes_now_and_is_marked(client, delivered, odd):
    """Odd times never raise and never lose the span."""
    before = time.time_ns()
    client.start_trace("r", start_time_ns=odd).end(end_time_ns=odd)
    (record,) = delivered(client)
    assert before - 10**9 <= record.start_time_ns <= record.end_time_ns <= time.time_ns() + 10**9
    assert record.repaired == 2


def test_tags_set_while_the_trace_is_open_are_on_the_root(client, delivered):
    """Tags reach every destination with the root."""
    root = client.start_trace("r", trace_id="x", tags={"a": "1"})
    client.set_trace_tag("x", "b", 2)
    client.delete_trace_tag("x", "a")
    root.end()
    assert delivered(client)[0].tags == {"b": "2"}
