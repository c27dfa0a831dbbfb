"""One segment file: what is put in is read back, and damage costs only what it hits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracebridge.journal.segment import (
    DAMAGED,
    FINISHED,
    HELD,
    STARTED,
    TORN,
    Segment,
)
from tracebridge.journal.segment_header import DamagedError, NewerVersionError
from tracebridge.journal.settled import MAX_GAPS, Settled

BODIES = [b"first", b"\x01" * 300, b"x", b"last but one" * 9, b"end"]


def made(path: Path, bodies: list[bytes] = BODIES, room: int = 4096) -> Segment:
    """A segment with these finished records."""
    segment = Segment.create(path, room + Segment.overhead(2), ["a", "b"])
    for body in bodies:
        segment.offsets.append(segment.put(FINISHED, body))
    return segment


def found(path: Path) -> list[bytes]:
    """The bodies of the whole records in a file."""
    segment = Segment.open(path)
    return [segment.body(at) for kind, at, _ in segment.scan() if kind > 0]


def test_what_is_put_in_is_found_in_order(tmp_path):
    """By whoever opens the file next, kinds included."""
    segment = made(tmp_path / "1.seg")
    segment.put(STARTED, b"an open span")
    again = Segment.open(tmp_path / "1.seg")
    assert [(kind, again.body(at)) for kind, at, _ in again.scan()] == [
        *((FINISHED, body) for body in BODIES),
        (STARTED, b"an open span"),
    ]


def test_the_file_is_private_and_takes_its_space_at_once(tmp_path):
    """0600, and no hole in it that a full disk could turn into a SIGBUS."""
    made(tmp_path / "1.seg", room=2**20)
    status = (tmp_path / "1.seg").stat()
    assert (status.st_mode & 0o777, status.st_blocks * 512 >= 2**20) == (0o600, True)


def test_a_cut_at_every_byte_leaves_all_records_before_it(tmp_path):
    """Whole records before the cut are read; no other is made up."""
    segment = made(tmp_path / "1.seg", room=700)
    data = (tmp_path / "1.seg").read_bytes()
    for cut in range(segment.begin, len(data)):
        (tmp_path / "cut.seg").write_bytes(data[:cut])
        whole = [body for at, body in zip(segment.offsets, BODIES, strict=True) if at + 12 + len(body) <= cut]
        assert found(tmp_path / "cut.seg") == whole, cut


def test_a_flip_of_any_byte_costs_at_most_one_record(tmp_path):
    """Everything before and after the damaged record is read, wherever the flip is: header, slots, heads, bodies."""
    segment = made(tmp_path / "1.seg", room=700)
    data = (tmp_path / "1.seg").read_bytes()
    for at in range(segment.at):
        flipped = bytearray(data)
        flipped[at] ^= 0x55
        (tmp_path / "flip.seg").write_bytes(flipped)
        hit = [number for number, start in enumerate(segment.offsets) if start <= at < start + 12 + len(BODIES[number])]
        assert found(tmp_path / "flip.seg") == [body for number, body in enumerate(BODIES) if number not in hit], at


def test_damage_is_told_with_its_place_and_length(tmp_path):
    """So that it can be counted and set aside."""
    segment = made(tmp_path / "1.seg")
    with (tmp_path / "1.seg").open("r+b") as file:
        file.seek(segment.offsets[1] + 20)
        file.write(b"rotten")
    again = Segment.open(tmp_path / "1.seg")
    damage = [(at, length) for kind, at, length in again.scan() if kind == DAMAGED]
    assert damage == [(segment.offsets[1], 312)]
    assert segment.body(segment.offsets[1]) == b""


def test_a_body_whose_head_was_never_written_is_torn_not_damaged(tmp_path):
    """The process died while it wrote; nobody was told that the record is safe."""
    segment = made(tmp_path / "1.seg")
    with (tmp_path / "1.seg").open("r+b") as file:
        file.seek(segment.at + 12)
        file.write(b"half a rec")
    assert [kind for kind, _, _ in Segment.open(tmp_path / "1.seg").scan()][-1] == TORN


def test_a_record_inside_a_record_is_no_record(tmp_path):
    """What users log cannot forge spans: another segment's bytes, with its own mark, are only a body here."""
    made(tmp_path / "1.seg")
    forged = (tmp_path / "1.seg").read_bytes()
    segment = made(tmp_path / "2.seg", [forged, b"after"], room=2 * len(forged))
    with (tmp_path / "2.seg").open("r+b") as file:
        file.seek(segment.offsets[0])
        file.write(b"\0" * 12)
    assert found(tmp_path / "2.seg") == [b"after"]


def test_what_is_settled_is_known_to_the_next_reader(tmp_path):
    """For each adapter for itself, gaps included, from the newest whole copy."""
    segment = made(tmp_path / "1.seg")
    segment.settle("a", Settled(2, ((0, 1),)))
    segment.settle("a", Settled(4, ((0, 1), (2, 3))))
    again = Segment.open(tmp_path / "1.seg")
    assert again.settled("a") == Settled(4, ((0, 1), (2, 3)))
    assert again.settled("b") == Settled(0, ())
    assert again.settled("a").owed(5) == [(0, 1), (2, 3), (4, 5)]
    assert again.settled("nobody") is None


