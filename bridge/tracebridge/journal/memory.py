"""The journal in memory: bounded, shared, gone with the process."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from tracebridge.journal.accounts import Accounts
from tracebridge.journal.base import Run
from tracebridge.journal.log_base import (
    DROPPED_CLOSED,
    DROPPED_FULL,
    SEGMENTS_IN_FULL,
    SegmentedCursor,
    SegmentedJournal,
)

RECORD_OVERHEAD = 41  # bytes that CPython adds to a bytes object and its place in the list


class _Segment:
    __slots__ = ("first", "records", "size")

    def __init__(self, first: int, size: int) -> None:
        self.first = first
        self.records: list[bytes] = []
        self.size = size
        """Bytes that it may take while it is the last, that it took when it is not."""

    @property
    def end(self) -> int:
        return self.first + len(self.records)


class MemoryJournal(SegmentedJournal[_Segment]):
    """An append-only log in memory; `max_bytes` bounds what it holds, claims in flight not included."""

    __slots__ = ("_free", "_records")

    def __init__(
        self,
        accounts: Accounts,
        *,
        max_bytes: int,
        on_full: Literal["drop_oldest", "block"] = "drop_oldest",
        block_timeout_s: float = 1.0,
    ) -> None:
        super().__init__(accounts, max_bytes=max_bytes, on_full=on_full, block_timeout_s=block_timeout_s)
        self.keeps_open = self.commits = False  # of the instance, where every end finds them by position
        self._segment_bytes = max(1, max_bytes // SEGMENTS_IN_FULL)
        self._free = 0
        self._begin_segment(0)

    def cursor(self, name: str) -> SegmentedCursor[_Segment]:
        """Return a new cursor at the end of the log."""
        cursor = SegmentedCursor(self, name, self.end)
        self._cursors.append(cursor)
        return cursor

    def append(self, data: bytes, key: Hashable = None) -> None:  # noqa: ARG002 - open spans are gone with the process
        """Add one record, making room first when there is none."""
        size = len(data) + RECORD_OVERHEAD
        if size > self._free and not self._next_segment(size):
            return
        self._free -= size
        self._records.append(data)
        self.end += 1
        if self.end >= self._wake_at:
            self._wake()

    def _next_segment(self, size: int) -> bool:
        """Begin a segment with room for so many bytes; False (counted) when this record cannot be kept at all."""
        if self._closed or size > self._max_bytes:
            self._lose_record(DROPPED_CLOSED if self._closed else DROPPED_FULL)
            return False
        self._seal()
        if self._size + size > self._max_bytes:
            self._make_room(size, self._deadline())
            if self._closed:
                return self._next_segment(size)
        if self._segments and not self._records:
            self._segments.pop()
        self._begin_segment(max(size, min(self._segment_bytes, self._max_bytes - self._size)))
        return True

    def _begin_segment(self, size: int) -> None:
        segment = _Segment(self.end, size)
        self._segments.append(segment)
        self._records = segment.records
        self._size += size
        self._free = size

    def _seal(self) -> None:
        """Give back what the last segment did not take."""
        self._segments[-1].size -= self._free
        self._size -= self._free
        self._free = 0

    def read(self, position: int, most: int, max_bytes: int) -> list[Run]:
        """Return up to `most` records from a position on, at least one, stopping once `max_bytes` are reached."""
        out: list[bytes] = []
        size = 0
        for segment in self._segments:
            if segment.end <= position:
                continue
            begin = position - segment.first
            for data in segment.records[
                begin : begin + most - len(out)
            ]:  # never the rest of a segment: appends wait for this
                if out and size + len(data) > max_bytes:
                    return [Run(out)]
                out.append(data)
                size += len(data)
            if len(out) >= most:
                break
            position = segment.end
        return [Run(out)] if out else []

    def reclaim(self) -> None:
        """Forget the segments that every cursor has passed: claims hold the records in flight themselves."""
        passed = min((cursor.position for cursor in self._cursors), default=self.end)
        freed = False
        while self._segments[0].end <= passed and self._segments[0].records:
            self._forget_oldest()
            freed = True
        if freed and self._block_timeout_s:
            self.lock.notify_all()

    def _forget_oldest(self) -> _Segment:
        if len(self._segments) == 1:
            self._seal()
        oldest = self._segments.popleft()
        self._size -= oldest.size
        if not self._segments:
            self._begin_segment(0)
        return oldest

    def close(self) -> None:
        """Wake everybody who waits and take nothing more."""
        super().close()
        self._seal()

    def started(self, key: Hashable, data: bytes) -> None:
        """Nothing: what is in memory is gone with the process."""

    changed = started

    def hold(self, key: Hashable, group: bytes, data: bytes) -> None:
        """Nothing: whoever decides about it has it."""

    def forget(self, key: Hashable) -> None:
        """Nothing was remembered."""

    def commit(self) -> None:
        """Nothing to wait for."""

    after_fork_in_child = commit
