"""The spans that a stage holds, by the key under which it will decide about them. Changed under the journal's lock."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

MOST_HELD_BYTES = 64 * 2**20  # of all spans held; beyond it the oldest key is decided at once


class Held(NamedTuple):
    """A span that a stage holds, encoded as the journal keeps it."""

    data: bytes
    key: bytes
    decide: bool
    wait_s: float


class Group:
    """The spans held under one key."""

    __slots__ = ("deadline", "key", "size", "spans")

    def __init__(self, key: bytes, deadline: float) -> None:
        self.key = key
        self.deadline = deadline
        """Monotonic seconds by which the stage is asked."""
        self.spans: list[tuple[Hashable, bytes]] = []
        """What the journal knows each span by, and the span."""
        self.size = 0


class Holding:
    """What is held, oldest key first."""

    def __init__(self) -> None:
        self._groups: dict[bytes, Group] = {}
        self._size = 0

    def add(self, held: Held, span: Hashable, now: float) -> Group | None:
        """Hold a span; return the group that has to be decided now, if one has."""
        group = self._groups.get(held.key)
        if group is None:
            group = self._groups[held.key] = Group(held.key, now + held.wait_s)
        group.spans.append((span, held.data))
        group.size += len(held.data)
        self._size += len(held.data)
        if held.decide:
            return self.take(held.key)
        if self._size > MOST_HELD_BYTES:
            return self.take(next(iter(self._groups)))
        return None

    def take(self, key: bytes) -> Group | None:
        """Take the spans of a key out; None where none are held."""
        group = self._groups.pop(key, None)
        if group is not None:
            self._size -= group.size
        return group

    def take_due(self, now: float) -> list[Group]:
        """Take out what has waited long enough."""
        return [self._taken(group) for group in list(self._groups.values()) if group.deadline <= now]

    def take_all(self) -> list[Group]:
        """Take out everything."""
        return self.take_due(float("inf"))

    def _taken(self, group: Group) -> Group:
        self.take(group.key)
        return group

    @property
    def next_deadline(self) -> float | None:
        """Monotonic seconds at which the next group is due; None when nothing is held."""
        return min((group.deadline for group in self._groups.values()), default=None)
