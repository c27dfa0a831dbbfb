"""The journal on disk: what is in it survives the process, down to `kill -9`.

Every process writes into a folder of its own (`folder.py`), segment after segment (`segment.py`). A segment goes when every
adapter has settled all of it; each segment carries what each adapter has settled in it, so that whoever finds it knows what is
still owed. What a dead process left is taken over segment by segment (`adopt`) and delivered beside what ends here (`backlog.py`).

Where the disk has no room, records go to segments in memory for a while (counted: they would not survive) and to the disk once it has
room again, before the oldest is dropped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tracebridge.journal.accounts import Accounts, JournalStats
from tracebridge.journal.adoption import Left
from tracebridge.journal.backlog import Backlog
from tracebridge.journal.base import encode_record
from tracebridge.journal.cursor import DiskCursor, StoredLog, StoredRun, stored_run
from tracebridge.journal.folder import Folder
from tracebridge.journal.log_base import (
    DROPPED_CLOSED,
    DROPPED_FULL,
    SEGMENTS_IN_FULL,
)
from tracebridge.journal.open_spans import OpenSpans, Place
from tracebridge.journal.segment import CHANGED, FINISHED, HEAD_BYTES, MAX_BODY, RESOURCE, STARTED, Segment
from tracebridge.journal.segment_files import Files
from tracebridge.journal.syncing import Syncer
from tracebridge.records.record import Resource

FIRST_SEGMENT = 2**20  # bytes; each is twice the one before it, so that a small program takes little
LARGEST_SEGMENT = 32 * 2**20
MEMORY_BYTES = 64 * 2**20  # most that lies in memory while the disk is full
MEMORY_SEGMENT = 2**20  # how soon the disk is tried again


@dataclass
class Found:
    """What was found in the directory, for the numbers."""

    waiting: int = 0
    left_alone: int = 0
    damaged: int = 0
    torn: int = 0
    looked: bool = False
    unclaimed: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


class DiskJournal(StoredLog):
    """An append-only log in a directory. `max_bytes` bounds what this process keeps there, in whole segments."""

    __slots__ = ("_current", "_free")

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
        self.found = Found()
        self._in_memory_only = 0
        self._resource = encode_record(resource)
        self._current: Segment | None = None
        self._free = 0
        self._next_bytes = FIRST_SEGMENT
        self._largest = min(LARGEST_SEGMENT, max(1, max_bytes // SEGMENTS_IN_FULL))
        self._open = OpenSpans(self._put_open)
        self._disk_cursors: list[DiskCursor] = []
        self._homeless: list[Segment] = []
        """Segments that had to go while spans that are open had their records in them."""
        self.backlog = Backlog(lambda: self._disk_cursors, max_bytes)
        self._files = Files(directory, lambda: self.names, moved=lambda segment: self._syncer.begin(segment))  # noqa: PLW0108 - it is made below
        self._syncer = Syncer(self.lock, lambda: self.end, self._files.note_sync)

    def cursor(self, name: str) -> DiskCursor:
        """Return a new cursor at the end of the log."""
        cursor = DiskCursor(self, name, self.end)
        self._cursors.append(cursor)
        self._disk_cursors.append(cursor)
        return cursor

    @property
    def open_spans(self) -> OpenSpans:
        """Where the records of open spans stand."""
        return self._open

    @property
    def folder(self) -> Folder | None:
        """The folder that this process writes in, once there is something to write."""
        return self._files.folder

    @property
    def names(self) -> list[str]:
        """The adapters' names."""
        return [cursor.name for cursor in self._cursors]

    # ------------------------------------------------------------------ writing

    def append(self, data: bytes, key: Hashable = None) -> None:
        """Add one finished record, making room first when there is none."""
        need = len(data) + HEAD_BYTES
        if need > self._free and not self._next_segment(need):
            self._lose_record(DROPPED_CLOSED if self._closed else DROPPED_FULL)
            self._open.invalidate(key)
            return
        segment = self._current
        assert segment is not None  # noqa: S101 - there is room, so there is a segment
        segment.offsets.append(segment.put(FINISHED, data))
        self._free -= need
        self.end += 1
        if segment.path is None:
            self._in_memory_only += 1
        if key is not None:
            self._open.done(key)
        if self.end >= self._wake_at:
            self._wake()

    def started(self, key: Hashable, data: bytes) -> None:
        """Remember an open span."""
        need = len(data) + HEAD_BYTES
        segment = self._current
        if need > self._free or segment is None:
            self._open.begin(key, data)
        else:  # the same in one piece, for the hot path
            self._free -= need
            self._open.places[key] = [(segment, segment.put(STARTED, data))]

    def changed(self, key: Hashable, data: bytes) -> None:
        """Remember what was set on an open span."""
        self._open.change(key, CHANGED, data)

    def hold(self, key: Hashable, group: bytes, data: bytes) -> None:
        """Remember a finished record that no cursor is given yet."""
        self._open.hold(key, bytes([len(group)]) + group + data)

    def forget(self, key: Hashable) -> None:
        """Remember no longer that a span is open, or held."""
        self._open.invalidate(key)

    def _put_open(self, kind: int, data: bytes) -> Place | None:
        need = len(data) + HEAD_BYTES
        if need > self._free and not self._next_segment(need):
            return None
        segment = self._current
        assert segment is not None  # noqa: S101 - there is room, so there is a segment
        self._free -= need
        segment.admit(kind)
        return segment, segment.put(kind, data)

    def _next_segment(self, need: int) -> bool:
        """Begin a segment with room for so many bytes; False when the disk is full.

        May wait and release the lock meanwhile, so that another thread may have begun one.
        """
        self._seal()
        deadline = self._deadline()
        least = need + len(self._resource) + HEAD_BYTES + Segment.overhead(len(self._cursors))
        size = max(least, min(self._next_bytes, self._largest))
        while not self._closed and need <= MAX_BODY and least <= self._max_bytes:
            self.reclaim()
            self._make_room(size, deadline)
            if self._free >= need:
                return True
            segment = None if self._closed else self._files.create(size, self.in_memory())
            if segment is not None:
                self._next_bytes = 2 * size
                self._begin_segment(segment)
                return True
            if size > max(least, MEMORY_SEGMENT):
                size = max(least, MEMORY_SEGMENT)  # a smaller one may fit
            elif sum(held.size for held in self.in_memory()) + size <= MEMORY_BYTES:
                self._begin_segment(Segment.create(None, size, self.names))
                return True
            elif not self._wait_for_less(deadline) and not self._drop_oldest():
                break
        return self._free >= need

    def _wait_for_less(self, deadline: float) -> bool:
        """Wait, at most until the deadline, for a segment to go; return whether one went."""
        before = self._size
        self._wait_for(lambda: self._size < before, deadline)
        return self._size < before

    def _begin_segment(self, segment: Segment) -> None:
        segment.put(RESOURCE, self._resource)
        segment.first = self.end
        self._segments.append(segment)
        self._size += segment.size
        self._current = segment
        self._free = segment.room
        self._syncer.begin(segment)
        homeless, self._homeless = self._homeless, []
        for gone in homeless:  # what was open in them gets half of the room; this is a full journal
            self._open.carry(gone, min(self._free, segment.room // 2), most=None)

    def _seal(self) -> None:
        """Write no more into the current segment."""
        self._current = None
        self._free = 0

    # ------------------------------------------------------------------ reading

    def in_memory(self) -> list[Segment]:
        """Return the segments of this process that are not on the disk."""
        return [segment for segment in self._segments if segment.path is None]

    def read(self, position: int, most: int, max_bytes: int) -> list[StoredRun]:
        """Return up to `most` records from a position on, over as many segments as it takes, together of about `max_bytes`."""
        runs: list[StoredRun] = []
        for segment in self._segments:
            if most <= 0 or max_bytes <= 0:
                break
            if segment.end <= position:
                continue
            start = position - segment.first
            run = stored_run(segment, start, start + most, max_bytes)
            runs.append(run)
            position += len(run.records)
            if position < segment.end:
                break
            most -= len(run.records)
            max_bytes -= run.bytes
        return runs

    # ------------------------------------------------------------------ forgetting

    def reclaim(self) -> None:
        """Remove the oldest segments that every adapter has settled."""
        freed = False
        while self._segments:
            oldest = self._segments[0]
            if oldest is self._current or any(cursor.settled_to < oldest.end for cursor in self._cursors):
                break
            if not self._open.carry(oldest, self._free if self._survives_like(oldest) else 0):
                break
            self._forget_oldest()
            freed = True
        if freed and self._block_timeout_s:
            self.lock.notify_all()

    def _survives_like(self, oldest: Segment) -> bool:
        """Return whether a record is as safe in the current segment as in this one."""
        return oldest.path is None or (self._current is not None and self._current.path is not None)

    def _forget_oldest(self) -> Segment | None:
        if not self._segments or self._segments[0] is self._current:
            return None
        oldest = self._segments.popleft()
        self._size -= oldest.size
        oldest.remove()
        if self._open.begins_in(oldest):
            self._homeless.append(oldest)
        self._syncer.forget(oldest)
        return oldest

    def settled(self, segments: Sequence[Segment]) -> None:
        """Let go of what is no longer needed among these, in which something was settled."""
        for segment in segments:
            if not segment.is_own:
                self.backlog.settle(segment)
        self.reclaim()

    def adopt(self, left: Left) -> dict[str, int]:
        """Take over what a dead process left; return how many of its records each adapter had not settled."""
        owed = self.backlog.adopt(left)
        self.lock.notify_all()
        return owed

    # ------------------------------------------------------------------ the disk

    def commit(self) -> None:
        """Wait until what was appended so far is on the disk itself; calls from many threads share one wait."""
        self._syncer.wait()
        self.flush_log()

    def sync(self) -> None:
        """Write what is not there yet to the disk itself."""
        self._syncer.sync()
        self.flush_log()

    def flush_log(self) -> None:
        """Log what the disk has come to. Called without the lock."""
        self._files.flush_log()

    def look_after_disk(self) -> bool:
        """Bring what lies in memory to the disk when it has room again, and begin anew when our folder was deleted. Locked.

        Returns whether there is more of that to do at once.
        """
        if self._closed:
            return False
        if self._files.lose_deleted_folder():
            for segment in self._segments:
                segment.lose_file()
        waiting = self.in_memory()
        return 0 < self._files.bring(waiting) < len(waiting)

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Take nothing more; leave on the disk what is not settled, for the next process."""
        super().close()
        self._seal()
        self.reclaim()
        for segment in self._segments:
            segment.trim()
            segment.release()
        self.backlog.close()
        if self.folder is not None:
            self.folder.release()

    def after_fork_in_child(self) -> None:
        """Let go of what is the parent's."""
        self._closed = True
        self._seal()
        if self.folder is not None:
            self.folder.forget_after_fork()
        self.backlog.after_fork_in_child()
        for segment in self._segments:
            segment.unmap()

    def stats(self) -> JournalStats:
        """Return what the journal holds. Locked."""
        found = self.found
        unclaimed = Counter(found.unclaimed)
        for others in self.backlog.others.values():
            unclaimed.update(others)
        return JournalStats(
            bytes=self._size + self.backlog.size,
            in_memory_only=self._in_memory_only,
            starts_lost=self._open.lost,
            last_error=self._files.last_error,
            waiting=found.waiting,
            left_alone=found.left_alone,
            damaged=found.damaged,
            torn=found.torn,
            looked=found.looked,
            unclaimed=dict(unclaimed),
            dropped={name: dict(reasons) for name, reasons in found.dropped.items()},
        )
