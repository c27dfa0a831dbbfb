"""The journal in memory: bounded, shared, gone with the process.

Records lie in segments (plain lists) in order. A segment is forgotten when every cursor has passed it. When the whole is
full, `drop_oldest` forgets the oldest segment: only the cursors that have not read it yet lose its records, each
counting for itself. `block` makes the caller wait for room for a bounded time and then drops the oldest all the same.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Literal

from tracebridge.accounts import Accounts
from tracebridge.journal.base import Claim

SEGMENTS_IN_FULL = 16  # a segment is at most this part of the whole: what one drop_oldest costs
RECORD_OVERHEAD = 41  # bytes that CPython adds to a bytes object and its place in the list

DROPPED_FULL = "journal_full"
DROPPED_CLOSED = "after_close"
_NEVER = float("inf")


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


class MemoryCursor:
    """One adapter's place in a memory journal."""

    def __init__(self, journal: MemoryJournal, name: str, position: int) -> None:
        self._journal = journal
        self._dropped = journal.accounts.adapters[name].dropped
        self.position = position
        self.wake_at = _NEVER
        self._claims: dict[int, Claim] = {}
        self._in_flight = 0
        self._behind_since: float | None = None

    @property
    def ready(self) -> int:
        """How many records wait to be claimed."""
        return self._journal.end - self.position

    @property
    def queued(self) -> int:
        """How many records are ready or in flight."""
        return self._journal.end - self.position + self._in_flight

    @property
    def settled_to(self) -> int:
        """The position below which every record is settled."""
        return min(self._claims, default=self.position)

    @property
    def oldest_since(self) -> float | None:
        """Monotonic seconds that no unsettled record is older than."""
        times = [claim.since for claim in self._claims.values()]
        if self.ready and self._behind_since is not None:
            times.append(self._behind_since)
        return min(times, default=None)

    def wait(self, most: int, timeout_s: float | None) -> None:
        """Wait until `most` records are ready or the time is up."""
        self.wake_at = self.position + most
        self._journal.expect(self.wake_at)
        if self._journal.end < self.wake_at:
            self._journal.lock.wait(timeout_s)
        self.wake_at = _NEVER

    def woken_by_append(self, now: float) -> None:
        """Remember since when something has been waiting."""
        if self._behind_since is None:
            self._behind_since = now

    def claim(self, most: int, max_bytes: int) -> Claim | None:
        """Take up to `most` records, in order."""
        records = self._journal.read(self.position, most, max_bytes)
        if not records:
            return None
        now = time.monotonic()
        claim = Claim(self.position, records, self._behind_since or now, len(records))
        self.position += len(records)
        self._in_flight += len(records)
        self._claims[claim.first] = claim
        self._behind_since = now if self.ready else None
        self._journal.reclaim()
        return claim

    def settle(self, claim: Claim, spans: int) -> None:
        """Take so many of a claim's records off the queue."""
        claim.unsettled -= spans
        self._in_flight -= spans
        if not claim.unsettled:
            del self._claims[claim.first]
            self._journal.lock.notify_all()  # flush() waits for this

    def abandon(self) -> int:
        """Give up everything that is ready or in flight."""
        lost = self.queued
        self.position = self._journal.end
        self._claims.clear()
        self._in_flight = 0
        self._journal.reclaim()
        self._journal.lock.notify_all()
        return lost

    def lose_before(self, position: int) -> None:
        """Skip what the journal had to forget, and count it."""
        if self.position < position:
            self._dropped[DROPPED_FULL] += position - self.position
            self.position = position


class MemoryJournal:
    """An append-only log in memory; `max_bytes` bounds what it holds, claims in flight not included."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        max_bytes: int,
        on_full: Literal["drop_oldest", "block"] = "drop_oldest",
        block_timeout_s: float = 1.0,
    ) -> None:
        self.accounts = accounts
        self.lock = accounts.lock
        self.end = 0
        """The position that the next record will get."""
        self._max_bytes = max_bytes
        self._segment_bytes = max(1, max_bytes // SEGMENTS_IN_FULL)
        self._block_timeout_s = block_timeout_s if on_full == "block" else 0.0
        self._segments: deque[_Segment] = deque()
        self._size = 0
        self._free = 0
        self._begin_segment(0)
        self._wake_at: float = _NEVER
        self._cursors: list[MemoryCursor] = []
        self._closed = False

    def cursor(self, name: str) -> MemoryCursor:
        """Return a new cursor at the end of the log."""
        cursor = MemoryCursor(self, name, self.end)
        self._cursors.append(cursor)
        return cursor

    def append(self, data: bytes) -> None:
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
            reason = DROPPED_CLOSED if self._closed else DROPPED_FULL
            for account in self.accounts.adapters.values():
                account.dropped[reason] += 1
            return False
        self._seal()
        if self._size + size > self._max_bytes:
            self._make_room(size)
            if self._closed:
                return self._next_segment(size)
        if not self._records:
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

    def expect(self, position: int) -> None:
        """Wake the waiters once the log has reached this position."""
        self._wake_at = min(self._wake_at, position)

    def _wake(self) -> None:
        now = time.monotonic()
        self._wake_at = _NEVER
        for cursor in self._cursors:
            if self.end < cursor.wake_at < _NEVER:
                self._wake_at = min(self._wake_at, cursor.wake_at)
            cursor.woken_by_append(now)
        self.lock.notify_all()

    def read(self, position: int, most: int, max_bytes: int) -> list[bytes]:
        """Return up to `most` records from `position` on, at least one, stopping once `max_bytes` are reached."""
        out: list[bytes] = []
        size = 0
        for segment in self._segments:
            if segment.end <= position:
                continue
            for data in segment.records[position - segment.first :]:
                if len(out) >= most or (out and size + len(data) > max_bytes):
                    return out
                out.append(data)
                size += len(data)
            position = segment.end
        return out

    def reclaim(self) -> None:
        """Forget the segments that every cursor has passed."""
        passed = min((cursor.position for cursor in self._cursors), default=self.end)
        freed = False
        while self._segments[0].end <= passed and self._segments[0].records:
            self._forget_oldest()
            freed = True
        if freed and self._block_timeout_s:
            self.lock.notify_all()

    def _forget_oldest(self) -> None:
        if len(self._segments) == 1:
            self._seal()
        self._size -= self._segments.popleft().size
        if not self._segments:
            self._begin_segment(0)

    def _make_room(self, size: int) -> None:
        if self._block_timeout_s:
            deadline = time.monotonic() + self._block_timeout_s
            while self._size + size > self._max_bytes and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._wake()
                self.lock.wait(left)
        while self._size + size > self._max_bytes:
            end = self._segments[0].end
            self._forget_oldest()
            for cursor in self._cursors:
                cursor.lose_before(end)

    def close(self) -> None:
        """Wake everybody who waits and take nothing more."""
        self._closed = True
        self._seal()
        self.lock.notify_all()
