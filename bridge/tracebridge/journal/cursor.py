"""One adapter's place in a disk journal; what it settles is written down in the segments."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Sequence
from typing import overload

from tracebridge.journal.base import Claim
from tracebridge.journal.log_base import DROPPED_FULL, SegmentedCursor, SegmentedJournal
from tracebridge.journal.segment import Segment
from tracebridge.journal.settled import Range, Settled


class StoredLog(SegmentedJournal[Segment]):
    """A log whose segments lie on a disk, as its cursors see it."""

    @abstractmethod
    def segment_at(self, position: int) -> Segment | None:
        """Return the segment that holds a position, or will hold the next one; None when it is gone."""

    @abstractmethod
    def in_memory(self) -> list[Segment]:
        """Return the segments that no file holds."""


class DiskCursor(SegmentedCursor[Segment]):
    """A cursor that jumps over what was settled in an adopted segment before it was adopted."""

    _journal: StoredLog

    def __init__(self, journal: StoredLog, name: str, position: int) -> None:
        super().__init__(journal, name, position)
        self._ahead = 0
        """Records after `position` that were settled before they were adopted."""
        self._owed: dict[Segment, list[Range]] = {}
        """For adopted segments: what is owed and not yet claimed, as journal positions. (Not by first position: an empty segment shares it.)"""
        self._given_up = 0
        """After the end: what lay in memory and is counted as dropped."""

    @property
    def ready(self) -> int:
        """How many records wait to be claimed."""
        return self._journal.end - self.position - self._ahead

    @property
    def queued(self) -> int:
        """How many records are ready or in flight; after the end, how many wait on the disk."""
        return self.ready + self._in_flight - self._given_up

    def adopt(self, segment: Segment) -> int:
        """Owe what this adapter has not settled in an adopted segment; return how many records that is."""
        settled = segment.settled(self.name)
        count = len(segment.offsets)
        ranges = [] if settled is None else settled.owed(count)
        owed = sum(end - start for start, end in ranges)
        self._owed[segment] = [(segment.first + start, segment.first + end) for start, end in ranges]
        self._ahead += count - owed
        self._skip()
        return owed

    def _skip(self) -> None:
        """Move over what is settled already."""
        while self._ahead:
            segment = self._journal.segment_at(self.position)
            ranges = self._owed.get(segment) if segment is not None else None
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
        ranges = self._owed.get(segment) or []
        while ranges and ranges[0][1] <= self.position:
            ranges.pop(0)
        return segment, ranges[0][1] if ranges else segment.end

    def claim(self, most: int, max_bytes: int) -> Claim | None:
        """Take up to `most` records of one segment, in order."""
        claim = super().claim(most, max_bytes)
        self._skip()
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
            (claim.first + len(claim.records) - claim.owed - first, claim.first + len(claim.records) - first)
            for claim in self._claims.values()
            if first <= claim.first < end
        ]
        owed = self._owed.get(segment)
        taken = min(self.position, end) - first
        if owed is not None:
            taken = end - first
            gaps += [(max(start, self.position) - first, stop - first) for start, stop in owed if stop > self.position]
        segment.settle(self.name, Settled.of(taken, gaps))

    def abandon(self) -> int:
        """Give up what lies in memory; the rest waits on the disk for the next process."""
        self._given_up = sum(self._unsettled_in(segment) for segment in self._journal.in_memory())
        self._journal.lock.notify_all()
        return self._given_up

    def _unsettled_in(self, segment: Segment) -> int:
        """Return how many records of one of our own segments are ready or in flight."""
        in_flight = [claim.unsettled for claim in self._claims.values() if segment.first <= claim.first < segment.end]
        return max(0, segment.end - max(segment.first, self.position)) + sum(in_flight)

    def lose(self, segment: Segment) -> None:
        """Skip what is left of a segment that the journal has to forget, and count it."""
        owed = self._owed.get(segment)
        if self.position >= segment.end:
            return
        start = max(self.position, segment.first)
        lost = segment.end - start
        if owed is not None:
            lost = sum(stop - max(begin, start) for begin, stop in owed if stop > start)
            self._ahead -= segment.end - start - lost
        self._dropped[DROPPED_FULL] += lost
        self.position = segment.end
        self._skip()

    def forget(self, segment: Segment) -> None:
        """Forget a segment that is gone."""
        self._owed.pop(segment, None)


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
