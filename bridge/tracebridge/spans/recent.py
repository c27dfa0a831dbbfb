"""A bounded memory of keys seen lately, at a constant cost per key."""

from __future__ import annotations

from collections.abc import Set

import msgspec


class RecentKeys(msgspec.Struct, eq=False):
    """Remembers at least the last `capacity` keys and at most twice as many.

    Two generations of sets: when the young one is full it becomes the old one and the old one is forgotten. Adding and
    asking are one set operation each, whatever the capacity. A struct, because every trace makes one.
    """

    capacity: int
    young: set[str] = set()
    old: Set[str] = frozenset()

    def add(self, key: str) -> None:
        """Remember a key."""
        if len(self.young) >= self.capacity:
            self.age()
        self.young.add(key)

    def age(self) -> None:
        """Begin a new generation. For hot paths that add to `young` themselves and look at its size."""
        self.old, self.young = self.young, set()

    def __contains__(self, key: object) -> bool:
        return key in self.young or key in self.old
