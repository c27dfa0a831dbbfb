"""What is read of a file: lines and documents, each with the position behind it, so that reading can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MAX_LINE = 64 * 2**20  # bytes of one line or document that is looked at; what is longer is passed over and counted
SHOWN = 2**12  # bytes of what is longer that go on, to be told
TOO_LONG = "longer than any line that holds spans"
CUT_OFF = "the document ends in the middle of a value"


class Line(NamedTuple):
    """One line without its newline, or a JSON document."""

    text: bytes
    number: int
    """From 1."""
    end: int
    """Bytes of the (uncompressed) file up to and with its newline."""
    fault: str = ""
    """What is wrong with it: `text` is only its beginning then."""
    ended: bool = True
    """False for what a later run has to read again: the last line of a file whose newline is not there, a part of a document."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on in a file."""

    end: int = 0
    """Bytes of the (uncompressed) file that are done."""
    number: int = 0
    """Lines that are done."""
