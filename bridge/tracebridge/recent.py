"""A bounded memory of keys seen lately, at a constant cost per key."""

from __future__ import annotations


class RecentKeys:
    """Remembers at least the last `capacity` keys and at most twice as many.

    Two generations of sets: when the young one is full it becomes the old one and the old one is forgotten. Adding and
    asking are one set operation each, whatever the capacity.
    """

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: set[str] = set()
        self._old: set[str] = set()

    def add(self, key: str) -> None:
        """Remember a key."""
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, set()
        self._young.add(key)

    def __contains__(self, key: object) -> bool:
        return key in self._young or key in self._old
