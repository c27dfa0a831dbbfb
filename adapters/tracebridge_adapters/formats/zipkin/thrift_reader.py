"""Zipkin v1 spans in Thrift's binary protocol (zipkin-api 1.0.0, `thrift/zipkinCore.thrift`; Thrift binary protocol, strict or not).

Only what a list of spans needs is read, in thirty lines, so that no library is needed for it.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import Any

from tracebridge.plugins.format import Decoded
from tracebridge_adapters.formats.zipkin.reader import TakeApart, read_all
from tracebridge_adapters.formats.zipkin.v1 import to_v2

LIST_OF_STRUCTS = b"\x0c\x00"  # the type, and the first byte of a number that is not enormous
MAX_DEPTH = 16  # structs inside structs; a span has three
_Struct = dict[int, Any]


class _Bytes:
    """Thrift's binary protocol, from the beginning on."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise ValueError("the bytes end in the middle of a value")
        self._at += size
        return bytes(self._data[self._at - size : self._at])

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self, kind: int, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"values more than {MAX_DEPTH} deep")
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == 11:
            return self.take(self.number(">i"))
        if kind == 12:
            return self.struct(depth)
        if kind in (14, 15):
            of = self.number(">b")
            return [self.value(of, depth + 1) for _ in range(self._count())]
        if kind == 13:
            key, of = self.number(">b"), self.number(">b")
            return {self._key(key, depth): self.value(of, depth + 1) for _ in range(self._count())}
        raise ValueError(f"type {kind} is not Thrift's")

    def struct(self, depth: int = 0) -> _Struct:
        out: _Struct = {}
        while kind := self.number(">b"):
            field = self.number(">h")
            out[field] = self.value(kind, depth + 1)
        return out

    def _key(self, kind: int, depth: int) -> Any:
        key = self.value(kind, depth + 1)
        return key if isinstance(key, (bytes, int, float)) else repr(key)

    def _count(self) -> int:
        count: int = self.number(">i")
        if not 0 <= count <= len(self._data) - self._at:  # an element has a byte at least
            raise ValueError(f"a list of {count} elements is longer than the bytes")
        return count


_NUMBERS = {2: ">?", 3: ">b", 4: ">d", 6: ">h", 8: ">i", 10: ">q"}


def decode(data: bytes, take_apart: TakeApart) -> Decoded:
    """Return the records of a list of spans, as far as it can be read; what cannot is named. Raises ValueError for what is not such a list.

    `take_apart` splits a span's tags into record fields.
    """
    source = _Bytes(data)
    if source.number(">b") != 12:
        raise ValueError("not Zipkin's Thrift: not a list of structs")
    spans: list[Any] = []
    damage = []
    count: int = source.number(">i")
    for number in range(count):
        try:
            spans += to_v2(_span(source.struct()))
        except (ValueError, TypeError, AttributeError) as error:
            damage.append(f"span {number + 1} of {count}, and what follows it: {error}")
            break
    read = read_all(spans, take_apart)
    return Decoded(read.records, damage=[*read.damage, *damage])


def _span(given: _Struct) -> dict[str, Any]:
    """Return a span as v1 writes it in JSON."""
    high = given.get(12)
    span: dict[str, Any] = {
        "traceId": (_hex(high) if high else "") + _hex(given.get(1, 0)),
        "id": _hex(given.get(4, 0)),
        "name": _text(given.get(3, b"")),
        "annotations": [
            {"timestamp": each.get(1), "value": _text(each.get(2, b"")), "endpoint": _endpoint(each.get(3))}
            for each in given.get(6, ())
        ],
        "binaryAnnotations": [
            {"key": _text(each.get(1, b"")), "value": _value_of(each), "endpoint": _endpoint(each.get(4))}
            for each in given.get(8, ())
        ],
    }  # fmt: skip
    if given.get(5):
        span["parentId"] = _hex(given[5])
    return span | {
        key: given[field] for key, field in (("debug", 9), ("timestamp", 10), ("duration", 11)) if given.get(field)
    }


def _value_of(given: _Struct) -> Any:
    read: Callable[[Any], Any] = _VALUES.get(given.get(3), _text)
    return read(given.get(2, b""))


def _hex(number: int) -> str:
    return f"{number & 0xFFFFFFFFFFFFFFFF:016x}"


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _unpacked(form: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        return struct.unpack(form, value)[0] if len(value) == struct.calcsize(form) else _text(value)

    return read


_VALUES: dict[Any, Callable[[Any], Any]] = {
    0: lambda value: value == b"\x01", 2: _unpacked(">h"), 3: _unpacked(">i"), 4: _unpacked(">q"), 5: _unpacked(">d"),
}  # fmt: skip


def _endpoint(given: Any) -> dict[str, Any] | None:
    if not isinstance(given, dict):
        return None
    out: dict[str, Any] = {"serviceName": _text(given.get(3, b""))}
    if given.get(1):
        out["ipv4"] = str(ipaddress.IPv4Address(given[1] & 0xFFFFFFFF))
    if given.get(2):
        out["port"] = given[2] & 0xFFFF
    if len(given.get(4) or b"") == 16:
        out["ipv6"] = str(ipaddress.IPv6Address(given[4]))
    return out
