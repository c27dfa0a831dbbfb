"""What dead processes left and this one has taken over: it is delivered beside the log of what ends here, and costs that nothing.

A folder is given back when nothing of it is owed here any more. Its files go from the first on, and only when no adapter is owed anything in them:
an end must not go before its start, or the span would come back as unfinished. What is owed to adapters that this configuration does not
name stays where it is, for a process that names them or for `tracebridge journal`. What only destinations that are failing wait for is put
back when room is short, so that they hold up no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracebridge.journal.adoption import Left
from tracebridge.journal.cursor import DiskCursor
from tracebridge.journal.segment import Segment

MOST_ADOPTED = 64  # segments in hand at a time: each holds a file open, and each folder its lock
MOST_STUCK = 256  # and with those of requests to destinations that are failing


class TakenFolder:
    """The folder of a dead process, which is ours now, and its segments in order."""

    def __init__(self, left: Left) -> None:
        self.left = left
        self.keeps = False
        """Whether it holds something for others, who will find it here."""
        self.pending: dict[Segment, None] = dict.fromkeys(left.segments)
        """The segments in which our adapters are owed something."""
        self._files = deque(left.segments)

    def settle(self, segment: Segment, adapters: Sequence[str]) -> None:
        """Take note that a segment owes these adapters, ours, nothing any more."""
        del self.pending[segment]
        while self._files and self._files[0] not in self.pending and not self.keeps:
            if not self.left.is_written and self.pending:
                break  # what was open lies in memory: until it is delivered, the next process has to find its starts
            self.keeps = bool(self._files[0].owed(but=adapters))
            if not self.keeps:
                self._files.popleft().remove()
        if not self.pending:
            self.left.folder.release()

    def give_back(self) -> None:
        """Leave what is pending to the next process, without the disk space that no record took."""
        for segment in self.pending:
            segment.trim()
        self.left.folder.release()


@dataclass(frozen=True)
class PutBack:
    """A folder that only destinations which are failing wait for."""

    taken: TakenFolder
    """Still ours; whoever has called gives it back, without the journal's lock."""
    adapters: frozenset[str]
    spans: int


class Backlog:
    """The folders in hand. Used under the journal's lock. `cursors` are those that deliver from them."""

    def __init__(self, cursors: Callable[[], Sequence[DiskCursor]], most_bytes: int) -> None:
        self.size = 0
        """Bytes that their records take."""
        self.on_room: Callable[[], object] = lambda: None
        """Called when there is room for more."""
        self.gave_back = False
        """Whether a folder was given back that holds something for others."""
        self.untrimmed: dict[Segment, None] = {}
        """Those that were taken over and still have disk space that no record took."""
        self.others: dict[Path, dict[str, int]] = {}
        """What folders in hand, and those that were given back since, hold for adapters that are not ours, by their names."""
        self._cursors = cursors
        self._most_bytes = most_bytes
        self._taken: dict[Segment, TakenFolder] = {}

    @property
    def folders(self) -> list[TakenFolder]:
        """The folders in hand, in the order in which they were taken over."""
        return list(dict.fromkeys(self._taken.values()))

    def has_room_for(self, left: Left) -> bool:
        """Return whether there is room for one more folder; there always is for one alone."""
        if self._fits(len(self._taken), self.size, left):
            return True
        if len(self._taken) + len(left.segments) > MOST_STUCK:
            return False
        busy = [segment for taken in self.folders if not self._is_stuck(taken) for segment in taken.pending]
        return self._fits(len(busy), sum(segment.at for segment in busy), left)

    def _fits(self, segments: int, size: int, left: Left) -> bool:
        return not segments or (segments + len(left.segments) <= MOST_ADOPTED and size + left.size <= self._most_bytes)

    def adopt(self, left: Left) -> dict[str, int]:
        """Take a folder over; return how many of its records each adapter had not settled."""
        taken, cursors = TakenFolder(left), self._cursors()
        owed = dict.fromkeys((cursor.name for cursor in cursors), 0)
        others = {name: spans for name, spans in left.by_name(list(owed)).items() if name not in owed}
        if others:
            self.others[left.folder.path] = others
        for segment in left.segments:
            segment.release()
            self._taken[segment] = taken
            self.untrimmed[segment] = None
            self.size += segment.at
            for cursor in cursors:
                owed[cursor.name] += cursor.adopt(segment)
        for segment in left.segments:
            self.settle(segment)
        return owed

    def settle(self, segment: Segment) -> None:
        """Let a segment go when it owes our adapters nothing any more."""
        cursors = self._cursors()
        if segment not in self._taken or any(cursor.owes(segment) for cursor in cursors):
            return
        taken = self._taken.pop(segment)
        self.untrimmed.pop(segment, None)  # its mapping keeps the file open
        self.size -= segment.at
        taken.settle(segment, [cursor.name for cursor in cursors])
        self.gave_back = self.gave_back or taken.keeps
        self.on_room()

    def trim(self) -> None:
        """Cut what has been in hand for a while to what it holds. Called without the lock, because it may take as long as a disk does.

        What is delivered at once is not worth it.
        """
        segments, self.untrimmed = self.untrimmed, {}
        for segment in segments:
            if segment in self._taken:
                segment.trim()

    def put_back(self) -> list[PutBack]:
        """Take out the folders that only destinations which are failing wait for, and that no request is under way with."""
        back = []
        for taken in self.folders:
            owing = [cursor for cursor in self._cursors() if any(cursor.owes(segment) for segment in taken.pending)]
            in_flight = any(cursor.is_sending(segment) for cursor in owing for segment in taken.pending)
            if in_flight or not all(cursor.is_failing for cursor in owing):
                continue
            owed = [cursor.hand_back(segment) for segment in taken.pending for cursor in owing]
            for segment in taken.pending:
                del self._taken[segment]
                self.untrimmed.pop(segment, None)
                self.size -= segment.at
            back.append(PutBack(taken, frozenset(cursor.name for cursor in owing), sum(owed)))
        return back

    def _is_stuck(self, taken: TakenFolder) -> bool:
        """Return whether only destinations that are failing wait for a folder."""
        return all(
            cursor.is_failing for cursor in self._cursors() if any(cursor.owes(segment) for segment in taken.pending)
        )

    def drop(self, size: int, reason: str) -> int:
        """Forget the oldest segments until so many bytes are free, counted under a reason; return how many are.

        What a request is under way with stays.
        """
        freed = 0
        for segment in list(self._taken):
            if freed >= size:
                break
            if sum(cursor.lose_left(segment, reason) for cursor in self._cursors()):
                freed += segment.at
                self.settle(segment)
        return freed

    def close(self) -> None:
        """Give everything back to the next process."""
        for taken in self.folders:
            taken.give_back()

    def after_fork_in_child(self) -> None:
        """Let go of what is the parent's."""
        for taken in self.folders:
            taken.left.folder.forget_after_fork()
        for segment in self._taken:
            segment.unmap()
        self._taken.clear()
