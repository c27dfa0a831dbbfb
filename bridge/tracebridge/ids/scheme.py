"""The contract of a scheme: how one system's IDs are written, from text to bytes and back.

A scheme is a `Scheme` value. A package of your own offers one by an entry point of the group `tracebridge.id_schemes`
that names it; `trace_ids: {scheme: NAME}` and `TraceId(text, "NAME")` then find it, as they find ours.

    ORDER = Scheme("order numbers, ORD- and digits", derive=order_bytes, back=order_text)

`derive` is a pure function: any process, host or language that knows the text has to come to the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

TRACE_BYTES = 16
SPAN_BYTES = 8


class Refused(ValueError):
    """The text is not of the scheme's form. `str()` says which part is wrong, as `it has 25 characters, not 26`."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How IDs of one kind are read and written."""

    accepts: str
    """What the scheme takes, for people: `26 characters of Crockford's base 32`."""
    derive: Callable[[str], bytes]
    """From text (1 to 512 characters) to 16 bytes; raises `Refused`. Zeros are refused by the caller."""
    back: Callable[[bytes], str | None] | None = None
    """From 16 bytes to the canonical text, which derives the same bytes; None where the scheme cannot write these."""
    derive_span: Callable[[str], bytes] | None = None
    """From text to a span ID of 8 bytes; None for a scheme of trace IDs only."""
    back_span: Callable[[bytes], str | None] | None = None
    """From 8 bytes to the canonical text of a span ID."""


NOT_HEX = re.compile(r"[^0-9a-fA-F]")
NOT_DECIMAL = re.compile(r"[^0-9]")


def refuse_other(text: str, other: re.Pattern[str], wanted: str, start: int = 0) -> None:
    """Raise Refused at the first character that `other` matches; `start` is where the text stands in the whole ID."""
    found = other.search(text)
    if found:
        raise Refused(f"character {start + found.start() + 1} is {found[0]!r}, not a {wanted}")


def refuse_length(text: str, wanted: int) -> None:
    """Raise Refused when the text has not this many characters."""
    if len(text) != wanted:
        raise Refused(f"it has {len(text)} characters, not {wanted}")
