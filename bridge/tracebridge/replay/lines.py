"""Lines of files: finished or still growing, with the JSON documents among them put together."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from tracebridge.replay import pieces
from tracebridge.replay.documents import opens_document
from tracebridge.replay.inputs import STDIN, as_unreadable, go_to, open_input
from tracebridge.replay.line import MAX_LINE, SHOWN, TOO_LONG, Line, Position
from tracebridge.replay.pieces import Pieces
from tracebridge.replay.printed import OtherFormError, PrintedDocument

BLOCK = 2**18  # bytes that are read at once
_BOM = b"\xef\xbb\xbf"
_THRIFT_LIST = b"\x0c\x00"  # a list of structs in Thrift's binary protocol; no text begins so


class Lines:
    """Makes lines of the blocks of a file, read from a position on.

    A line that is whole goes on as it is, which is nearly all; a document is cut as programs print it, and only what has another form is put together
    piece by piece.
    """

    def __init__(self, at: Position) -> None:
        self._pieces = Pieces(at)
        self._rest = b""
        """The beginning of a line that has not ended."""
        self._printed: PrintedDocument | None = None

    def take(self, block: bytes) -> Iterator[Line]:
        """Take the next bytes of the file; yield what is complete."""
        data, at, taking = self._rest + block, 0, self._pieces
        self._rest = b""
        if not taking.end and data.startswith(_BOM):
            at = taking.end = len(_BOM)
        while at < len(data):
            if self._printed is not None:
                data, at = (yield from self._take_printed(self._printed, data[at:])), 0
                continue
            if taking.at_rest:
                at = yield from self._whole_lines(data, at)
            stop = data.find(b"\n", at) + 1
            if not stop:
                if len(data) - at < pieces.PIECE:
                    break
                stop = len(data)
            piece = data[at:stop]
            if taking.at_rest and (piece[-1:] == b"\n" or piece[0] in b"{["):
                self._printed = PrintedDocument(piece)
                continue
            at = stop
            yield from taking.take(piece)
        self._rest = data[at:]

    def _whole_lines(self, data: bytes, at: int) -> Generator[Line, None, int]:
        """Yield the lines from here on that are whole; return where something else begins."""
        taking = self._pieces
        find, number, end = data.find, taking.number, taking.end
        while (stop := find(b"\n", at)) >= 0:
            text = data[at:stop]
            if (text[-1:] != b"}" or text[:1] != b"{") and opens_document(text):
                break
            number += 1
            end += stop + 1 - at
            at = stop + 1
            yield Line(text, number, end) if len(text) <= MAX_LINE else Line(text[:MAX_LINE], number, end, TOO_LONG)
        taking.number, taking.end = number, end
        return at

    def finish(self) -> Iterator[Line]:
        """Yield what is there of a document or a line that has not ended."""
        while (printed := self._printed) is not None:
            try:
                yield from self._lines_of(printed, printed.finish())
                self._printed = None
            except OtherFormError:
                self._rest = yield from self._by_pieces(printed)
                yield from self.take(b"")
        if self._rest:
            yield from self._pieces.take(self._rest)
        yield from self._pieces.finish()

    def _take_printed(self, printed: PrintedDocument, data: bytes) -> Generator[Line, None, bytes]:
        """Give the document what follows; return what is not of it, or has to be taken once more."""
        try:
            yield from self._lines_of(printed, printed.take(data))
        except OtherFormError:
            return (yield from self._by_pieces(printed))
        if printed.closed:
            self._printed = None
        elif printed.size > MAX_LINE:
            self._printed = None
            beginning, in_line = printed.give_up(SHOWN)
            yield Line(beginning, self._pieces.number + 1, self._pieces.end, TOO_LONG, ended=False)
            self._pieces.pass_by(printed.passed, printed.passed_lines)
            if in_line:
                self._pieces.pass_over_line()
        return printed.rest

    def _lines_of(self, printed: PrintedDocument, texts: Iterator[bytes]) -> Iterator[Line]:
        for text in texts:
            number = self._pieces.number + 1
            if printed.closed:
                self._pieces.pass_by(printed.passed, printed.passed_lines)
            yield Line(text, number, self._pieces.end, ended=printed.closed)

    def _by_pieces(self, printed: PrintedDocument) -> Generator[Line, None, bytes]:
        """Go on piece by piece where a document has another form; return what has to be taken once more."""
        self._printed = None
        taking, number, held = self._pieces, self._pieces.number + 1, printed.hand_over()
        taking.pass_by(printed.passed, printed.passed_lines)
        if printed.in_parts:
            taking.go_on_within(printed.head, held, number)
        stop = held.find(b"\n") + 1 or len(held)
        yield from taking.take(held[:stop])
        return held[stop:]


def read_lines(path: str, start: Position | None = None) -> Iterator[Line]:
    """Yield the lines of a file from a position to its end; the last may lack its newline.

    Raises UnreadableError when the file cannot be opened or its compression breaks off.
    """
    at = start or Position()
    with open_input(path) as file, as_unreadable(path):
        if at.end:
            go_to(file, at.end)
        elif file.peek(2)[:2] == _THRIFT_LIST:
            yield from _whole_file(file)
            return
        lines = Lines(at)
        while block := file.read1(BLOCK):
            yield from lines.take(block)
        yield from lines.finish()


def _whole_file(file: io.BufferedReader) -> Iterator[Line]:
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
            if not isinstance(file.raw, io.FileIO) or path == STDIN:
                break
            yield from _follow_one(path, file, at, stop)
        at = Position()
    else:
        return
    yield from read_lines(path, at)


def _follow_one(path: str, file: io.BufferedReader, at: Position, stop: Callable[[], bool]) -> Iterator[Line | None]:
    """Yield the lines of one incarnation of a growing file: until it is moved away and read, or truncated."""
    lines, end = Lines(at), at.end
    file.seek(end)
    gone = False
    while True:
        while block := file.read(BLOCK):
            end += len(block)
            yield from lines.take(block)
        if gone:
            yield from lines.finish()
            return
        if stop():
            return
        yield None
        here = os.fstat(file.fileno())
        if here.st_size < end:
            return
        gone = _moved(path, here)


def _moved(path: str, here: os.stat_result) -> bool:
    """Whether the name stands for another file by now (or for none)."""
    try:
        there = Path(path).stat()
    except OSError:
        return True
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
