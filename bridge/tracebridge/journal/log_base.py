"""What the journals in memory and on disk have in common: segments in order, one cursor per adapter, a bound.

A segment is forgotten when no cursor needs it any more. When the whole is full, `drop_oldest` forgets the oldest segment: only the
cursors that have not passed it lose its records, each counting for itself. `block` makes the caller wait for room for a bounded
time and then drops the oldest all the same.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Literal, Protocol, TypeVar

from tracebridge.journal.accounts import Accounts, JournalStats
from tracebridge.journal.base import Claim, Run

SEGMENTS_IN_FULL = 16  # a segment is at most this part of the whole: what one drop_oldest costs

DROPPED_FULL = "journal_full"
DROPPED_CLOSED = "after_close"
NEVER = float("inf")


class AnySegment(Protocol):
    """What the common part needs of a segment."""

    size: int

    @property
    def end(self) -> int:
        """The position after its last record."""
        ...


S = TypeVar("S", bound=AnySegment)


class SegmentedCursor(Generic[S]):
    """One adapter's place in a journal."""

    def __init__(self, journal: SegmentedJournal[S], name: str, position: int) -> None:
        self._journal = journal
        self.name = name
        self._account = journal.accounts.adapters[name]
        self.position = position
        self.wake_at = NEVER
        self._claims: list[Claim] = []
        self._in_flight = 0
        self._behind_since: float | None = None

    @property
    def ready(self) -> int:
        """How many records wait to be claimed."""
        return self._journal.end - self.position

    @property
    def left(self) -> int:
        """How many records of dead processes wait to be claimed: none, in memory."""
        return 0

    @property
    def left_queued(self) -> int:
        """How many records of dead processes are ready or in flight: none, in memory."""
        return 0

    @property
    def queued(self) -> int:
        """How many records are ready or in flight."""
        return self.ready + self._in_flight

    @property
    def settled_to(self) -> int:
        """The position below which every record is settled."""
        return min((claim.first for claim in self._claims if claim.own_unsettled), default=self.position)

    @property
    def claimed_to(self) -> int:
        """The position below which every record has been claimed."""
        return self.position

    @property
    def waiting_since(self) -> float | None:
        """Monotonic seconds that no record that is ready is older than."""
        return self._behind_since if self.ready else None

    @property
    def oldest_since(self) -> float | None:
        """Monotonic seconds that no unsettled record is older than."""
        times = [claim.since for claim in self._claims]
        if self.waiting_since is not None:
            times.append(self.waiting_since)
        return min(times, default=None)

    def wait(self, most: int, timeout_s: float | None) -> None:
        """Wait until `most` records are ready or the time is up."""
        missing = most - self.ready
        if missing <= 0:
            return
        self.wake_at = self._journal.end + missing
        self._journal.expect(self.wake_at)
        self._journal.lock.wait(timeout_s)
        self.wake_at = NEVER

    def woken_by_append(self, now: float) -> None:
        """Remember since when something has been waiting."""
        if self._behind_since is None:
            self._behind_since = now

    def claim(self, most: int, max_bytes: int) -> Claim | None:
        """Take up to `most` records, in order."""
        runs = self._journal.read(self.position, most, max_bytes)
        own = sum(len(run.records) for run in runs)
        return self._claim(runs, own, own, self._behind_since) if own else None

    def _claim(self, runs: Sequence[Run], own: int, size: int, since: float | None) -> Claim:
        """Take these records off what is ready: so many of our own, and so many in all."""
        now = time.monotonic()
        claim = Claim(runs, self.position, own, since or now, size, size)
        self.position += own
        self._in_flight += size
        self._claims.append(claim)
        if own:
            self._behind_since = now if self.ready else None
        self._journal.reclaim()
        return claim

    def settle(self, claim: Claim, spans: int) -> None:
        """Take so many of a claim's records, the first that are left, off the queue."""
        own = claim.own_unsettled
        claim.unsettled -= spans
        self._in_flight -= spans
        if not claim.unsettled:
            self._claims.remove(claim)
        if not claim.unsettled or (own and not claim.own_unsettled):
            self._journal.lock.notify_all()  # flush() waits for this

    def leave(self, claim: Claim) -> None:
        """Put nothing back: what dead processes left is on disk alone."""

    def abandon(self) -> int:
        """Give up what is ready or in flight and would not outlive this process; return how many records that was."""
        lost = self.queued
        self.position = self._journal.end
        self._claims.clear()
        self._in_flight = 0
        self._journal.reclaim()
        self._journal.lock.notify_all()
        return lost

    def lose(self, segment: S) -> None:
        """Skip what is left of a segment that the journal has to forget, and count it."""
        if self.position < segment.end:
            self._account.dropped[DROPPED_FULL] += segment.end - self.position
            self.position = segment.end


class SegmentedJournal(ABC, Generic[S]):
    """An append-only log that is bounded by `max_bytes`."""

    __slots__ = ("__dict__", "__weakref__", "_wake_at", "end")  # what every append looks at has a place of its own

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
        self._bound = max_bytes
        """How much may be here now."""
        self._block_timeout_s = block_timeout_s if on_full == "block" else 0.0
        self._segments: deque[S] = deque()
        self._size = 0
        self._wake_at: float = NEVER
        self._cursors: list[SegmentedCursor[S]] = []
        self._closed = False

    @abstractmethod
    def read(self, position: int, most: int, max_bytes: int) -> Sequence[Run]:
        """Return up to `most` records from a position on, at least one if there is any, stopping once `max_bytes` are reached."""

    @abstractmethod
    def reclaim(self) -> None:
        """Forget the segments that no cursor needs."""

    @abstractmethod
    def _forget_oldest(self) -> S | None:
        """Forget the oldest segment whoever needs it; None when there is none to forget."""

    def stats(self) -> JournalStats:
        """Return what the journal holds. Locked."""
        return JournalStats(self._size)

    def expect(self, position: int) -> None:
        """Wake the waiters once the log has reached this position."""
        self._wake_at = min(self._wake_at, position)

    def _wake(self) -> None:
        now = time.monotonic()
        self._wake_at = NEVER
        for cursor in self._cursors:
            if self.end < cursor.wake_at < NEVER:
                self._wake_at = min(self._wake_at, cursor.wake_at)
            cursor.woken_by_append(now)
        self.lock.notify_all()

    def _lose_record(self, reason: str) -> None:
        """Count a record that cannot be kept at all."""
        for account in self.accounts.adapters.values():
            account.dropped[reason] += 1

    def _make_room(self, size: int, deadline: float) -> None:
        """Wait, at most until the deadline, until so many bytes fit in the bound; then forget the oldest until they do."""
        self._wait_for(lambda: self._size + size <= self._bound, deadline)
        while self._size + size > self._bound and self._drop_oldest():
            pass

    def _deadline(self) -> float:
        """Return until when a call that begins now may wait (monotonic seconds)."""
        return time.monotonic() + self._block_timeout_s if self._block_timeout_s else 0.0

    def _wait_for(self, enough: Callable[[], bool], deadline: float) -> None:
        while not enough() and not self._closed:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._wake()
            self.lock.wait(left)

    def _drop_oldest(self) -> bool:
        """Forget the oldest segment, and count what that costs each cursor; False when there is none."""
        forgotten = self._forget_oldest()
        if forgotten is None:
            return False
        for cursor in self._cursors:
            cursor.lose(forgotten)
        return True

    def close(self) -> None:
        """Wake everybody who waits and take nothing more."""
        self._closed = True
        self.lock.notify_all()
