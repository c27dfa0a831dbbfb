"""The journal on disk: what is in it survives the process, down to `kill -9`.

Every process writes into a folder of its own (`folder.py`), segment after segment (`segment.py`). A segment goes when every
adapter has settled all of it; each segment carries what each adapter has settled in it, so that whoever finds it knows what is
still owed. What a dead process left is taken over segment by segment (`adopt`) and queues up like anything else.

Where the disk has no room, records go to segments in memory for a while (counted: they would not survive), before the oldest is
dropped.
"""

from __future__ import annotations

import logging
import os
import threading
from array import array
from collections.abc import Hashable
from itertools import islice
from pathlib import Path
from typing import Literal

from tracebridge.accounts import Accounts, JournalStats
from tracebridge.journal.base import Claim, encode_record
from tracebridge.journal.folder import Folder
from tracebridge.journal.segment import (
    CHANGED,
    FINISHED,
    HEAD_BYTES,
    MAX_BODY,
    RESOURCE,
    STARTED,
    Range,
    Segment,
    Settled,
    StoredBodies,
)
from tracebridge.journal.segmented import (
    DROPPED_CLOSED,
    DROPPED_FULL,
    SEGMENTS_IN_FULL,
    SegmentedCursor,
    SegmentedJournal,
)
from tracebridge.record import Resource

FIRST_SEGMENT = 2**20  # bytes; each is twice the one before it, so that a small program takes little
LARGEST_SEGMENT = 32 * 2**20
MEMORY_BYTES = 64 * 2**20  # most that lies in memory while the disk is full
MEMORY_SEGMENT = 2**20  # how soon the disk is tried again
CARRIED_AT_ONCE = 512  # start records moved out of an old segment under one lock

_log = logging.getLogger("tracebridge.journal")

_Place = tuple[Segment, int, int]
"""Where a record of an open span stands: segment, offset, kind."""


class DiskCursor(SegmentedCursor[Segment]):
    """One adapter's place in a disk journal; what it settles is written down in the segments."""

    _journal: DiskJournal

    def __init__(self, journal: DiskJournal, name: str, position: int) -> None:
        super().__init__(journal, name, position)
        self._ahead = 0
        """Records after `position` that were settled before they were adopted."""
        self._owed: dict[int, list[Range]] = {}
        """For adopted segments, by their first position: what is owed and not yet claimed, as journal positions."""

    @property
    def ready(self) -> int:
        """How many records wait to be claimed."""
        return self._journal.end - self.position - self._ahead

    def adopt(self, segment: Segment) -> int:
        """Owe what this adapter has not settled in an adopted segment; return how many records that is."""
        settled = segment.settled(self.name)
        count = len(segment.offsets)
        ranges = [] if settled is None else settled.owed(count)
        owed = sum(end - start for start, end in ranges)
        self._owed[segment.first] = [(segment.first + start, segment.first + end) for start, end in ranges]
        self._ahead += count - owed
        self.skip()
        return owed

    def skip(self) -> None:
        """Move over what is settled already."""
        while self._ahead:
            segment = self._journal.segment_at(self.position)
            ranges = self._owed.get(segment.first) if segment is not None else None
            if segment is None or ranges is None:
                return
            while ranges and ranges[0][1] <= self.position:
                ranges.pop(0)
            target = max(self.position, ranges[0][0]) if ranges else segment.end
            self._ahead -= target - self.position
            self.position = target
            if ranges:
                return

    def stretch(self) -> tuple[Segment, int] | None:
        """Return the segment at this place and up to which position it is owed without a break."""
        segment = self._journal.segment_at(self.position)
        if segment is None:
            return None
        ranges = self._owed.get(segment.first) or []
        while ranges and ranges[0][1] <= self.position:
            ranges.pop(0)
        return segment, ranges[0][1] if ranges else segment.end

    def claim(self, most: int, max_bytes: int) -> Claim | None:
        """Take up to `most` records of one segment, in order."""
        claim = super().claim(most, max_bytes)
        self.skip()
        return claim

    def settle(self, claim: Claim, spans: int) -> None:
        """Take so many of a claim's records, the first that are left, off the queue, and write that down."""
        super().settle(claim, spans)
        segment = self._journal.segment_at(claim.first)
        if segment is not None:  # else it was dropped meanwhile
            self._write(segment)
            self._journal.reclaim()

    def _write(self, segment: Segment) -> None:
        first, end = segment.first, segment.end
        gaps = [
            (claim.first + len(claim.records) - claim.unsettled - first, claim.first + len(claim.records) - first)
            for claim in self._claims.values()
            if first <= claim.first < end
        ]
        owed = self._owed.get(first)
        taken = min(self.position, end) - first
        if owed is not None:
            taken = end - first
            gaps += [(max(start, self.position) - first, stop - first) for start, stop in owed if stop > self.position]
        segment.settle(self.name, Settled(taken, tuple(sorted(gaps))))

    def abandon(self) -> int:
        """Give up what lies in memory; the rest waits on the disk for the next process."""
        lost = 0
        for segment in self._journal.in_memory():
            lost += max(0, segment.end - max(segment.first, self.position))
            lost += sum(
                claim.unsettled for claim in self._claims.values() if segment.first <= claim.first < segment.end
            )
        self._given_up = lost
        self._journal.lock.notify_all()
        return lost

    _given_up = 0

    @property
    def queued(self) -> int:
        """How many records are ready or in flight; after the end, how many wait on the disk."""
        return self.ready + self._in_flight - self._given_up

    def lose(self, segment: Segment) -> None:
        """Skip what is left of a segment that the journal has to forget, and count it."""
        if self.position >= segment.end:
            self._owed.pop(segment.first, None)
            return
        owed = self._owed.pop(segment.first, None)
        start = max(self.position, segment.first)
        lost = segment.end - start
        if owed is not None:
            lost = sum(stop - max(begin, start) for begin, stop in owed if stop > start)
            self._ahead -= segment.end - start - lost
        self._dropped[DROPPED_FULL] += lost
        self.position = segment.end
        self.skip()


