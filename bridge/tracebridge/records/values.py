"""Any Python value to something recordable, at the moment of the call, without ever raising.

What comes out is a snapshot: built of str, int (signed 64 bit), float, bool, bytes, list and dict only, sharing nothing
that the caller can still change. What does not fit is replaced by the nearest text and counted in the tally; what is
too big is cut and counted. A hostile `__str__`, a cycle, a lone surrogate or a mapping that changes while it is
read costs a mark on the span, never the span.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import uuid
from collections import deque
from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Any

import msgspec

from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.fast_path import MOST_AT_ONCE, NODE_COST, FastPath
from tracebridge.records.known_keys import KnownKeys
from tracebridge.records.record import Value

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_DEPTH = 32  # containers inside containers; deeper ones become text
MAX_TEXT_FROM_OBJECT = 16_384  # characters kept of an arbitrary object's str()
MAX_SHOWN = 200  # characters of a value in a message
CUT_MARK = "…"
_READ_TRIES = 3  # how often a mapping that changes while it is read is read again

_AS_TEXT = (Decimal, uuid.UUID, datetime.timedelta)  # a short way only: other objects become their text, too
_TIMES = (datetime.datetime, datetime.date, datetime.time)
_LISTS = (list, tuple, deque, Set)


class Tally(msgspec.Struct, eq=False, gc=False):
    """What had to be done to values of one span: counts of cuts and repairs."""

    repaired: int = 0
    truncated: int = 0


class _Budget:
    """What is left of a payload's limit while it is walked, and the containers on the way down to here."""

    __slots__ = ("left", "path")

    def __init__(self, left: int) -> None:
        self.left = left
        self.path: set[int] = set()


