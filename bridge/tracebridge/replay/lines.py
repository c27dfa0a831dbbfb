"""Lines of files: finished or still growing, with the JSON documents among them put together.

Lines keep their number and the offset behind them, so that reading can be resumed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tracebridge.replay.documents import Document, opens_document
from tracebridge.replay.inputs import STDIN, as_unreadable, go_to, open_input

MAX_LINE = 64 * 2**20  # bytes of one line or document that is looked at; what is longer is passed over and counted
PIECE = 2**18  # bytes that are read of a line at once
TOO_LONG = "longer than any line that holds spans"
CUT_OFF = "the document ends in the middle of a value"
_BOM = b"\xef\xbb\xbf"
_THRIFT_LIST = b"\x0c\x00"  # a list of structs in Thrift's binary protocol; no text begins so


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


class Assembler:
    """Makes lines of the pieces of a file, read from a position on."""

    def __init__(self, at: Position) -> None:
        self._at_end, self._number = at.end, at.number
        self._in_line = False
        self._long: list[bytes] | None = None
        self._document: Document | None = None
        self._first_number = self._document_at = 0

    def take(self, piece: bytes) -> Iterator[Line]:
        """Take the next line with its newline, or at least `PIECE` bytes of one; yield what is complete."""
        if not self._at_end:
            piece = self._without_mark(piece)
        begins, self._in_line = not self._in_line, piece[-1:] != b"\n"
        self._at_end += len(piece)
        self._number += begins
        if self._document is not None:
            piece = yield from self._go_on(self._document, piece, begins)
        if piece and begins:
            yield from self._begin(piece)
        elif piece:
            yield from self._lengthen(piece)

    def finish(self) -> Iterator[Line]:
        """Yield what is there of a document or a line that has not ended."""
        document = self._document
        if document is not None:
            yield from self._close(document, self._at_end) if document.closed else self._leave(document)
        elif self._long is not None:
            yield self._line(b"".join(self._long), ended=False)
            self._long = None

    def _without_mark(self, piece: bytes) -> bytes:
        self._at_end = len(_BOM) if piece.startswith(_BOM) else 0
        return piece.removeprefix(_BOM)

    def _begin(self, piece: bytes) -> Iterator[Line]:
        if piece[-1:] == b"\n":
            text = piece[:-1]
            if not opens_document(text):
                yield Line(text, self._number, self._at_end) if len(text) <= MAX_LINE else self._line(text)
                return
        elif len(piece) < PIECE:  # the end of the file
            yield Line(piece, self._number, self._at_end, ended=False)
            return
        elif piece[0] not in b"{[":
            self._long = [piece]
            return
        self._document, self._first_number = Document(piece), self._number
        self._document_at = self._at_end - len(piece)

    def _lengthen(self, piece: bytes) -> Iterator[Line]:
        """Add to a line that is longer than a piece and not a document."""
        if self._long is None:
            return
        if sum(map(len, self._long)) <= MAX_LINE:
            self._long.append(piece)
        if not self._in_line:
            text, self._long = b"".join(self._long).removesuffix(b"\n"), None
            yield self._line(text)

    def _line(self, text: bytes, *, ended: bool = True) -> Line:
        fault = TOO_LONG if len(text) > MAX_LINE else ""
        return Line(text[:MAX_LINE], self._number, self._at_end, fault, ended)

    def _go_on(self, document: Document, piece: bytes, begins: bool) -> Generator[Line, None, bytes]:
        """Add to the document; return what is not a part of it any more."""
        if begins and not document.may_go_on_with(piece):
            yield from self._leave(document)
            return piece
        rest = b""
        if begins and document.closes_within(piece):
            piece, rest = piece[:1], piece[1:]
        for text in document.add(piece):
            yield Line(text, self._first_number, self._at_end, ended=False)
        if document.cannot_be or document.held > MAX_LINE:
            yield from self._leave(document, TOO_LONG if not document.cannot_be else CUT_OFF)
        elif document.closed and (rest or not self._in_line):
            yield from self._close(document, self._at_end - len(rest))
        return rest

    def _close(self, document: Document, end: int) -> Iterator[Line]:
        self._document = None
        text = document.rest()
        if text:
            yield Line(text.rstrip(), self._first_number, end)

    def _leave(self, document: Document, fault: str = CUT_OFF) -> Iterator[Line]:
        """Give up a document: its whole elements are read, what it was not is lines again."""
        self._document = None
        if not document.in_parts and all(line[:1] in (b"{", b"[") for line in document.lines[1:]):
            end = self._document_at
            for number, line in enumerate(document.lines, self._first_number):
                end += len(line)
                yield Line(line.removesuffix(b"\n"), number, end)
            return
        whole = list(document.take_apart()) if not document.in_parts else []
        for text in (*whole, document.rest() if document.in_parts else b""):
            if text:
                yield Line(text, self._first_number, self._at_end, ended=False)
        yield Line(document.unfinished()[:MAX_LINE], self._first_number, self._at_end, fault, ended=False)
        if self._in_line:
            self._long = []  # what follows on this line is passed over


def read_lines(path: str, start: Position | None = None) -> Iterator[Line]:
    """Yield the lines of a file from a position to its end; the last may lack its newline.

    Raises UnreadableError when the file cannot be opened or its compression breaks off.
    """
    at = start or Position()
    with open_input(path) as file, as_unreadable(path):
        if at.end:
            go_to(file, at.end)
        elif isinstance(file, io.BufferedReader) and file.peek(2)[:2] == _THRIFT_LIST:
            yield from _whole_file(file)
            return
        lines = Assembler(at)
        while piece := file.readline(PIECE):
            yield from lines.take(piece)
        yield from lines.finish()


def _whole_file(file: BinaryIO) -> Iterator[Line]:
    """Yield a binary file as one line."""
    text = file.read(MAX_LINE + 1)
    yield Line(text[:MAX_LINE], 1, len(text), TOO_LONG if len(text) > MAX_LINE else "")


def follow(path: str, start: Position | None = None, *, stop: Callable[[], bool]) -> Iterator[Line | None]:
    """Yield a file's lines and go on as it grows, until `stop()`; None each time there is nothing new (the caller waits then).

    A file that is moved away by a logrotate is read to its end and its successor from the beginning; one that is truncated is read
    from the beginning too. A line counts once its newline is there. Compressed files do not grow: they are read to their end.
    Raises UnreadableError as `read_lines` does.
    """
    at = start or Position()
    while not stop():
        if path != STDIN and not Path(path).exists():  # between a rotation and the new file
            yield None
            continue
        with open_input(path) as file:
            if not isinstance(file, io.BufferedReader) or not isinstance(file.raw, io.FileIO) or path == STDIN:
                break
            yield from _follow_one(path, file, at, stop)
        at = Position()
    else:
        return
    yield from read_lines(path, at)


def _follow_one(path: str, file: BinaryIO, at: Position, stop: Callable[[], bool]) -> Iterator[Line | None]:
    """Yield the lines of one incarnation of a growing file: until it is moved away and read, or truncated."""
    lines, end, pending = Assembler(at), at.end, b""
    file.seek(end)
    gone = False
    while True:
        while text := file.readline(PIECE):
            pending += text
            if pending[-1:] == b"\n" or len(pending) >= PIECE:
                end += len(pending)
                yield from lines.take(pending)
                pending = b""
        if gone:
            if pending:
                yield from lines.take(pending)
            yield from lines.finish()
            return
        if stop():
            return
        yield None
        here = os.fstat(file.fileno())
        if here.st_size < end + len(pending):
            return
        gone = _moved(path, here)


def _moved(path: str, here: os.stat_result) -> bool:
    """Whether the name stands for another file by now (or for none)."""
    try:
        there = Path(path).stat()
    except OSError:
        return True
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
