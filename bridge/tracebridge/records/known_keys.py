"""A bounded memory of key names, shared by redaction and by the fast path that needs none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from typing import Any

CACHED_KEYS = 8192  # most key names remembered as harmless; past that they are judged anew each time
MAX_LEARNT_KEY = 256  # characters; a longer key is judged anew each time
LONGEST_NAME = 64  # characters; the first of two elements that is longer is not a name


class KnownKeys:
    """A bounded memory of key names that are known to be no secrets, so that a whole mapping is judged in one step."""

    def __init__(self, is_secret: Callable[[str], bool], looked_into: Collection[str] = ()) -> None:
        self._is_secret = is_secret
        self._looked_into = looked_into  # keys that are not secrets and whose values may hold some
        self._names_secret = functools.lru_cache(maxsize=1024)(is_secret)
        self.known: set[str] = set()

    def holds_named_secret(self, pair: Any) -> bool:
        """Return whether a list of two elements, or a dict with `name` (or `key`) and `value`, is the name of a secret and its value.

        That is how WSGI, ASGI, HTTP clients and HAR keep headers.
        """
        if type(pair) is dict:
            name = pair.get("name", pair.get("key")) if "value" in pair else None
        else:
            name = pair[0] if len(pair) == 2 else None
        if type(name) is bytes and len(name) <= LONGEST_NAME:
            name = name.decode("latin-1")
        return type(name) is str and len(name) <= LONGEST_NAME and self._names_secret(name)

    def learn(self, keys: Iterable[Any]) -> bool:
        """Return whether every key is harmless plain text, remembering those that are."""
        harmless = True
        for key in keys:
            if (
                type(key) is not str
                or len(key) > MAX_LEARNT_KEY
                or not key.isascii()
                or key in self._looked_into
                or self._is_secret(key)
            ):
                harmless = False
            elif len(self.known) < CACHED_KEYS:
                self.known.add(key)
        return harmless
