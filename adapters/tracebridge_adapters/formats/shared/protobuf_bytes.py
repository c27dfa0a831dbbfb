"""Writing protobuf's wire format (protobuf.dev, "Encoding"): numbers and what has a length. Lengths below 16,384 come from a table."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """Return a number of at most 64 bits, unsigned."""
    if number < 1 << 28:  # most numbers beyond the table: a loop takes five times as long
        if number < 1 << 21:
            if number > 0x3FFF:
                return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
        else:
            return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, number >> 21))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LAST = [bytes((n,)) for n in range(0x80)]
_MORE = [bytes((n | 0x80,)) for n in range(0x80)]
TABLE = _LAST + [low + high for high in _LAST[1:] for low in _MORE]
"""The numbers that nearly every length is one of, by themselves; joined like this because calling `varint` for each takes four times as long at import."""


def length(size: int) -> bytes:
    """Return a length, or another small number."""
    return TABLE[size] if size < 16_384 else varint(size)


def message(tag: bytes, body: bytes) -> bytes:
    """Return a field that has a length: a message, a text or bytes. `tag` is the field's number and its wire type."""
    return tag + length(len(body)) + body


def message_of(tag: bytes, parts: list[bytes]) -> list[bytes]:
    """Return the same in parts, to be joined once: a batch takes some hundred kilobytes, which are not copied at every level."""
    return [tag, length(sum(map(len, parts))), *parts]


def utf8(value: str) -> bytes:
    """Return a text as UTF-8; what that cannot carry is a question mark."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")
