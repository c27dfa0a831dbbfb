"""Few objects that many spans share, each translated once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

MOST = 256  # objects; past that the memory starts over

T = TypeVar("T")


class Remembered(Generic[T]):
    """Translations by the identity of what was translated, which is held so that its identity stays its own."""

    def __init__(self, translate: Callable[[Any], T]) -> None:
        self._translate = translate
        self._known: dict[int, tuple[Any, T]] = {}

    def of(self, given: Any) -> T:
        """Return the translation of an object."""
        known = self._known.get(id(given))
        if known is not None and known[0] is given:
            return known[1]
        made = self._translate(given)
        if len(self._known) >= MOST:
            self._known = {}
        self._known[id(given)] = (given, made)
        return made
