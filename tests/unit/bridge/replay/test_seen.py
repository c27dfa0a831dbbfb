"""Which spans have been taken already, in a window and in a state file."""

from __future__ import annotations

import stat

import msgspec
import pytest

from tracebridge.errors import InvalidParameterError
from tracebridge.records.record import EndCause, Kind, Resource, SpanRecord
from tracebridge.replay.line import Position
from tracebridge.replay.seen import StateFile, Window, key_of, open_seen

RECORD = SpanRecord(b"t" * 16, b"s" * 8, None, "a", 1, 2)


def test_a_span_is_known_by_its_ids_its_end_and_its_half():
    """Its other fields do not matter."""
    replace = msgspec.structs.replace
    keys = [
        key_of(record)
        for record in (
            RECORD,
            replace(RECORD, span_id=b"S" * 8),
            replace(RECORD, trace_id=b"T" * 16),
            replace(RECORD, end_cause=EndCause.UNFINISHED.value),
            replace(RECORD, shared=True),
        )
    ]
    assert len(set(keys)) == 5
    assert key_of(replace(RECORD, name="b", end_time_ns=9)) == keys[0]


def test_halves_of_a_call_and_pieces_of_a_span_are_several():
    """By side and service where the flag is missing; each piece is one, and comes again as the one it is."""
    replace, service = msgspec.structs.replace, Resource({"service.name": "back"})
    client, server = replace(RECORD, kind=int(Kind.CLIENT)), replace(RECORD, kind=int(Kind.SERVER), resource=service)
    start, end = replace(RECORD, end_time_ns=1), replace(RECORD, start_time_ns=0, attributes={"a": 1})
    keys = [key_of(record) for record in (RECORD, client, server, replace(server, resource=None), start, end)]
    assert len(set(keys)) == 6
    assert key_of(replace(server, shared=True)) == keys[2]
    assert key_of(replace(end, attributes={"b": 2})) == keys[5]


def test_a_window_forgets_only_what_is_further_back_than_its_size():
    """And never holds more than twice that."""
    window = Window(size=100)
    keys = [number.to_bytes(4, "big") for number in range(1000)]
    assert all(window.first_time(key) for key in keys)
    assert not any(window.first_time(key) for key in keys[-100:])
    assert window.first_time(keys[0])


def test_a_state_file_remembers_spans_and_positions_up_to_the_last_checkpoint(tmp_path):
    """What came after it is met again for the first time."""
    path = str(tmp_path / "state")
    with open_seen(path) as seen:
        assert seen.first_time(b"a")
        assert not seen.first_time(b"a")
        seen.checkpoint({"file": Position(10, 2), "": Position(5, 1)})
        assert seen.first_time(b"b")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o600
    with open_seen(path) as seen:
        assert not seen.first_time(b"a")
        assert seen.first_time(b"b")
        assert seen.position("file") == Position(10, 2)
        assert seen.position("other") == seen.position("") == Position()


def test_two_replays_cannot_share_a_state_file(tmp_path):
    """The second is told so."""
    with open_seen(str(tmp_path / "state")), pytest.raises(InvalidParameterError, match="another replay"):
        StateFile(str(tmp_path / "state"))


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
def test_a_file_that_is_no_state_is_refused(tmp_path, content):
    """With its name and what to do."""
    path = tmp_path / "state"
    if content is None:
        path = tmp_path / "no" / "folder"
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidParameterError, match=r"--state .*; name a file that replay may make"):
        StateFile(str(path))