def test_a_damaged_copy_of_a_slot_falls_back_on_the_one_before(tmp_path):
    """A torn write of what is settled costs one step, not all."""
    segment = made(tmp_path / "1.seg")
    segment.settle("a", Settled(2))
    before = (tmp_path / "1.seg").read_bytes()
    segment.settle("a", Settled(3))
    after = (tmp_path / "1.seg").read_bytes()
    place = next(i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y)
    (tmp_path / "2.seg").write_bytes(after[:place] + b"\xff" + after[place + 1 :])
    assert Segment.open(tmp_path / "2.seg").settled("a") == Settled(2)


def test_a_flip_of_any_byte_leaves_everything_owed_that_is_not_settled(tmp_path):
    """For an adapter that has settled nothing yet too: damage never makes one a stranger."""
    made(tmp_path / "1.seg").settle("b", Settled(2))
    data = (tmp_path / "1.seg").read_bytes()
    for at in range(128, 128 + 4 * 512):
        flipped = bytearray(data)
        flipped[at] ^= 0x55
        (tmp_path / "flip.seg").write_bytes(flipped)
        again = Segment.open(tmp_path / "flip.seg")
        assert (again.settled("a"), again.settled("b") in {Settled(0), Settled(2)}) == (Settled(0), True), at


def test_a_slot_that_is_damaged_in_both_copies_owes_everything(tmp_path):
    """To every adapter that is not found, since nobody can tell whose it was; what the first settles from now on is kept."""
    made(tmp_path / "1.seg").settle("b", Settled(2))
    data = bytearray((tmp_path / "1.seg").read_bytes())
    data[128 : 128 + 1024] = b"?" * 1024
    (tmp_path / "1.seg").write_bytes(data)
    again = Segment.open(tmp_path / "1.seg")
    assert [again.settled(name) for name in ("a", "b", "c")] == [Settled(0), Settled(2), Settled(0)]
    again.settle("a", Settled(3))
    again.settle("c", Settled(1))
    later = Segment.open(tmp_path / "1.seg")
    assert [later.settled(name) for name in ("a", "b", "c")] == [Settled(3), Settled(2), None]


def test_more_gaps_than_a_slot_can_say_count_as_not_settled(tmp_path):
    """Rather sent twice than not at all."""
    segment = made(tmp_path / "1.seg")
    gaps = tuple((2 * n, 2 * n + 1) for n in range(MAX_GAPS + 5))
    segment.settle("a", Settled(1000, gaps))
    told = Segment.open(tmp_path / "1.seg").settled("a")
    assert {n for start, end in told.owed(1000) for n in range(start, end)} >= {start for start, _ in gaps}


def test_a_segment_of_a_newer_version_is_refused_by_name(tmp_path):
    """Never misread: the error says which version it is and what to do."""
    import struct
    import zlib

    made(tmp_path / "1.seg")
    data = bytearray((tmp_path / "1.seg").read_bytes())
    for at in (0, 64):
        data[at + 8 : at + 10] = struct.pack("<H", 3)
        data[at + 28 : at + 32] = struct.pack("<I", zlib.crc32(data[at : at + 28]))
    (tmp_path / "1.seg").write_bytes(data)
    with pytest.raises(NewerVersionError, match="version 3"):
        Segment.open(tmp_path / "1.seg")


def test_a_version_that_one_copy_of_the_header_alone_tells_is_damage(tmp_path):
    """The other copy holds: a flipped bit does not make a segment a newer one."""
    made(tmp_path / "1.seg")
    data = bytearray((tmp_path / "1.seg").read_bytes())
    data[8] ^= 0x80
    (tmp_path / "1.seg").write_bytes(data)
    assert found(tmp_path / "1.seg") == BODIES


@pytest.mark.parametrize("whole", [b"\0" * 16, b"\xff" * 16], ids=["zeros", "ones"])
@pytest.mark.parametrize("at", [0, 64])
def test_a_process_that_dies_as_it_raises_the_version_leaves_a_whole_header(tmp_path, at, whole):
    """Whichever copy was being written: the other one is true."""
    segment = made(tmp_path / "1.seg")
    segment.admit(HELD)
    segment.put(HELD, b"\x01gheld")
    data = bytearray((tmp_path / "1.seg").read_bytes())
    data[at + 8 : at + 24] = whole
    (tmp_path / "1.seg").write_bytes(data)
    assert (found(tmp_path / "1.seg"), Segment.open(tmp_path / "1.seg").version) == ([*BODIES, b"\x01gheld"], 2)


@pytest.mark.parametrize(
    "content", [b"", b"short", bytes(9000), os.urandom(9000)], ids=["empty", "short", "zeros", "noise"]
)
def test_a_file_that_is_no_segment_is_said_to_be_damaged(tmp_path, content):
    """Whatever it holds."""
    (tmp_path / "1.seg").write_bytes(content)
    with pytest.raises(DamagedError):
        Segment.open(tmp_path / "1.seg")


def test_a_segment_without_a_file_lies_in_memory():
    """For the time that the disk is full."""
    segment = Segment.create(None, 4096, ["a"])
    at = segment.put(FINISHED, b"kept for now")
    assert (segment.path, segment.body(at)) == (None, b"kept for now")
