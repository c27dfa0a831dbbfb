"""Which lines are missing, told from the numbers that their writers give them.

A writer numbers its lines from 1 and has a name of its own, so that a number that never comes is a line that was lost on the way. Lines may come
in any order and more than once. What a writer wrote before the first line that is read is not missing: it was not asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_WRITERS = 10_000  # that are followed; the one that has been silent longest is forgotten, its gaps stay counted
MAX_HOLES = 1_000  # of one writer; more are counted together, and a late line no longer fills them


@dataclass(frozen=True, slots=True)
class Missing:
    """A writer's lines that never came."""

    writer: str
    lines: int
    first: int
    """The lowest number of them."""

    def __str__(self) -> str:
        return f"{self.lines} line{'s' if self.lines != 1 else ''} of writer {self.writer}, from number {self.first}"


class _Writer:
    """The numbers of one writer: how far, and the holes before that."""

    __slots__ = ("first_lost", "holes", "last", "lost")

    def __init__(self, seq: int) -> None:
        self.last = seq
        self.holes: OrderedDict[int, int] = OrderedDict()
        """First number to the number after the last, in order."""
        self.lost = 0
        self.first_lost = 0

    def note(self, seq: int) -> None:
        if seq == self.last + 1:
            self.last = seq
        elif seq > self.last:
            self.holes[self.last + 1] = seq
            self.last = seq
            if len(self.holes) > MAX_HOLES:
                begin, end = self.holes.popitem(last=False)
                self.lost += end - begin
                self.first_lost = self.first_lost or begin
        else:
            self._fill(seq)

    def _fill(self, seq: int) -> None:
        for begin, end in self.holes.items():
            if begin <= seq < end:
                del self.holes[begin]
                if begin < seq:
                    self.holes[begin] = seq
                if seq + 1 < end:
                    self.holes[seq + 1] = end
                return

    @property
    def count(self) -> int:
        return self.lost + sum(end - begin for begin, end in self.holes.items())


class Gaps:
    """The missing lines of every writer."""

    def __init__(self) -> None:
        self._writers: OrderedDict[str, _Writer] = OrderedDict()
        self._forgotten: list[Missing] = []

    def note(self, writer: str, seq: int) -> None:
        """Take a line's number."""
        known = self._writers.get(writer)
        if known is not None:
            known.note(seq)
            self._writers.move_to_end(writer)
            return
        self._writers[writer] = _Writer(seq)
        if len(self._writers) > MAX_WRITERS:
            name, old = self._writers.popitem(last=False)
            self._forgotten += _missing(name, old)

    def missing(self) -> list[Missing]:
        """Return the writers with missing lines."""
        return self._forgotten + [each for name, writer in self._writers.items() for each in _missing(name, writer)]

    def count(self) -> int:
        """Return how many lines are missing."""
        return sum(each.lines for each in self.missing())


def _missing(name: str, writer: _Writer) -> list[Missing]:
    first = writer.first_lost or min(writer.holes, default=0)
    return [Missing(name, writer.count, first)] if first else []
