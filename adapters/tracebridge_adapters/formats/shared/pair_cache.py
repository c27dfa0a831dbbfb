"""Encoded key/value pairs, remembered: spans repeat themselves, and attributes are most of what encoding one costs.

Encoded means bytes, or the object that a library makes bytes of; whoever reads one from here must not change it.

A hit is three dictionary subscripts and no call: the dictionaries fill themselves through `__missing__`. Values of the three types are kept
apart because 1 and True are equal in Python. What is remembered is bounded in count and in size, so that user IDs and long texts
pass through without staying.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tracebridge.records.record import Value

MAX_KEYS = 512  # keys remembered; then all are forgotten and learned anew
MAX_VALUES = 64  # values remembered of a key and type
MAX_TEXT = 64  # characters of a text worth remembering
MAX_KEY = 256  # characters of a key worth remembering

T = TypeVar("T")
Write = Callable[[Value], T]


class Remembered(dict[Value, T]):
    """What `write` made of values of one type, as a mapping that fills itself: the pairs of one key, the names of spans."""

    __slots__ = ("write",)

    def __init__(self, write: Write[T]) -> None:
        self.write = write

    def __missing__(self, value: Value) -> T:
        if len(self) >= MAX_VALUES:
            self.clear()
        encoded = self.write(value)
        if type(value) is not str or len(value) <= MAX_TEXT:
            self[value] = encoded
        return encoded


class _Keys(dict[str, Remembered[T]]):
    """The keys seen with one type of value."""

    __slots__ = ("_writer_of",)

    def __init__(self, writer_of: Callable[[str], Write[T]]) -> None:
        self._writer_of = writer_of

    def __missing__(self, key: str) -> Remembered[T]:
        values = Remembered(self._writer_of(key))
        if len(key) <= MAX_KEY:
            if len(self) >= MAX_KEYS:
                self.clear()
            self[key] = values
        return values


class PairCache(Generic[T]):
    """Encodes attributes. `writer_of(key)` returns the function that encodes a value under that key.

    Safe from several threads: what one forgets or learns while another reads costs an encoding, never a wrong one.
    """

    __slots__ = ("_bools", "_ints", "_texts")

    def __init__(self, writer_of: Callable[[str], Write[T]]) -> None:
        self._texts: _Keys[T] = _Keys(writer_of)
        self._ints: _Keys[T] = _Keys(writer_of)
        self._bools: _Keys[T] = _Keys(writer_of)

    def encoded(self, attributes: dict[str, Value]) -> list[T]:
        """Return the encoded pairs in their order."""
        texts, ints, bools = self._texts, self._ints, self._bools
        out = []
        for key, value in attributes.items():
            kind = type(value)
            if kind is str:
                out.append(texts[key][value] if len(value) <= MAX_TEXT else texts[key].write(value))
            elif kind is int:
                out.append(ints[key][value])
            elif kind is bool:
                out.append(bools[key][value])
            else:
                out.append(texts[key].write(value))
        return out
