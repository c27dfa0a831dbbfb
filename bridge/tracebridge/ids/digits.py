"""Schemes of plain digits: hex of any width, decimal numbers, MongoDB's object IDs."""

from __future__ import annotations

from tracebridge.ids.scheme import (
    NOT_DECIMAL,
    NOT_HEX,
    SPAN_BYTES,
    TRACE_BYTES,
    Refused,
    Scheme,
    refuse_length,
    refuse_other,
)

OBJECTID_DIGITS = 24


def hex_bytes(text: str, size: int) -> bytes:
    """Return 1 to `2 * size` hex digits of any case as `size` bytes, zeros on the left. Raises Refused."""
    if not 0 < len(text) <= 2 * size:
        raise Refused(f"it has {len(text)} characters, and {size} bytes have 1 to {2 * size} hex digits")
    refuse_other(text, NOT_HEX, "hex digit")
    return bytes.fromhex(text.zfill(2 * size))


def decimal_bytes(text: str, size: int, bits: int) -> bytes:
    """Return an unsigned decimal number below 2**bits as `size` bytes, big-endian. Raises Refused."""
    refuse_other(text, NOT_DECIMAL, "decimal digit")
    if not text:
        raise Refused("it has no digits")
    number = int(text)
    if number >> bits:
        raise Refused(f"the number needs more than {bits} bits")
    return number.to_bytes(size, "big")


def decimal_text(data: bytes) -> str:
    """Return bytes as a decimal number, big-endian."""
    return str(int.from_bytes(data, "big"))


def low_decimal(trace_id: bytes) -> str | None:
    """Return a trace ID of 64 bits as a decimal number; None for a longer one."""
    return None if any(trace_id[:8]) else decimal_text(trace_id)


def _objectid(text: str) -> bytes:
    refuse_length(text, OBJECTID_DIGITS)
    return hex_bytes(text, TRACE_BYTES)


def _objectid_back(trace_id: bytes) -> str | None:
    return None if any(trace_id[:4]) else trace_id[4:].hex()


HEX = Scheme(
    "1 to 32 hex digits, any case",
    derive=lambda text: hex_bytes(text, TRACE_BYTES),
    back=bytes.hex,
    derive_span=lambda text: hex_bytes(text, SPAN_BYTES),
    back_span=bytes.hex,
)
DECIMAL = Scheme(
    "an unsigned decimal number of at most 128 bits",
    derive=lambda text: decimal_bytes(text, TRACE_BYTES, 128),
    back=decimal_text,
    derive_span=lambda text: decimal_bytes(text, SPAN_BYTES, 64),
    back_span=decimal_text,
)
SNOWFLAKE = Scheme(
    "an unsigned decimal number of at most 64 bits",
    derive=lambda text: decimal_bytes(text, TRACE_BYTES, 64),
    back=low_decimal,
    derive_span=lambda text: decimal_bytes(text, SPAN_BYTES, 64),
    back_span=decimal_text,
)
OBJECTID = Scheme("24 hex digits, as MongoDB writes an ObjectId", derive=_objectid, back=_objectid_back)
