"""One segment of the disk journal: a preallocated file, mapped into memory, that is written from front to back.

Layout (little-endian):

    0      header, 64 bytes (`segment_header.py`)
    64     the same header again, for the case that the first is damaged
    128    slots: what each adapter has settled in this segment (`slots.py`)
    …      records: mark (4), length and kind (4), CRC-32 (4), body

A record's body is written before its head, so that a process that dies in between leaves nothing half visible. The mark is
random for each segment and never zero: behind damage the next record is found by it, and what a user logs cannot
forge one. The checksum covers length, kind and body. A file gets its name once its header is whole. A segment without a file
lies in anonymous memory, for the time that the disk is full, and can be given a file later.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import IntEnum
from pathlib import Path

from tracebridge.journal.segment_header import OLDEST, SLOTS_AT, DamagedError, Header, read_header
from tracebridge.journal.settled import SLOT_BYTES, Owner, Settled, Slot, name_hash, pack_slot, read_slots
from tracebridge.process.private_files import open_regular, read_regular
from tracebridge.records.record import Resource

_HEAD = struct.Struct("<4sII")
HEAD_BYTES = _HEAD.size
MAX_BODY = (1 << 28) - 1  # bytes of one record
UNBORN = ".new"


class RecordKind(IntEnum):
    """What a record of the journal says."""

    FINISHED = 1
    """A finished span: what is delivered."""
    STARTED = 2
    """A span as it was opened; known under its IDs until it finishes."""
    CHANGED = 3
    """What was set on an open span since."""
    RESOURCE = 4
    """The resource of the process that writes: the first record of every segment."""
    VOID = 5
    """Of an open span, and no longer true."""
    HELD = 6
    """A finished span about which a stage has not decided yet, behind the key that it will decide under (its length, one byte, first)."""


FINISHED, STARTED, CHANGED, RESOURCE, VOID, HELD = (int(kind) for kind in RecordKind)
SINCE = {HELD: 2}
"""The version of a segment that a kind of record needs, where that is not the first."""
DAMAGED = 0  # what a scan calls a stretch that is not a record
TORN = -1  # and a body at the very end whose head was never written: it was never reported as safe


class Segment:
    """A segment that is being written, or was written and is being read. Changed under the journal's lock."""

    __slots__ = (
        "_fd", "_header", "_mark", "_memory", "_salt", "_slot_of", "at", "begin", "first", "offsets", "path", "resource", "size"
    )  # fmt: skip

    def __init__(self, memory: mmap.mmap, path: Path | None, fd: int, header: Header):
        self.path = path
        """None for a segment that lies in memory only."""
        self.size = len(memory)
        """Bytes that it takes."""
        self.first = 0
        """The journal position of its first finished record."""
        self.offsets = array("I")
        """Where its finished records stand."""
        self.at = header.begin
        """Where the next record goes."""
        self.begin = header.begin
        self.resource: Resource | None = None
        """What the records of an adopted segment come from; None in one of our own."""
        self._memory = memory
        self._fd = fd
        self._header = header
        self._salt = header.salt
        self._mark = header.mark
        self._slot_of: dict[bytes, tuple[int, int]] = {}
        """By the hash of an adapter's name: its slot, and the generation of what is written there."""

    # ------------------------------------------------------------------ making and opening

    @classmethod
    def create(cls, path: Path | None, size: int, adapters: Sequence[Owner]) -> Segment:
        """Make a segment of `size` bytes, `overhead` included, all of its disk space taken now.

        Writing into a sparse mapping on a full disk would kill the process (SIGBUS); here a full disk is an OSError. Without a path the
        segment lies in memory.
        """
        fd, memory = (-1, mmap.mmap(-1, size)) if path is None else _mapped(path.with_suffix(UNBORN), size)
        mark = bytes(secrets.choice(range(1, 256)) for _ in range(4))
        header = Header(OLDEST, max(1, len(adapters)), secrets.randbits(32), mark)
        header.write(memory)
        segment = cls(memory, None, fd, header)
        for number, name in enumerate(adapters):
            segment._slot_of[name_hash(name)] = (number, 0)
            for _ in range(2):  # both copies: one damaged bit must not make an adapter a stranger here
                segment.settle(name, Settled())
        if path is not None:
            segment._name(path)
        return segment

    @staticmethod
    def overhead(adapters: int) -> int:
        """Return how many bytes a segment for so many adapters needs beside its records."""
        return SLOTS_AT + max(1, adapters) * 2 * SLOT_BYTES

    def move_to(self, path: Path) -> None:
        """Give a segment that lies in memory a file. Raises OSError and stays as it is."""
        fd, memory = _mapped(path.with_suffix(UNBORN), self.size)
        memory[: self.at] = self._memory[: self.at]
        self._memory, self._fd = memory, fd
        self._name(path)

    def lose_file(self) -> None:
        """Somebody has deleted the file: from now on the segment lies in memory."""
        self.release()
        self.path = None

    def _name(self, path: Path) -> None:
        """Give the file its name, once it is whole."""
        path.with_suffix(UNBORN).rename(path)
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Segment:
        """Open a segment whose writer is dead, and whose folder is ours. Raises DamagedError when it cannot be understood, OSError."""
        fd = open_regular(path, os.O_RDWR)
        try:
            if os.fstat(fd).st_size < SLOTS_AT:
                raise DamagedError("it ends before its header does")
            memory = mmap.mmap(fd, 0)
            header = read_header(memory)
        except BaseException:
            os.close(fd)
            raise
        return cls(memory, path, fd, header)

    @classmethod
    def copy(cls, path: Path) -> Segment:
        """Read a segment into memory, to look at: its owner may cut the file meanwhile. Raises as `open` does."""
        data = read_regular(path)
        if len(data) < SLOTS_AT:
            raise DamagedError("it ends before its header does")
        memory = mmap.mmap(-1, len(data))
        memory[:] = data
        return cls(memory, path, -1, read_header(memory))

    # ------------------------------------------------------------------ writing

    @property
    def room(self) -> int:
        """Bytes left for records, their heads included."""
        return self.size - self.at

    @property
    def is_own(self) -> bool:
        """Whether this process has written it."""
        return self.resource is None

    @property
    def end(self) -> int:
        """The journal position after its last finished record."""
        return self.first + len(self.offsets)

    @property
    def version(self) -> int:
        """Whoever reads this version understands the segment."""
        return self._header.version

    def admit(self, kind: int) -> None:
        """Say, before the first record of a kind that not every version knows is put here, that its readers have to know it."""
        needed = SINCE.get(kind, OLDEST)
        if needed > self.version:
            self._header = replace(self._header, version=needed)
            self._header.write(self._memory)

    def put(self, kind: int, body: bytes) -> int:
        """Write a record and return where it stands. The caller has made sure of the room."""
        at = self.at
        start = at + HEAD_BYTES
        end = start + len(body)
        word = len(body) << 4 | kind
        memory = self._memory
        memory[start:end] = body
        _HEAD.pack_into(memory, at, self._mark, word, zlib.crc32(body, self._salt ^ word))
        self.at = end
        return at

    def invalidate(self, at: int) -> None:
        """Mark the record of an open span at this place as no longer true."""
        body = self.body(at)
        word = len(body) << 4 | VOID
        _HEAD.pack_into(self._memory, at, self._mark, word, zlib.crc32(body, self._salt ^ word))

    def settle(self, adapter: Owner, settled: Settled) -> None:
        """Write down what an adapter has settled here, beside the older copy of the same."""
        key = name_hash(adapter)
        if key not in self._slot_of:
            return
        number, generation = self._slot_of[key]
        generation += 1
        self._slot_of[key] = (number, generation)
        at = SLOTS_AT + (2 * number + generation % 2) * SLOT_BYTES
        self._memory[at : at + SLOT_BYTES] = pack_slot(key, generation, settled, self._salt)

    def handle(self) -> int:
        """Return a file descriptor of its own to sync the file by, or -1; the caller closes it."""
        return os.dup(self._fd) if self._fd >= 0 else -1

    # ------------------------------------------------------------------ reading

    def body(self, at: int) -> bytes:
        """Return the body of the record at this place; empty bytes, which no body is, when it is damaged."""
        mark, word, checksum = _HEAD.unpack_from(self._memory, at)
        start = at + HEAD_BYTES
        body = self._memory[start : start + (word >> 4)]
        if mark != self._mark or zlib.crc32(body, self._salt ^ word) != checksum:
            return b""
        return body

    def length(self, at: int) -> int:
        """Return how many bytes the record at this place takes, its head included."""
        return HEAD_BYTES + int(_HEAD.unpack_from(self._memory, at)[1] >> 4)

    def settled(self, adapter: Owner) -> Settled | None:
        """Return what an adapter has settled here; None when the segment does not know it."""
        written, key = self.written(), name_hash(adapter)
        found = written.get(key)
        if found is None:
            return self._presumed(key, {slot.number for slot in written.values()})
        self._slot_of[key] = (found.number, found.generation)
        return found.settled

    def rename(self, before: Owner, after: Owner) -> int:
        """Let one adapter take over what another is owed here; return how many records that is.

        Between the two copies of what is written both are owed them: rather sent twice than not at all.
        """
        old, new = self.settled(before), self.settled(after)
        if old is None:
            return 0
        if new is not None:
            self.settle(after, old.merged_with(new))
            self.settle(before, Settled(len(self.offsets)))
        else:
            self._slot_of[name_hash(after)] = self._slot_of.pop(name_hash(before))
            for _ in range(2):
                self.settle(after, old)
        return old.owes(len(self.offsets))

    def _presumed(self, adapter: bytes, whole: set[int]) -> Settled | None:
        """Return what to think of an adapter that no whole slot names: None, unless a slot is damaged in both copies.

        Whose that one was cannot be told, so everything is owed: rather sent twice than not at all.
        """
        others = [slot for slot in range(self._header.slots) if slot not in whole]
        at = {slot: SLOTS_AT + 2 * slot * SLOT_BYTES for slot in others}
        damaged = [slot for slot in others if any(self._memory[at[slot] : at[slot] + 2 * SLOT_BYTES])]
        if not damaged:
            return None
        if adapter not in self._slot_of:
            taken = {slot for slot, _ in self._slot_of.values()}
            free = next((slot for slot in [*damaged, *others] if slot not in taken), None)
            if free is not None:
                self._slot_of[adapter] = (free, 0)
        return Settled()

    def owed(self, but: Sequence[Owner] = ()) -> dict[bytes, int]:
        """Return how many records are still to go to each adapter, by the hash of its name, but for some."""
        spared = {name_hash(adapter) for adapter in but}
        count = len(self.offsets)
        owing = {key: slot.settled.owes(count) for key, slot in self.written().items() if key not in spared}
        return {key: owed for key, owed in owing.items() if owed}

    def written(self) -> dict[bytes, Slot]:
        """Return what is written of adapters, by the hash of their names."""
        return read_slots(self._memory[SLOTS_AT : self.begin], self._salt)

    def scan(self) -> Iterator[tuple[int, int, int]]:
        """Yield (kind, offset, length) of every whole record, and of the stretches that are not records (DAMAGED, TORN).

        Nothing is trusted: a record counts when its mark and checksum agree, and behind damage the search goes on for
        the next one that does.
        """
        memory, mark, salt = self._memory, self._mark, self._salt
        at = good = self.begin
        while 0 <= at <= self.size - HEAD_BYTES:
            _, word, checksum = _HEAD.unpack_from(memory, at)
            end = at + HEAD_BYTES + (word >> 4)
            if (
                memory[at : at + 4] == mark
                and end <= self.size
                and zlib.crc32(memory[at + HEAD_BYTES : end], salt ^ word) == checksum
            ):
                if good < at:
                    yield DAMAGED, good, at - good
                yield word & 15, at, end - at
                at = good = end
            elif word == 0 and checksum == 0 and memory.find(mark, at) < 0:
                break
            else:
                at = memory.find(mark, at + 1)
        rest = memory[good : self.size]
        used = len(rest.rstrip(b"\0"))
        if used:
            unpublished = len(rest) >= HEAD_BYTES and not any(rest[:HEAD_BYTES])
            yield TORN if unpublished else DAMAGED, good, used

    def raw(self, at: int, length: int) -> bytes:
        """Return bytes as they stand, to set a damaged stretch aside."""
        return self._memory[at : at + length]

    # ------------------------------------------------------------------ the end

    def trim(self) -> None:
        """Give back the disk space that no record took. Only for a segment that is ours and takes no more records."""
        if self.path is None or self.at >= self.size:
            return
        try:
            fd = open_regular(self.path, os.O_RDWR)
        except OSError:  # somebody has deleted it
            return
        try:
            os.ftruncate(fd, self.at)
            self._memory, self.size = mmap.mmap(fd, self.at), self.at
        except OSError:  # a failing disk, or no room for another mapping: it stays as long as it is
            return
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Delete the file. Who still reads the mapping may go on."""
        self.release()
        if self.path is not None:
            with contextlib.suppress(
                OSError
            ):  # gone, or the disk is failing: what is left says itself that it is settled
                self.path.unlink()

    def release(self) -> None:
        """Close the file; the mapping goes with its last reader."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def unmap(self) -> None:
        """Let go of a parent's segment in a forked child, which does not read it: the child is not to hold its space."""
        self.release()
        with contextlib.suppress(BufferError):  # somebody was just reading it as the process forked
            self._memory.close()


def _mapped(path: Path, size: int) -> tuple[int, mmap.mmap]:
    """Make a file whose space is taken and map it. Raises OSError, and leaves nothing then."""
    fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        _allocate(fd, size)
        return fd, mmap.mmap(fd, size)
    except BaseException:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise


def _allocate(fd: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    block = bytes(2**20)  # macOS: write it, so that the space is really taken
    while size > 0:
        size -= os.write(fd, block[:size])
