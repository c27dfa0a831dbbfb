"""Reading protobuf's wire format: a message as a sequence of numbered fields (protobuf.dev, "Encoding")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_Bytes = bytes  # `Message` has a method of that name
MAX_VARINT_BITS = 70  # ten bytes of seven bits
FIXED64, FIXED32 = 1, 5


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value): varints and fixed-width ones as unsigned int, length-delimited ones as bytes.

    Raises ValueError for bytes that are not a protobuf message, or only the beginning of one.
    """
    at, end = 0, len(data)
    while at < end:
        key = data[at]  # most numbers are of one byte: they are read here, without a call
        if key < 0x80:
            at += 1
        else:
            key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        if field == 0:
            raise ValueError("no protobuf: field number 0")
        if kind == 0:
            number, at = _varint(data, at)
            yield field, number
            continue
        if kind == 2:
            if at < end and data[at] < 0x80:
                size = data[at]
                at += 1
            else:
                size, at = _varint(data, at)
        elif kind in {FIXED64, FIXED32}:
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"no protobuf: wire type {kind}")
        content = data[at : at + size]
        at += size
        if at > end:
            raise ValueError("no protobuf: it ends in the middle of a field")
        yield field, content if kind == 2 else int.from_bytes(content, "little")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < MAX_VARINT_BITS:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise ValueError("not protobuf: a number without an end")


def signed(number: int) -> int:
    """Return an int64 from its two's complement.

    >>> signed(2**64 - 1)
    -1
    """
    return number - 2**64 if number >= 2**63 else number


def double(number: int) -> float:
    """Return the double of a fixed64's bits."""
    value: float = struct.unpack("<d", number.to_bytes(8, "little"))[0]
    return value


class Message:
    """A message's fields by number, each a list in the order of the wire. Its methods raise ValueError for a field of another kind."""

    def __init__(self, data: bytes) -> None:
        found: dict[int, list[int | bytes]] = {}
        for number, value in fields(data):
            values = found.get(number)
            if values is None:
                found[number] = [value]
            else:
                values.append(value)
        self._fields = found

    def has(self, field: int) -> bool:
        """Whether the field stands in the message at all."""
        return field in self._fields

    def number(self, field: int, default: int = 0) -> int:
        """Return a varint or a fixed-width number, unsigned."""
        value = self._fields.get(field, [default])[-1]  # the last one wins, as protobuf asks
        if not isinstance(value, int):
            raise ValueError(f"field {field} is not a number")
        return value

    def bytes(self, field: int) -> bytes:
        """Return a length-delimited field's content; empty when it is not there."""
        value = self._fields.get(field, [b""])[-1]
        if not isinstance(value, bytes):
            raise ValueError(f"field {field} is neither text nor a message")
        return value

    def text(self, field: int) -> str:
        """Return a text. Raises ValueError when it is no UTF-8."""
        return self.bytes(field).decode()

    def messages(self, field: int) -> list[Message]:
        """Return the messages of a repeated field."""
        return [Message(content) for content in self.contents(field)]

    def contents(self, field: int) -> list[_Bytes]:
        """Return the messages of a repeated field as bytes."""
        contents: Any = self._fields.get(field)
        if contents is None:
            return []
        for content in contents:
            if not isinstance(content, bytes):
                raise ValueError(f"field {field} is not a message")
        found: list[_Bytes] = contents
        return found

    def message(self, field: int) -> Message:
        """Return the message of a field that stands once."""
        return Message(self.content(field))

    def content(self, field: int) -> _Bytes:
        """Return the message of a field that stands once as bytes; several pieces of one are one, as protobuf asks."""
        pieces = [content for content in self._fields.get(field, ()) if isinstance(content, bytes)]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
