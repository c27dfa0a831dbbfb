"""One adapter's place in a disk journal; what it settles is written down in the segments."""

from __future__ import annotations

import time
from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from typing import cast, overload

from tracebridge.journal.base import Claim, Run
from tracebridge.journal.log_base import SegmentedCursor, SegmentedJournal
from tracebridge.journal.segment import Segment
from tracebridge.journal.settled import Range, Settled


class StoredLog(SegmentedJournal[Segment]):
    """A log whose segments lie on a disk, as its cursors see it."""

    @abstractmethod
    def read(self, position: int, most: int, max_bytes: int) -> Sequence[StoredRun]:
        """Return up to `most` records from a position on, over as many segments as it takes, together of about `max_bytes`."""

    @abstractmethod
    def settled(self, segments: Sequence[Segment]) -> None:
        """Let go of what is no longer needed among these, with which a claim is done."""

    @abstractmethod
    def in_memory(self) -> list[Segment]:
        """Return the segments that no file holds."""


MOST_RUNS = (
    16  # segments of dead processes in one claim: what one request keeps in hand for as long as its destination fails
)


class DiskCursor(SegmentedCursor[Segment]):
    """A cursor that has a second place, in what dead processes left."""

    _journal: StoredLog

    def __init__(self, journal: StoredLog, name: str, position: int) -> None:
        super().__init__(journal, name, position)
        self._left = 0
        self._owed: dict[Segment, list[Range]] = {}
        """What that is, in the order of its adoption: records by their number in the segment."""
        self._left_since = 0.0
        self._odd = 0
        """Whose the odd record of the next batch that both share is."""
        self._given_up = 0
        """After the end: what lay in memory and is counted as dropped."""

    @property
    def left(self) -> int:
        """How many records of dead processes wait to be claimed."""
        return self._left

    @property
    def left_queued(self) -> int:
        """How many records of dead processes are ready or in flight."""
        return self.left + sum(claim.unsettled - claim.own_unsettled for claim in self._claims)

    @property
    def queued(self) -> int:
        """How many records are ready or in flight; after the end, how many wait on the disk."""
        return self.ready + self.left + self._in_flight - self._given_up

    @property
    def oldest_since(self) -> float | None:
        """Monotonic seconds that no unsettled record has waited here for longer than."""
        since = super().oldest_since
        if not self.left:
            return since
        return self._left_since if since is None else min(since, self._left_since)

    def adopt(self, segment: Segment) -> int:
        """Owe what this adapter has not settled in an adopted segment; return how many records that is."""
        settled = segment.settled(self.name)
        ranges = [] if settled is None else settled.owed(len(segment.offsets))
        if not ranges:
            return 0
        if not self.left:
            self._left_since = time.monotonic()
        self._owed[segment] = ranges
        owed = sum(end - start for start, end in ranges)
        self._left += owed
        self._account.adopted += owed
        return owed

    # ------------------------------------------------------------------ claiming

    def claim(self, most: int, max_bytes: int) -> Claim | None:
        """Take up to `most` records: those of this process, then those of dead ones, half of a batch at least.

        So the living do not wait behind the dead, and the dead do not wait for ever behind the living.
        """
        shared = bool(self._left) and bool(self.ready)
        self._odd ^= shared and most % 2
        least_left = min(self._left, most - (most + self._odd) // 2) if shared else 0
        share = max(1, max_bytes // 2) if shared else max_bytes
        runs = list(self._journal.read(self.position, most - least_left, share))
        own = _count(runs)
        since = self._behind_since if own else None
        if self._left:
            since = self._left_since if since is None else min(since, self._left_since)
            runs += self._read_left(most - own, max(1, max_bytes - sum(run.bytes for run in runs)))
        size = _count(runs)
        return self._claim(runs, own, size, since) if size else None

    def _read_left(self, most: int, max_bytes: int) -> list[StoredRun]:
        """Take records of dead processes, over as many segments as it takes."""
        runs: list[StoredRun] = []
        while most > 0 and max_bytes > 0 and self._owed and len(runs) < MOST_RUNS:
            segment, ranges = next(iter(self._owed.items()))
            start, end = ranges[0]
            run = stored_run(segment, start, min(end, start + most), max_bytes)
            runs.append(run)
            taken = len(run.records)
            most -= taken
            max_bytes -= run.bytes
            self._left -= taken
            ranges[0] = (start + taken, end)
            if start + taken == end:
                ranges.pop(0)
            if not ranges:
                del self._owed[segment]
        return runs

    # ------------------------------------------------------------------ settling

    def settle(self, claim: Claim, spans: int) -> None:
        """Take so many of a claim's records, the first that are left, off the queue, and write that down."""
        before = claim.size - claim.owed
        super().settle(claim, spans)
        after = claim.size - (claim.owed if claim.unsettled else 0)
        segments: dict[Segment, bool] = {}
        at = 0
        for run in _stored(claim):
            segments[run.segment] = segments.get(run.segment) or (at < after and before < at + len(run.records))
            at += len(run.records)
        for segment, touched in segments.items():
            if touched:
                self._write(segment)
        self._journal.settled([] if claim.unsettled else list(segments))

    def leave(self, claim: Claim) -> None:
        """Put what is in flight of dead processes' records back in front of what is ready, where its order tells what that is."""
        if claim.own_unsettled or not claim.in_order:
            return
        back: dict[Segment, list[Range]] = {}
        for run in _stored(claim):
            if run.segment not in back and not run.segment.is_own:
                back[run.segment] = [*_in_flight_in(claim, run.segment), *self._owed.pop(run.segment, ())]
        self._owed = {segment: ranges for segment, ranges in back.items() if ranges} | self._owed
        self._claims.remove(claim)
        self._in_flight -= claim.unsettled
        self._left += claim.unsettled

    def _write(self, segment: Segment) -> None:
        gaps = [gap for claim in self._claims for gap in _owed_in(claim, segment)]
        if segment.is_own:
            taken = min(self.position, segment.end) - segment.first
        else:
            taken = len(segment.offsets)
            gaps += self._owed.get(segment, ())
        segment.settle(self.name, Settled.of(taken, gaps))

    @property
    def is_failing(self) -> bool:
        """Whether the destination does not take anything at the moment."""
        return self._account.retrying_since is not None

    def owes(self, segment: Segment) -> bool:
        """Return whether something in an adopted segment is ready or in flight."""
        return segment in self._owed or self.is_sending(segment)

    def is_sending(self, segment: Segment) -> bool:
        """Return whether something in a segment is in flight."""
        return any(run.segment is segment for claim in self._claims for run in _stored(claim))

    # ------------------------------------------------------------------ losing

    def abandon(self) -> int:
        """Give up what lies in memory; the rest waits on the disk for the next process."""
        self._given_up = sum(self._unsettled_in(segment) for segment in self._journal.in_memory())
        self._journal.lock.notify_all()
        return self._given_up

    def _unsettled_in(self, segment: Segment) -> int:
        """Return how many records of one of our own segments are ready or in flight."""
        in_flight = [end - start for claim in self._claims for start, end in _in_flight_in(claim, segment)]
        return max(0, segment.end - max(segment.first, self.position)) + sum(in_flight)

    def hand_back(self, segment: Segment) -> int:
        """Owe what is ready in an adopted segment no more, without having settled it; return how many records that is."""
        owed = sum(end - start for start, end in self._owed.pop(segment, ()))
        self._left -= owed
        self._account.adopted -= owed
        return owed

    def lose_left(self, segment: Segment, reason: str) -> int:
        """Give up what is ready in an adopted segment, counted under a reason; return how many records that was."""
        lost = sum(end - start for start, end in self._owed.pop(segment, ()))
        if lost:
            self._left -= lost
            self._account.dropped[reason] += lost
            self._write(segment)
        return lost


class StoredRun(Run, eq=False, kw_only=True):
    """Neighbours in one segment of a disk journal."""

    segment: Segment
    start: int
    """The number of the first among the segment's records."""
    bytes: int
    """About how many bytes they take, heads and what stands between them included."""


def _stored(claim: Claim) -> Sequence[StoredRun]:
    return cast("Sequence[StoredRun]", claim.runs)  # a disk journal makes no others


def _count(runs: Sequence[Run]) -> int:
    return sum(len(run.records) for run in runs)


def _owed_in(claim: Claim, segment: Segment) -> Iterator[Range]:
    """Yield which of a segment's records a later process has to deliver because of a claim."""
    return _last_in(claim, segment, claim.owed)


def _in_flight_in(claim: Claim, segment: Segment) -> Iterator[Range]:
    """Yield which of a segment's records a claim has in flight."""
    return _last_in(claim, segment, claim.unsettled)


def _last_in(claim: Claim, segment: Segment, last: int) -> Iterator[Range]:
    """Yield which of a segment's records are among the last so many of a claim."""
    skip = claim.size - last
    for run in _stored(claim):
        records = len(run.records)
        if run.segment is segment and skip < records:
            yield run.start + skip, run.start + records
        skip = max(0, skip - records)


def stored_run(segment: Segment, start: int, end: int, max_bytes: int) -> StoredRun:
    """Return records of a segment from a number on, at least one, stopping at another or once about `max_bytes` are reached."""
    offsets: array[int] = segment.offsets[start:end]
    most = 1
    while most < len(offsets) and offsets[most] - offsets[0] < max_bytes:
        most = min(len(offsets), 2 * most)
    offsets = offsets[:most]
    size = offsets[-1] - offsets[0] + segment.length(offsets[-1])
    bodies = StoredBodies(segment, offsets)
    return StoredRun(bodies, segment.resource, segment=segment, start=start, bytes=size)


class StoredBodies(Sequence[bytes]):
    """Bodies of records that lie in a segment, read and checked when they are asked for."""

    def __init__(self, segment: Segment, offsets: array[int]) -> None:
        self._segment = segment
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return StoredBodies(self._segment, self._offsets[index])
        return self._segment.body(self._offsets[index])
