"""JSON documents in the form in which programs print them, cut by the bytes between their elements: no line is looked at.

A program that prints a document puts the same bytes between all elements of a list, and the bracket that closes the document at the beginning of a line
(or the whole document on one line). So a document ends at the first such bracket, and an element of its outermost list ends at the bytes that stand
between two of them. Each cut is checked: what was cut off must be JSON by itself. Where it is not, the document is in some other form, and
`documents` tells by its brackets where it ends, at ten times the cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from tracebridge.replay import documents
from tracebridge.replay.documents import head_of

MOST_HELD = 2**22  # bytes without a cut, from which a document in parts is taken for one in another form
_BETWEEN = b" \t\r\n,"
_first_element = re.compile(rb'(\s*)\{\s*"[^"\\]{0,100}"').match
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_value = msgspec.json.Decoder(msgspec.Raw).decode
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class OtherFormError(Exception):
    """The document is in another form."""


class PrintedDocument:
    """A document of which the first bytes were read. `first` is what its first line has of it."""

    def __init__(self, first: bytes) -> None:
        whole_line = first.endswith(b"\n")
        closing = b"}" if first[:1] == b"{" else b"]"
        self._end = b"\n" + closing if whole_line else b"\n"
        self._held = bytearray()
        self._looked_at = 0
        """Bytes of `_held` in which no end was found."""
        self._head = b""
        self._tail = b""
        self._between: tuple[bytes, ...] = ()
        self._has_list: bool | None = None
        """Whether it has an outermost list that is known; None while it is small."""
        self.passed = self.passed_lines = 0
        """Bytes and ends of lines of what has gone on."""
        self.rest = b""
        """What stands behind the end, once it is closed."""
        self.closed = False

    @property
    def in_parts(self) -> bool:
        """Whether some of it has gone on already."""
        return bool(self._head)

    def hand_over(self) -> bytes:
        """Return what was taken and has not gone on, and hold it no longer."""
        held = bytes(self._held)
        self._held.clear()
        return held

    def give_up(self, most: int) -> tuple[bytes, bool]:
        """Pass over what is held; return its first bytes, and whether it ends in the middle of a line."""
        beginning, in_line = bytes(self._held[:most]), not self._held.endswith(b"\n")
        self._pass(len(self._held))
        return beginning, in_line

    @property
    def size(self) -> int:
        """How many bytes are held."""
        return len(self._held)

    @property
    def head(self) -> bytes:
        """What stands in front of what is held, once it is in parts: brackets that are open, and the name of the list."""
        return self._head

    def take(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield texts that can go on. Raises OtherFormError, with everything still held that has not gone on."""
        held = self._held
        held += data
        begin, stop = self._find_end()
        if self._has_list is None and not stop and len(held) > documents.LARGE:
            self._look_for_list()
        if self._between:
            yield from self._whole_elements(begin if stop else len(held))
            begin, stop = self._find_end() if stop else (0, 0)
        if stop:
            yield from self._close(begin, stop)
        elif self.in_parts and len(held) > MOST_HELD:
            raise OtherFormError

    def finish(self) -> Iterator[bytes]:
        """There is no more: yield the rest. Raises OtherFormError where it is not the end of a document."""
        yield from self._close(len(self._held), len(self._held))

    def _find_end(self) -> tuple[int, int]:
        """Return where the document ends, and what stands behind it begins; zeros where that is not known yet."""
        at = self._held.find(self._end, self._looked_at)
        if at < 0:
            self._looked_at = max(0, len(self._held) - len(self._end) + 1)
            return 0, 0
        end = at + len(self._end)
        if self._end == b"\n":
            return end, end
        line_end = self._held.find(b"\n", end)
        if line_end < 0:
            self._looked_at = at
            return 0, 0
        return end, end if self._held[end:line_end].strip(_BETWEEN) else line_end + 1

    def _look_for_list(self) -> None:
        """Find the outermost list and what stands between its elements."""
        found = head_of(bytes(self._held[: documents.LARGE]))
        first = _first_element(self._held, found.end()) if found is not None else None
        self._has_list = first is not None
        if found is None or first is None:
            return
        name = found[1]
        self._head, self._tail = (b"[", b"]") if name is None else (b'{"' + name + b'":[', b"]}")
        element = first[0]
        self._between = (b"}," + element,) if first[1] else (b"}," + element, b"}, " + element)
        self._pass(found.end())

    def _whole_elements(self, until: int) -> Iterator[bytes]:
        """Yield the elements before the last place between two, in texts of about `BATCH` bytes. Raises OtherFormError."""
        held = self._held
        cut = max(held.rfind(between, 0, until) for between in self._between) + 1  # behind the bracket
        if not cut:
            return
        try:
            elements = _elements(b"[" + held[:cut] + b"]")
        except _NO_JSON:
            raise OtherFormError from None
        batch: list[msgspec.Raw] = []
        size = 0
        for element in elements:
            batch.append(element)
            size += len(memoryview(element))
            if size >= documents.BATCH:
                yield self._head + b",".join(batch) + self._tail
                batch, size = [], 0
        if batch:
            yield self._head + b",".join(batch) + self._tail
        self._pass(cut + 1)

    def _close(self, end: int, stop: int) -> Iterator[bytes]:
        """Yield what stands before the end. Raises OtherFormError where that is not JSON."""
        text = self._head + self._held[:end].rstrip()
        try:
            _value(text)
        except _NO_JSON:
            raise OtherFormError from None
        self._pass(stop)
        self.closed, self.rest = True, bytes(self._held)
        self._held.clear()
        yield text

    def _pass(self, size: int) -> None:
        """Count so many bytes as gone on, and forget them."""
        self.passed += size
        self.passed_lines += self._held.count(b"\n", 0, size)
        self._looked_at = max(0, self._looked_at - size)
        del self._held[:size]
