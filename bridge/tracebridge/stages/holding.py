"""The spans that are held until it is decided about them, by the key under which it will be. Changed under the journal's lock."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from itertools import islice
from typing import Any, NamedTuple

import msgspec

MOST_HELD_BYTES = 64 * 2**20  # of all spans held; beyond it the oldest key is decided at once
SPAN_OVERHEAD = (
    120  # bytes of memory that a span held takes besides its record: a bytes object, a pair, a place in a list
)
GROUP_OVERHEAD = 600  # and a key: a group, its list, its place in a dictionary


class Held(msgspec.Struct, gc=False):
    """A span that is held, encoded as the journal keeps it."""

    data: bytes
    key: bytes
    decide: bool
    wait_s: float
    wanted: str = ""
    """With `sampling`: what makes its trace worth keeping; empty where nothing does."""
    decision: Any = None
    """With `sampling`: what was decided about its trace at the start; None where a stage holds it."""


class SampledOut(NamedTuple):
    """A span that sampling leaves out."""

    reason: str
    """What decided so (`tracebridge.sampling.decision`)."""


class Group(msgspec.Struct, eq=False):
    """The spans held under one key."""

    key: bytes
    began: float
    """Monotonic seconds at which the first was held."""
    deadline: float
    """Monotonic seconds by which it has to be decided."""
    decision: Any = None
    spans: list[tuple[Hashable, bytes]] = []
    """What the journal knows each span by, and the span."""
    size: int = GROUP_OVERHEAD
    wanted: str = ""
    cut: str = ""
    """Which bound had it decided before its time."""


class Holding:
    """What is held, oldest key first, within bounds: `max_bytes` of all, `max_spans` of one key."""

    def __init__(self, max_bytes: int | None = None, max_spans: int | None = None) -> None:
        self._groups: OrderedDict[bytes, Group] = (
            OrderedDict()
        )  # of a dict, to find the first takes long after many were taken
        self._size = 0
        self.count = 0
        """How many spans are held here; those that somebody took out to decide about them are not."""
        self._max_bytes = MOST_HELD_BYTES if max_bytes is None else max_bytes
        self._max_spans = max_spans
        self._waits: set[float] = set()

    def add(self, held: Held, span: Hashable) -> Group | None:
        """Hold a span; return the group that has to be decided now, if one has."""
        data, key = held.data, held.key
        group = self._groups.get(key)
        if group is None:
            now, wait_s = time.monotonic(), held.wait_s
            group = self._groups[key] = Group(key, now, now + wait_s, held.decision)
            self._waits.add(wait_s)
            self._size += GROUP_OVERHEAD
        group.spans.append((span, data))
        self.count += 1
        size = len(data) + SPAN_OVERHEAD
        group.size += size
        self._size += size
        if held.wanted and not group.wanted:
            group.wanted = held.wanted
        if held.decide:
            group.decision = held.decision  # it is the root that knows
            return self.take(key)
        if self._max_spans is not None and len(group.spans) >= self._max_spans:
            group.cut = "max_spans"
            return self.take(key)
        if self._size > self._max_bytes:
            oldest = next(iter(self._groups.values()))
            oldest.cut = "max_bytes"
            return self.take(oldest.key)
        return None

    def take(self, key: bytes) -> Group | None:
        """Take the spans of a key out; None where none are held."""
        group = self._groups.pop(key, None)
        if group is not None:
            self._size -= group.size
            self.count -= len(group.spans)
        return group

    def take_due(self, now: float) -> list[Group]:
        """Take out what has waited long enough."""
        due = []
        shortest = min(self._waits, default=0.0)
        for group in self._groups.values():
            if group.began + shortest > now:
                break  # those behind it began later
            if group.deadline <= now:
                group.cut = "wait"
                due.append(group)
        for group in due:
            self.take(group.key)
        return due

    def take_all(self) -> list[Group]:
        """Take out everything."""
        groups = list(self._groups.values())
        self._groups.clear()
        self._size = self.count = 0
        return groups

    @property
    def oldest(self) -> float | None:
        """Monotonic seconds at which the first span was held of those that are; None when nothing is held."""
        return next((group.began for group in self._groups.values()), None)

    @property
    def next_deadline(self) -> float | None:
        """Monotonic seconds at which the next group is due; None when nothing is held."""
        groups = self._groups.values()
        most = 1 if len(self._waits) == 1 else None  # with one wait for all the first is the next
        return min((group.deadline for group in islice(groups, most)), default=None)
