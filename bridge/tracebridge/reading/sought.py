"""What a text may mean where a trace is looked for: an ID in any form of any scheme, half of one, part of one, a span's ID."""

from __future__ import annotations

import contextlib
import string
from typing import NamedTuple

from tracebridge.errors import TracebridgeError
from tracebridge.ids.digits import decimal_bytes
from tracebridge.ids.scheme import SPAN_BYTES, Refused
from tracebridge.ids.schemes import MAX_CUSTOM_ID, derive_span, takers
from tracebridge.records.record import carried

_WIRE_DIGITS = 32


class Sought(NamedTuple):
    """A text and its meanings."""

    text: str
    wire: tuple[bytes, ...]
    """The wire IDs (16 bytes) that the installed schemes make of it, those that read it before those that hash it."""
    low: tuple[bytes, ...]
    """The last 8 bytes of wire IDs: what Datadog, and Zipkin and Jaeger of old, wrote into logs, in decimal or in hex."""
    spans: tuple[bytes, ...]
    """Span IDs (8 bytes)."""
    digits: str
    """The text when it is hex digits only, so that it may be part of a wire ID; else empty."""


class Near(NamedTuple):
    """A trace that a text may mean."""

    trace_id: bytes
    custom_trace_id: str | None
    why: str
    """`ID`, `low 64 bits`, `span ID`, `part of the ID`, `part of the wire ID` or `similar`."""


def sought(text: str) -> Sought:
    """Return everything that a text may mean.

    >>> sought("5208512171318403364").low[0].hex(), sought("48485a3953bb6124").low[0].hex()
    ('48485a3953bb6124', '48485a3953bb6124')
    """
    text = carried(text.strip())
    if not 0 < len(text) <= MAX_CUSTOM_ID:
        return Sought(text, (), (), (), "")
    wire = tuple(dict.fromkeys(takers(text).values()))
    low = [each[SPAN_BYTES:] for each in wire if not any(each[:SPAN_BYTES])]
    number = _signed(text)
    digits = text if len(text) <= _WIRE_DIGITS and not set(text) - set(string.hexdigits) else ""
    spans = list(low) if digits else []
    with contextlib.suppress(TracebridgeError):
        spans.append(derive_span(text)[0])
    return Sought(text, wire, tuple(dict.fromkeys([*low, *number])), tuple(dict.fromkeys([*spans, *number])), digits)


def _signed(text: str) -> list[bytes]:
    """Return a negative decimal number, as Java and databases write the upper half of 64 bits."""
    if not text.startswith("-"):
        return []
    try:
        number = int.from_bytes(decimal_bytes(text[1:], SPAN_BYTES, 63), "big")
    except Refused:
        return []
    return [(2**64 - number).to_bytes(SPAN_BYTES, "big")] if number else []