class DiskJournal(SegmentedJournal[Segment]):
    """An append-only log in a directory. `max_bytes` bounds what this process keeps there, in whole segments."""

    keeps_open = True

    def __init__(
        self,
        accounts: Accounts,
        directory: Path,
        resource: Resource,
        *,
        max_bytes: int,
        on_full: Literal["drop_oldest", "block"] = "drop_oldest",
        block_timeout_s: float = 1.0,
        fsync: Literal["never", "interval", "always"] = "interval",
    ) -> None:
        super().__init__(accounts, max_bytes=max_bytes, on_full=on_full, block_timeout_s=block_timeout_s)
        self.directory = directory
        self.commits = fsync == "always"
        self.in_memory_only = 0
        """How many records lay, or lie, in memory because the disk had no room."""
        self.last_error = ""
        """What the disk said last."""
        self.folder: Folder | None = None
        self._resource = encode_record(resource)
        self._current: Segment | None = None
        self._free = 0
        self._next_bytes = FIRST_SEGMENT
        self._largest = min(LARGEST_SEGMENT, max(1, max_bytes // SEGMENTS_IN_FULL))
        self._open: dict[Hashable, list[_Place]] = {}
        self._dropped: list[Segment] = []
        """Segments that had to go while spans that are open had their records in them."""
        self.starts_lost = 0
        """How many open spans would not be known after a crash, because there was no room for them."""
        self._unsynced: list[Segment] = []
        self._sync_lock = threading.Lock()
        self._synced_to = 0
        self._adopted: dict[int, Folder] = {}
        """The folder that an adopted segment stands in, by `id` of the segment."""

    def cursor(self, name: str) -> DiskCursor:
        """Return a new cursor at the end of the log."""
        cursor = DiskCursor(self, name, self.end)
        self._cursors.append(cursor)
        return cursor

    # ------------------------------------------------------------------ writing

    def append(self, data: bytes, key: Hashable = None) -> None:
        """Add one finished record, making room first when there is none."""
        if self._put(FINISHED, data):
            self.end += 1
            if self.end >= self._wake_at:
                self._wake()
        if key is not None:
            self._open.pop(key, None)

    def started(self, key: Hashable, data: bytes) -> None:
        """Remember an open span."""
        if self._put(STARTED, data):
            self._open[key] = [self._last]

    def changed(self, key: Hashable, data: bytes) -> None:
        """Remember what was set on an open span."""
        places = self._open.get(key)
        if places is not None and self._put(CHANGED, data):
            places.append(self._last)

    def forget(self, key: Hashable) -> None:
        """Remember no longer that a span is open."""
        self._open.pop(key, None)

    def _put(self, kind: int, data: bytes) -> bool:
        need = len(data) + HEAD_BYTES
        if need > self._free and not self._next_segment(need):
            if kind == FINISHED:
                self._lose_record(DROPPED_CLOSED if self._closed else DROPPED_FULL)
            return False
        segment = self._current
        assert segment is not None  # noqa: S101 - there is room, so there is a segment
        at = segment.put(kind, data)
        self._free -= need
        if kind == FINISHED:
            segment.offsets.append(at)
            if segment.path is None:
                self.in_memory_only += 1
        else:
            self._last = (segment, at, kind)
        return True

    _last: _Place

    def _next_segment(self, need: int) -> bool:
        """Begin a segment with room for so many bytes; False when there is no room for them anywhere.

        May wait and release the lock meanwhile, so that another thread may have begun one.
        """
        self._seal()
        need_all = need + len(self._resource) + HEAD_BYTES
        size = max(need_all, min(self._next_bytes, self._largest))
        while not self._closed and need <= MAX_BODY and need_all <= self._max_bytes:
            self.reclaim()
            if self._size + size > self._max_bytes:
                self._make_room(size)
            if self._free >= need:
                return True
            segment = None if self._closed else self._create(size)
            if segment is not None:
                self._begin_segment(segment)
                return True
            if size > max(need_all, MEMORY_SEGMENT):
                size = max(need_all, MEMORY_SEGMENT)  # a smaller one may fit
            elif sum(held.size for held in self.in_memory()) + size <= MEMORY_BYTES:
                self._begin_segment(Segment.create(None, size, self.names))
                return True
            elif not self._wait_for_less() and not self._drop_oldest():
                break
        return self._free >= need

    def _create(self, size: int) -> Segment | None:
        """Return a new segment on the disk, or None, noted, when the disk says no."""
        try:
            if self.folder is None:
                self.folder = Folder.create(self.directory)
            segment = Segment.create(self.folder.next_path(), size, self.names)
        except OSError as error:
            if not self.last_error:
                _log.warning(
                    "the journal cannot write in %s (%s); spans are kept in memory for now and would not survive this process",
                    self.directory,
                    error,
                )
            self.last_error = str(error)
            return None
        if self.last_error:
            _log.info("the journal writes in %s again", self.directory)
            self.last_error = ""
        self._next_bytes = 2 * size
        return segment

    def _wait_for_less(self) -> bool:
        """Wait, where that is wanted, for a segment to go; return whether one went."""
        before = self._size
        if self._block_timeout_s:
            self._wait_for(lambda: self._size < before)
        return self._size < before

    def _begin_segment(self, segment: Segment) -> None:
        segment.put(RESOURCE, self._resource)
        segment.first = self.end
        self._segments.append(segment)
        self._size += segment.size
        self._current = segment
        self._free = segment.room
        self._unsynced.append(segment)
        for dropped in self._dropped:  # what was open in them gets half of the room; this is a full journal
            self._carry(dropped, segment.room // 2, most=None)
        self._dropped.clear()

    def _seal(self) -> None:
        """Write no more into the current segment."""
        self._current = None
        self._free = 0

    def _carry(self, oldest: Segment, room: int, most: int | None = CARRIED_AT_ONCE) -> bool:
        """Copy the records of spans that are open out of a segment into the current one; False when some are left."""
        moved = []
        for key, places in islice(self._open.items(), most):  # in the order of their first records
            if places[0][0] is not oldest:
                break
            moved.append(key)
        for key in moved:
            records = [(kind, segment.body(at)) for segment, at, kind in self._open[key]]
            size = sum(len(body) + HEAD_BYTES for _, body in records)
            if size > min(room, self._free):
                if most is not None:
                    return False
                del self._open[key]
                self.starts_lost += 1
                continue
            room -= size
            del self._open[key]
            copies = [self._last for kind, body in records if body and self._put(kind, body)]
            if copies:
                self._open[key] = copies
        return most is None or len(moved) < most

    # ------------------------------------------------------------------ reading

    def segment_at(self, position: int) -> Segment | None:
        """Return the segment that holds a position; None when it was forgotten or is not written yet."""
        for segment in self._segments:
            if segment.first <= position < segment.end:
                return segment
        return None

    def in_memory(self) -> list[Segment]:
        """Return the segments that are not on the disk."""
        return [segment for segment in self._segments if segment.path is None]

    def read(self, cursor: SegmentedCursor[Segment], most: int, max_bytes: int) -> Claim | None:
        """Return up to `most` records at a cursor, from one segment, together of about `max_bytes`."""
        assert isinstance(cursor, DiskCursor)  # noqa: S101 - `cursor` makes no others
        found = cursor.stretch()
        if found is None:
            return None
        segment, stop = found
        start = cursor.position - segment.first
        offsets: array[int] = segment.offsets[start : min(stop - segment.first, start + most)]
        most = 1
        while most < len(offsets) and offsets[most] - offsets[0] < max_bytes:
            most = min(len(offsets), 2 * most)
        bodies = StoredBodies(segment, offsets[:most])
        return Claim(cursor.position, bodies, 0.0, len(bodies), segment.resource)

    # ------------------------------------------------------------------ forgetting

    def reclaim(self) -> None:
        """Remove the oldest segments that every adapter has settled."""
        freed = False
        while self._segments:
            oldest = self._segments[0]
            if oldest is self._current or any(cursor.settled_to < oldest.end for cursor in self._cursors):
                break
            if not self._carry(oldest, self._free):
                break
            self._forget_oldest()
            freed = True
        if freed and self._block_timeout_s:
            self.lock.notify_all()

    def _forget_oldest(self) -> Segment | None:
        if not self._segments or self._segments[0] is self._current:
            return None
        oldest = self._segments.popleft()
        self._size -= oldest.size
        oldest.remove()
        if self._open and next(iter(self._open.values()))[0][0] is oldest:
            self._dropped.append(oldest)
        if oldest in self._unsynced:
            self._unsynced.remove(oldest)
        folder = self._adopted.pop(id(oldest), None)
        if folder is not None:
            folder.pending -= 1
            if not folder.pending:
                folder.release()
        return oldest

    # ------------------------------------------------------------------ what a dead process left

    def room_for(self, segment: Segment) -> bool:
        """Return whether a segment can be adopted without driving out what is here."""
        return self._size + segment.size + self._largest <= self._max_bytes or not self._adopted

    def adopt(self, segment: Segment, folder: Folder) -> dict[str, int]:
        """Queue a dead process's segment; return how many of its records each adapter had not settled."""
        self._seal()
        segment.first = self.end
        self._segments.append(segment)
        self._size += segment.size
        self._adopted[id(segment)] = folder
        self.end += len(segment.offsets)
        owed = {cursor.name: cursor.adopt(segment) for cursor in self._cursors if isinstance(cursor, DiskCursor)}
        for name, spans in owed.items():
            self.accounts.adapters[name].adopted += spans
        self._wake()
        self.reclaim()
        return owed

    # ------------------------------------------------------------------ to the disk itself

    def commit(self) -> None:
        """Wait until what was appended so far is on the disk itself; calls from many threads share one wait."""
        with self.lock:
            position = self.end
        with self._sync_lock:
            if self._synced_to < position:
                self.sync()

    def sync(self) -> None:
        """Write what is not there yet to the disk itself."""
        with self.lock:
            position = self.end
            handles = [handle for segment in self._unsynced if (handle := segment.handle()) >= 0]
            self._unsynced = [self._current] if self._current is not None else []
        try:
            for handle in handles:
                os.fsync(handle)  # writes mapped pages too, and unlike mmap.flush() lets other threads run meanwhile
        except OSError as error:
            _log.warning("the journal in %s cannot be synced: %s", self.directory, error)
            self.last_error = str(error)
        finally:
            for handle in handles:
                os.close(handle)
        self._synced_to = position

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Take nothing more; leave on the disk what is not settled, for the next process."""
        super().close()
        self._seal()
        self.reclaim()
        for segment in self._segments:
            segment.release()
        for folder in {id(folder): folder for folder in self._adopted.values()}.values():
            folder.release()
        if self.folder is not None:
            self.folder.release()

    def after_fork_in_child(self) -> None:
        """Let go of the parent's locks; its segments stay mapped here and are never written."""
        for folder in [self.folder, *self._adopted.values()]:
            if folder is not None:
                folder.close()
        for segment in self._segments:
            segment.release()

    def stats(self) -> JournalStats:
        """Return what the journal holds. Locked."""
        return JournalStats(self._size, self.in_memory_only, self.starts_lost, self.last_error)

    @property
    def names(self) -> list[str]:
        """The adapters' names."""
        return [cursor.name for cursor in self._cursors]
