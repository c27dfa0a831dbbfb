"""A bounded memory of key names, shared by redaction and by the fast path that needs none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

CACHED_KEYS = 8192  # most key names remembered as harmless; past that they are judged anew each time
MAX_LEARNT_KEY = 256  # characters; a longer key is judged anew each time


class KnownKeys:
    """A bounded memory of key names that are known to be no secrets, so that a whole mapping is judged in one step."""

    def __init__(self, is_secret: Callable[[str], bool]) -> None:
        self._is_secret = is_secret
        self.known: set[str] = set()

    def learn(self, keys: Iterable[Any]) -> bool:
        """Return whether every key is harmless plain text, remembering those that are."""
        harmless = True
        for key in keys:
            if type(key) is not str or len(key) > MAX_LEARNT_KEY or not key.isascii() or self._is_secret(key):
                harmless = False
            elif len(self.known) < CACHED_KEYS:
                self.known.add(key)
        return harmless
