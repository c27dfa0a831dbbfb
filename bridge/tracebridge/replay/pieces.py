"""Lines and JSON documents put together piece by piece, whatever form they have.

A piece is a line with its newline, or at least `PIECE` bytes of a longer one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from tracebridge.replay.documents import Document, opens_document
from tracebridge.replay.line import CUT_OFF, MAX_LINE, SHOWN, TOO_LONG, Line, Position

PIECE = 2**18  # bytes that are looked at of a line at once


class Pieces:
    """Makes lines and documents of the pieces of a file, read from a position on."""

    def __init__(self, at: Position) -> None:
        self.end, self.number = at.end, at.number
        """Bytes that were taken, and lines that were begun."""
        self._in_line = False
        self._long: list[bytes] | None = None
        self._long_size = 0
        """Bytes of the line that `_long` has; of one that is too long only the beginning is kept."""
        self._document: Document | None = None
        self._first_number = self._document_at = 0

    def take(self, piece: bytes) -> Iterator[Line]:
        """Take the next line with its newline, or at least `PIECE` bytes of one; yield what is complete."""
        begins, self._in_line = not self._in_line, piece[-1:] != b"\n"
        self.end += len(piece)
        self.number += begins
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
            yield from self._close(document, self.end) if document.closed else self._leave(document)
        elif self._long is not None:
            yield self._whole_of(self._long)._replace(ended=False)

    @property
    def at_rest(self) -> bool:
        """Whether a line begins here, and no document is open."""
        return self._document is None and not self._in_line

    def pass_by(self, size: int, lines: int) -> None:
        """Go on behind so many bytes, with so many ends of lines, that were taken elsewhere."""
        self.end += size
        self.number += lines

    def pass_over_line(self) -> None:
        """Pass over what follows on this line."""
        self.number += 1
        self._in_line, self._long = True, None

    def go_on_within(self, head: bytes, element: bytes, first_number: int) -> None:
        """Go on in the middle of a document and of a line: behind a whole element of the list that `head` opens."""
        self.number += 1
        self._in_line = True
        self._document, self._first_number = Document.within(head, element), first_number

    def _begin(self, piece: bytes) -> Iterator[Line]:
        if piece[-1:] == b"\n":
            text = piece[:-1]
            if not opens_document(text):
                yield Line(text[:MAX_LINE], self.number, self.end, TOO_LONG if len(text) > MAX_LINE else "")
                return
        elif len(piece) < PIECE:  # the end of the file
            yield Line(piece, self.number, self.end, ended=False)
            return
        elif piece[0] not in b"{[":
            self._long, self._long_size = [piece], len(piece)
            return
        self._document, self._first_number = Document(), self.number
        self._document_at = self.end - len(piece)
        for text in self._document.add(piece):
            yield Line(text, self._first_number, self.end, ended=False)

    def _lengthen(self, piece: bytes) -> Iterator[Line]:
        """Add to a line that is longer than a piece and not a document."""
        if self._long is None:
            return
        self._long_size += len(piece)
        if self._long_size <= MAX_LINE:
            self._long.append(piece)
        else:
            del self._long[1:]
        if not self._in_line:
            yield self._whole_of(self._long)

    def _whole_of(self, parts: list[bytes]) -> Line:
        """Return the long line that has ended."""
        self._long = None
        fault = TOO_LONG if self._long_size > MAX_LINE else ""
        return Line(b"".join(parts).removesuffix(b"\n"), self.number, self.end, fault)

    def _go_on(self, document: Document, piece: bytes, begins: bool) -> Generator[Line, None, bytes]:
        """Add to the document; return what is not a part of it any more."""
        if begins and not document.may_go_on_with(piece):
            yield from self._leave(document)
            return piece
        rest = b""
        if begins and document.closes_within(piece):
            piece, rest = piece[:1], piece[1:]
        for text in document.add(piece):
            yield Line(text, self._first_number, self.end, ended=False)
        if document.cannot_be or document.held > MAX_LINE:
            yield from self._leave(document, TOO_LONG if not document.cannot_be else CUT_OFF)
        elif document.closed and (rest or not self._in_line):
            yield from self._close(document, self.end - len(rest))
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
                yield Line(text, self._first_number, self.end, ended=False)
        beginning = document.unfinished(SHOWN if fault == TOO_LONG else MAX_LINE)
        yield Line(beginning, self._first_number, self.end, fault, ended=False)
        self._long = None  # what follows on this line is passed over
