"""A bounded memory of keys seen lately, at a constant cost per key."""

from __future__ import annotations


class RecentKeys:
    """Remembers at least the last `capacity` keys and at most twice as many.

    Two generations of sets: when the young one is full it becomes the old one and the old one is forgotten. Adding and
    asking are one set operation each, whatever the capacity.
    """

    __slots__ = ("_old", "capacity", "young")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.young: set[str] = set()
        self._old: set[str] = set()

    def add(self, key: str) -> None:
        """Remember a key."""
        if len(self.young) >= self.capacity:
            self.age()
        self.young.add(key)

    def age(self) -> None:
        """Begin a new generation. For hot paths that add to `young` themselves and look at its size."""
        self._old, self.young = self.young, set()

    def __contains__(self, key: object) -> bool:
        return key in self.young or key in self._old
