"""What no destination could take is repaired, and nothing else is touched."""

from __future__ import annotations

import enum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracebridge.calls.repair import repair
from tracebridge.records.record import Event, Link, SpanRecord

SOUND = SpanRecord(b"\x01" * 16, b"\x02" * 8, b"\x03" * 8, "s", 10, 20, kind=3, status=2)


@pytest.mark.parametrize(
    "sound",
    [
        SOUND,
        msgspec.structs.replace(SOUND, parent_id=None),
        msgspec.structs.replace(SOUND, start_time_ns=30),
        msgspec.structs.replace(SOUND, events=(Event("e", 0),), links=(Link(b"\x01" * 16, b"\x02" * 8),)),
    ],
    ids=["plain", "root", "ends before it starts", "events and links"],
)
def test_a_sound_record_is_itself(sound):
    """Nothing is copied, nothing is marked."""
    assert repair(sound) is sound


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"parent_id": bytes(8)}, {"parent_id": None}),
        ({"parent_id": b"\x02" * 8}, {"parent_id": None}),
        ({"parent_id": "0303030303030303"}, {"parent_id": None}),
        ({"start_time_ns": None}, {"start_time_ns": 20}),
        ({"end_time_ns": -1}, {"end_time_ns": 10}),
        ({"kind": 9}, {"kind": 1}),
        ({"kind": True}, {"kind": 1}),
        ({"status": "fine"}, {"status": 0}),
        ({"flags": 256}, {"flags": 1}),
        ({"trace_state": None}, {"trace_state": ""}),
        ({"custom_trace_id": 7}, {"custom_trace_id": "7"}),
        ({"debug": 1}, {"debug": False}),
        ({"dropped_links": -1}, {"dropped_links": 0}),
        ({"links": (Link(b"\x01" * 16, b"\x02" * 8, None),)}, {"links": (Link(b"\x01" * 16, b"\x02" * 8),)}),
        ({"name": None}, {"name": ""}),
        ({"name": 7}, {"name": "7"}),
        ({"events": (Event("e", -1),)}, {"events": (Event("e", 10),)}),
    ],
    ids=str,
)
def test_one_wrong_field_is_repaired_and_counted(changes, wanted):
    """The others stay as they are."""
    broken = msgspec.structs.replace(SOUND, **changes)
    assert repair(broken) == msgspec.structs.replace(SOUND, **wanted, repaired=1)


class Foreign(enum.Enum):
    """Counts from zero, as OpenTelemetry's does."""

    CLIENT = 2
    OK = 0


def test_a_kind_and_a_status_may_go_by_their_names():
    """To read a name is no repair."""
    named = msgspec.structs.replace(SOUND, kind=Foreign.CLIENT, status=Foreign.OK)
    assert repair(named) == msgspec.structs.replace(SOUND, kind=3, status=1)
    assert repair(msgspec.structs.replace(SOUND, kind="server", status="ERROR")) == msgspec.structs.replace(
        SOUND, kind=2, status=2
    )


def test_events_that_are_none_are_dropped_and_counted():
    """A list is not what a record holds, and a text is no event."""
    good = Event("e", 5)
    record = repair(msgspec.structs.replace(SOUND, events=(good, "text")))
    assert (record.events, record.dropped_events, record.repaired) == ((good,), 1, 1)
    assert repair(msgspec.structs.replace(SOUND, links=7)).dropped_links == 1


def test_a_link_to_nothing_is_left_out_and_counted_as_dropped():
    """No destination takes a reference without IDs."""
    good = Link(b"\x01" * 16, b"\x02" * 8)
    record = repair(msgspec.structs.replace(SOUND, links=(Link(bytes(16), b"\x02" * 8), good, Link(b"", b""))))
    assert (record.links, record.dropped_links) == ((good,), 2)


ANYTHING: Any = (
    st.none() | st.integers() | st.binary(max_size=20) | st.text(max_size=3) | st.floats() | st.just(object())
)


@given(*[ANYTHING] * 8)
def test_whatever_the_fields_are_the_result_is_sound(trace_id, span_id, parent_id, name, start, end, kind, status):
    """Repaired once, there is nothing left to repair."""
    record = repair(SpanRecord(trace_id, span_id, parent_id, name, start, end, kind, status))
    assert repair(record) is record
    assert (len(record.trace_id), len(record.span_id)) == (16, 8)


def test_lists_of_events_and_links_are_as_good_as_tuples():
    """Other code makes lists; what is in them is kept, is no repair, and is the caller's list no longer."""
    events, links = [Event("e", 0)], [Link(b"\x01" * 16, b"\x02" * 8)]
    kept = repair(msgspec.structs.replace(SOUND, events=events, links=links))
    assert kept == msgspec.structs.replace(SOUND, events=tuple(events), links=tuple(links))
