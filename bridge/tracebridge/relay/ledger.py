"""Which offsets may be committed: for each partition, where in the journal the spans of each message ended."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable

from tracebridge.plugins.receiver import Partition


class Holding:
    """One partition, from its assignment to its revocation: when it comes back, it is another one."""

    __slots__ = ("began", "committed", "held", "next_offset", "taken")

    def __init__(self) -> None:
        self.taken: deque[tuple[int, int]] = deque()
        """(offset after a message, journal position after its spans), for what is not committed."""
        self.held: deque[tuple[int, float]] = deque()
        """(offset after a message, monotonic seconds after its spans), for those behind `taken` whose spans may be held, without a position yet."""
        self.began: int | None = None
        """The offset of the first message that was received; None before."""
        self.committed: int | None = None
        """The offset below which everything is settled; None until something was."""
        self.next_offset: int | None = None
        """The offset after the last message read; None before the first."""

    def is_behind(self, offset: int) -> bool:
        """Return whether a message comes before one that was read already: then the topic is another one, or its offsets were reset."""
        return self.next_offset is not None and offset < self.next_offset

    def begin_anew(self) -> None:
        """Forget what offsets meant before: none of them is to be committed."""
        self.taken.clear()
        self.held.clear()
        self.began = self.committed = self.next_offset = None


class Ledger:
    """The partitions of this member. Journal positions grow over all partitions together, so one number settles all."""

    def __init__(self) -> None:
        self._held: dict[Partition, Holding] = {}

    @property
    def partitions(self) -> dict[Partition, Holding]:
        """What this member has."""
        return self._held

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Begin with these partitions."""
        for partition in partitions:
            self._held[partition] = Holding()

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Another member has these now."""
        for partition in partitions:
            self._held.pop(partition, None)

    def took(self, holding: Holding, offset: int, position: int) -> None:
        """Note a message whose spans are in the journal, below this position."""
        if holding.held:
            holding.held.append((offset + 1, 0.0))
            return
        if holding.taken and holding.taken[-1][1] == position:
            holding.taken.pop()  # this message brought no span: what settles the one before settles it
        holding.taken.append((offset + 1, position))

    def holds(self, holding: Holding, offset: int, now: float) -> None:
        """Note a message of whose spans some may be held, `now` being after the last of them was ingested."""
        holding.held.append((offset + 1, now))

    def decided(self, before: float | None, position: int) -> None:
        """Note that what was ingested before this instant (None: everything) is held no longer: it is below this position, or left out."""
        for holding in self._held.values():
            while holding.held and (before is None or holding.held[0][1] < before):
                offset, _ = holding.held.popleft()
                if holding.taken and holding.taken[-1][1] == position:
                    holding.taken.pop()
                holding.taken.append((offset, position))

    def settle(self, position: int) -> dict[Partition, int]:
        """Return the offsets that may be committed now and could not before, everything below this journal position being settled."""
        moved = {}
        for partition, holding in self._held.items():
            settled = list(itertools.takewhile(lambda taken: taken[1] <= position, holding.taken))
            for _ in settled:
                holding.taken.popleft()
            if settled:
                moved[partition] = holding.committed = settled[-1][0]
        return moved
