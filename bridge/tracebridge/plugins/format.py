"""The contract of a file format: what dead letters are kept in, what `convert` writes and `replay` reads.

A format enters by an entry point of the group `tracebridge.formats` that names a class; the core builds it with the attribute under
which the caller's own trace ID travels and knows nothing else about it. Formats are pure: no I/O, no threads, no state between calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.signing import Proof
from tracebridge.records.record import SpanRecord


class Decoded(msgspec.Struct, frozen=True):
    """What a line or a document held."""

    records: list[SpanRecord]
    notes: list[str] = []
    """What could not be restored, for a person to read: `3 attributes were cut`."""
    damage: list[str] = []
    """Spans that could not be read beside those that could: for each its place in the document, and why."""
    writer: str = ""
    """Who numbered the line, where lines are numbered: missing numbers of one writer are lost lines."""
    seq: int = 0
    """The line's number, counted from 1 by its writer; 0 when it has none."""
    proof: Proof | None = None
    """Who wrote the line, and that it was not changed, where lines are signed."""


class OtherLineError(ValueError):
    """What looked right is nevertheless an ordinary log line: no span, and no damage."""


class Format(Protocol):
    """Spans as lines of text (one line, one or more spans), or as documents of several lines. One that has `encode` too is a `WritableFormat`."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        """Build; no I/O."""
        ...

    def looks_right(self, line: bytes) -> bool:
        """Whether a line is worth decoding: a cheap look at its bytes, never an error."""
        ...

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of one line, exactly as they were where the format promises it.

        Raises ValueError when it is none of ours, OtherLineError when it is an application's own line.
        """
        ...


class WritableFormat(Format, Protocol):
    """A format both ways."""

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return these records (at least one) as whole lines, each with its newline."""
        ...
