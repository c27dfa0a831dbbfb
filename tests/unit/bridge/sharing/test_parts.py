"""Parts: what several processes wrote of a span, as one record."""

from __future__ import annotations

import msgspec
import pytest

from tracebridge import SpanRecord
from tracebridge.journal.base import encode_record
from tracebridge.records.record import Event
from tracebridge.sharing.parts import ORPHANED, UNFINISHED, Kind, part, together

IDS = (b"t" * 16, b"s" * 8, None)


def _record(**fields):
    return SpanRecord(
        *IDS, fields.pop("name", ""), fields.pop("start", 0), fields.pop("end", 0), end_cause="unfinished", **fields
    )


def _part(kind, **fields):
    return part(kind, encode_record(_record(**fields)))


START = _part(Kind.START, name="order", start=10, end=10, attributes={"a": 1, "b": 1}, opened_at="x.py:1", inputs=[1])


def test_the_last_writer_of_a_key_wins_and_lists_grow():
    """Attributes, events, inputs, outputs, tags and counts of all writers are in the record."""
    changes = [
        _part(Kind.CHANGE, end=20, attributes={"b": 2}, events=(Event("one", 15),), truncated=1),
        _part(Kind.CHANGE, end=30, attributes={"c": 3}, inputs=[2], tags={"k": "v"}, span_type="LLM"),
    ]
    whole = together(
        [START, *changes, _part(Kind.END, end=40, attributes={"c": 4}, outputs=0, events=(Event("two", 39),))]
    )
    expected = SpanRecord(
        *IDS, "order", 10, 40, status=1, attributes={"a": 1, "b": 2, "c": 4}, span_type="LLM", inputs=[2], outputs=0,
        events=(Event("one", 15), Event("two", 39)), tags={"k": "v"}, truncated=1,
    )  # fmt: skip
    assert (whole.record, whole.has_start, whole.has_end) == (expected, True, True)


@pytest.mark.parametrize(
    ("changed", "end_kind", "ended", "expected"),
    [
        ({}, Kind.END, {}, (1, "")),
        ({"status": 2, "status_message": "boom"}, Kind.END, {}, (2, "boom")),
        ({"status": 2, "status_message": "boom"}, Kind.END_WITH_STATUS, {"status": 1}, (1, "")),
        ({}, Kind.END_WITH_STATUS, {"status": 0}, (0, "")),
        ({"status": 1}, Kind.END_WITH_STATUS, {"status": 2, "status_message": "no"}, (2, "no")),
    ],
)
def test_the_status_is_the_last_that_was_said(changed, end_kind, ended, expected):
    """A plain end keeps an error; a status that is given stands, even UNSET."""
    record = together([START, _part(Kind.CHANGE, **changed), _part(end_kind, end=40, **ended)]).record
    assert (record.status, record.status_message) == expected


def test_times_are_those_of_whoever_wrote_them():
    """An end before its start stays so, and is flagged by the record; changes do not move an end."""
    record = together([START, _part(Kind.CHANGE, end=99), _part(Kind.END, end=5)]).record
    assert (record.start_time_ns, record.end_time_ns, record.end_before_start) == (10, 5, True)


def test_a_span_without_an_end_is_unfinished():
    """It ends when it was last heard of, as an error, and says where it was opened."""
    record = together([START, _part(Kind.CHANGE, end=30)]).record
    assert (record.end_time_ns, record.status, record.status_message, record.end_cause, record.opened_at) == (
        30, 2, UNFINISHED, "unfinished", "x.py:1",
    )  # fmt: skip


def test_an_end_without_a_start_is_orphaned():
    """It takes no time, has what the end said, and is marked."""
    whole = together([_part(Kind.END_WITH_STATUS, end=40, start=40, status=2, outputs=1)])
    expected = SpanRecord(*IDS, "unknown", 40, 40, status=2, status_message=ORPHANED, outputs=1, end_cause="orphaned")
    assert (whole.record, whole.has_start) == (expected, False)


def test_a_part_that_was_written_twice_counts_once():
    """Its first answer was lost, and the call was made again."""
    event = _part(Kind.CHANGE, events=(Event("once", 1),))
    assert together([START, event, event]).record.events == (Event("once", 1),)


@pytest.mark.parametrize(
    "hostile",
    [b"", b"\x01", b"\x02" + START[1:], b"\x01" + bytes(8) + b"\x09" + START[10:], b"\x01" + bytes(8) + b"\x01" + b"\xc1", bytes(10_000),
     b"\x01" + bytes(8) + b"\x01" + msgspec.msgpack.encode([1, 2, 3]), b"\x01" + bytes(8) + b"\x01" + b"\x91" * 5_000],
)  # fmt: skip
def test_what_cannot_be_read_costs_itself_alone(hostile):
    """Damaged parts, and parts of another version, are counted; the span is made of the others."""
    whole = together([START, hostile, _part(Kind.END, end=40)])
    assert (whole.record.name, whole.has_end, whole.unreadable) == ("order", True, 1)
    assert together([hostile]) is None