class Reducer:
    """Turns values into snapshots under the limits of one client.

    `text_limit` is the longest string in characters (`limits.attribute_value_length_limit`), `payload_limit` the
    most that one inputs/outputs value or one container may weigh, in bytes (`limits.payload_length_limit`). A mapping of more
    than `most_attributes` takes the long way.
    """

    def __init__(
        self, *, text_limit: int, payload_limit: int, keys: KnownKeys, most_attributes: int = MOST_AT_ONCE
    ) -> None:
        self._text_limit = text_limit
        self._payload_limit = payload_limit
        short = FastPath(text_limit=text_limit, payload_limit=payload_limit, most_attributes=most_attributes, keys=keys)
        self.known_keys = keys.known
        self.fast_attributes, self.fast_payload = short.attributes, short.payload
        """The short look, which nearly every value passes; None from it means that this class decides (`attributes`, `payload`)."""

    def attributes(self, given: Any, tally: Tally) -> dict[str, Value]:
        """Return a fresh dict of recordable attributes; None values are left out (None means not set)."""
        taken = given.copy() if type(given) is dict else self._mapping(given, tally)
        return {
            self._key(key, tally): self.attribute(value, tally) for key, value in taken.items() if value is not None
        }

    def show(self, value: Any) -> str:
        """Return a short text for a message about a value, whatever the value is."""
        return self._of_object(value, Tally())[:MAX_SHOWN]

    def attribute(self, value: Any, tally: Tally) -> Value:
        """Return a snapshot of one attribute value."""
        kind = type(value)
        if kind is bool or kind is float:
            return value
        if kind is str:
            return self.text(value, tally)
        return self._walk(value, _Budget(self._payload_limit), tally, self._text_limit)

    def payload(self, value: Any, tally: Tally) -> Value:
        """Return a snapshot of inputs or outputs; strings inside may be as long as the whole payload may be."""
        if type(value) is str:
            return self._clean(value, self._payload_limit, tally)
        return self._walk(value, _Budget(self._payload_limit), tally, self._payload_limit)

    def text(self, value: Any, tally: Tally) -> str:
        """Return text that UTF-8 can carry, no longer than the limit."""
        if type(value) is str and len(value) <= self._text_limit and value.isascii():
            return value
        if issubclass(type(value), str):
            return self._clean(str.__str__(value), self._text_limit, tally)
        return self._of_object(value, tally)

    def _clean(self, value: str, limit: int, tally: Tally) -> str:
        if len(value) > limit:
            value = value[: max(0, limit - len(CUT_MARK))] + CUT_MARK
            tally.truncated += 1
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:  # lone surrogates: keep them readable as \udXXX
                value = value.encode("utf-8", "backslashreplace").decode()
                tally.repaired += 1
        return value

    def _key(self, key: Any, tally: Tally) -> str:
        if type(key) is str:
            return self._clean(key, self._text_limit, tally)
        if key is None or type(key) in {bool, int, float}:
            return str(key)
        if issubclass(type(key), enum.Enum) and isinstance(key.value, str):
            key = key.value
        return self.text(key, tally)

    def _mapping(self, given: Any, tally: Tally) -> dict[Any, Any]:
        """Copy any mapping; what is not a mapping is kept as one marked attribute."""
        if issubclass(type(given), Mapping):
            for _ in range(_READ_TRIES):
                try:
                    return {key: given[key] for key in list(given)}
                except (KeyError, RuntimeError):  # changed while it was read
                    continue
                except BaseException as error:
                    raise_interrupt(error)
                    break
        tally.repaired += 1
        return {"tracebridge.unreadable_attributes": self._of_object(given, tally)}

    def _walk(self, value: Any, budget: _Budget, tally: Tally, text_limit: int) -> Value:
        budget.left -= NODE_COST
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is str:
            if len(value) > text_limit or len(value) > budget.left or not value.isascii():
                value = self._clean(value, max(1, min(text_limit, budget.left)), tally)
            budget.left -= len(value)
            return value
        if kind is int and INT64_MIN <= value <= INT64_MAX:
            return value
        try:
            if kind is dict or kind is list:  # most of what is left, before the questions that only others need
                return self._container(value, budget, tally, text_limit)
            # the type decides, never `value.__class__`, which an object may lie about or refuse to tell
            if issubclass(kind, int):
                return self._integer(int.__index__(value), tally)
            if issubclass(kind, enum.Enum):
                return self._walk(value.value, budget, tally, text_limit)
            if issubclass(kind, str):
                return self._walk(str.__str__(value), budget, tally, text_limit)
            if issubclass(kind, float):
                return float.__float__(value)
            if issubclass(kind, (bytes, bytearray, memoryview)):
                return self._bytes(value, budget, tally)
            if issubclass(kind, _TIMES):
                return self.text(value.isoformat(), tally)
            if issubclass(kind, _AS_TEXT):
                return self.text(str(value), tally)
            return self._container(value, budget, tally, text_limit)
        except BaseException as error:
            raise_interrupt(error)
            tally.repaired += 1
            return self._of_object(value, Tally())

    @staticmethod
    def _integer(number: int, tally: Tally) -> Value:
        if INT64_MIN <= number <= INT64_MAX:
            return number
        tally.repaired += 1
        return _big_int_text(number)

    def _bytes(self, value: bytes | bytearray | memoryview, budget: _Budget, tally: Tally) -> bytes:
        limit = max(0, budget.left)
        if len(value) > limit:
            tally.truncated += 1
        taken = bytes(value[:limit])
        budget.left -= len(taken)
        return taken

    def _container(self, value: Any, budget: _Budget, tally: Tally, text_limit: int) -> Value:
        kind = type(value)
        fields = value if kind is dict else None
        if fields is None and kind is not list:
            fields = value if issubclass(kind, Mapping) else _fields_of(value)
        if fields is None and kind is not list and not issubclass(kind, _LISTS):
            plain = _numpy_plain(value, _most_nodes(budget))
            return self._of_object(value, tally) if plain is None else self._walk(plain, budget, tally, text_limit)
        if id(value) in budget.path or len(budget.path) >= MAX_DEPTH:
            tally.repaired += 1
            return "<cycle>" if id(value) in budget.path else "<too deep>"
        budget.path.add(id(value))
        try:
            if fields is not None:
                return self._dict(fields, budget, tally, text_limit)
            out: list[Value] = []
            # a slice is one step too, and what cannot fit is not even copied
            for item in value[: _most_nodes(budget)] if kind is list or kind is tuple else list(value):
                if budget.left <= 0:
                    tally.truncated += 1
                    break
                out.append(self._walk(item, budget, tally, text_limit))
            return out
        finally:
            budget.path.discard(id(value))

    def _dict(self, fields: Any, budget: _Budget, tally: Tally, text_limit: int) -> dict[str, Value]:
        taken = fields.copy() if type(fields) is dict else self._mapping(fields, tally)
        out: dict[str, Value] = {}
        for key, item in taken.items():
            if budget.left <= 0:
                tally.truncated += 1
                break
            plain = type(key) is str and len(key) <= self._text_limit and key.isascii()
            name = key if plain else self._key(key, tally)
            budget.left -= len(name)
            out[name] = self._walk(item, budget, tally, text_limit)
        return out

    def _of_object(self, value: Any, tally: Tally) -> str:
        """Return an arbitrary object's own text, or say that it has none."""
        for show in (str, repr):
            try:
                shown = show(value)
                return self._clean(str.__str__(shown), min(self._text_limit, MAX_TEXT_FROM_OBJECT), tally)
            except BaseException as error:
                raise_interrupt(error)
                continue
        tally.repaired += 1
        return f"<{type(value).__name__}: unprintable>"


def _big_int_text(number: int) -> str:
    try:
        return str(number)
    except ValueError:  # past sys.set_int_max_str_digits
        return hex(number)


def _fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, msgspec struct, named tuple or pydantic-like model, else None."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name, None) for name in value.__struct_fields__}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {str(name): getattr(value, str(name)) for name in value._fields}
    dump = getattr(type(value), "model_dump", None)
    if callable(dump):
        dumped = dump(value)
        return dumped if type(dumped) is dict else None
    return None


def _most_nodes(budget: _Budget) -> int:
    """Return more elements than a budget has room for, so that a value that is cut there is still seen to be cut."""
    return max(0, budget.left) // NODE_COST + 2


def _numpy_plain(value: Any, most: int) -> Any:
    """Return a numpy-like scalar or array as Python's own types, else None; numpy itself is never imported.

    Of an array with more than `most` elements only the first rows are read, because a list of numbers takes several times their room.
    """
    if not (hasattr(value, "dtype") and hasattr(value, "tolist")):
        return None
    shape = tuple(getattr(value, "shape", ()))
    size = math.prod(shape)
    if size > most:
        value = value[: most * shape[0] // size + 1]
    return value.tolist()


def copied(value: Any) -> Any:
    """Return a recorded value for others to change: its lists and mappings are copied, however deep they are."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if type(value) is list:
        return [copied(item) for item in value]
    return value
