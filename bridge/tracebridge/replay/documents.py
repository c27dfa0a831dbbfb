"""JSON documents among lines: indented ones, concatenated ones, and ones too large to be held.

A line that is whole goes on as it is. One that opens a JSON value and does not close it begins a document, which goes on as one text when it is closed;
a document that is larger than `LARGE` goes on as several, each of which holds whole elements of its outermost list, so that memory stays bounded. What
turns out not to be a document, because a line follows that cannot be a part of one, goes on line by line.

Nothing is parsed here: where a value ends is told by its brackets outside of strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

LARGE = 2**18  # bytes of a document from which it is taken apart: a larger tree of objects costs more a span
MAX_OPEN = 1_000  # brackets inside brackets; what is deeper no decoder takes
BATCH = 2**16  # bytes of elements that go on together, about

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
head_of = re.compile(
    rb'\s*(?:\[|\{\s*"(data|resourceSpans|resource_spans|batches|traces)"\s*:\s*\[)'
).match  # the lists that formats have outermost
_first_key = re.compile(rb'\s*\{\s*("[^"\\]{0,100}")').match
_ANY_CUT = re.compile(rb"(?<=\}),\s*(?=\{)")
_MAY_OPEN = re.compile(rb'\{\s*(?:"|$)|\[\s*(?:[{\[]|$)')
_MAY_GO_ON = frozenset(b' \t\r\n{}[],"')
_BETWEEN = b" \t\r\n,"
_LAST_OF_OPEN = frozenset(b'{[,:}]"')


class Brackets:
    """Which brackets are open at the end of what was fed so far."""

    def __init__(self) -> None:
        self.open = b""
        """In order; a closing one that does not fit stays, and nothing fits any more."""
        self.lowest = 0
        """How many were open where the fewest were, within what was fed last."""
        self.in_string = False
        """Whether the end is within a string."""
        self._held = b""
        """A backslash at the end, of which the next byte tells what it is."""

    @property
    def state(self) -> tuple[bytes, bool, bytes]:
        """What can be gone back to."""
        return self.open, self.in_string, self._held

    @state.setter
    def state(self, before: tuple[bytes, bool, bytes]) -> None:
        self.open, self.in_string, self._held = before

    @property
    def broken(self) -> bool:
        """Whether a bracket was closed that was not open, or more are open than anybody writes."""
        return len(self.open) > MAX_OPEN or b"}" in self.open or b"]" in self.open

    def feed(self, text: bytes) -> None:
        """Take the next bytes. Split at its quotes, JSON is outside and inside of strings by turns."""
        if self._held or b"\\" in text:
            text = self._held + text
            self._held = b"\\" if (len(text) - len(text.rstrip(b"\\"))) % 2 else b""
            text = text[: len(text) - len(self._held)].replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = text.split(b'"')
        bare = b"".join(parts[self.in_string :: 2])
        self.in_string ^= len(parts) % 2 == 0
        own = _without_pairs(bare.translate(None, _NO_BRACKETS))
        self.lowest = len(self.open) - (len(own) - len(own.lstrip(b"}]")))
        self.open = _without_pairs(self.open + own)


def _without_pairs(brackets: bytes) -> bytes:
    while (rest := brackets.replace(b"{}", b"").replace(b"[]", b"")) != brackets:
        brackets = rest
    return brackets


def opens_document(line: bytes) -> bool:
    """Return whether a line (without its newline) opens a JSON value and does not close it."""
    last = line[-1:]
    if (last == b"}" and line[:1] == b"{") or not line or line[0] not in b"{[":
        return False
    line = line.rstrip()
    if not line or line[-1] not in _LAST_OF_OPEN or _MAY_OPEN.match(line) is None:
        return False
    brackets = Brackets()
    brackets.feed(line)
    return bool(brackets.open) and not brackets.in_string and not brackets.broken


class Document:
    """A document that is being read."""

    def __init__(self) -> None:
        self.size = 0
        self.lines: list[bytes] = []
        """What was added and has not gone on, piece by piece."""
        self._last = b""
        self._brackets = Brackets()
        self._elements: _Elements | None = None

    @classmethod
    def within(cls, head: bytes, element: bytes) -> Document:
        """Return a document of which some elements have gone on: `head` is what opens it, `element` the beginning of what comes next."""
        document = cls()
        document._in_list(head, element)
        document._last = b","
        return document

    @property
    def closed(self) -> bool:
        """Whether all that was opened is closed."""
        return not self._brackets.open

    @property
    def in_parts(self) -> bool:
        """Whether some of it has gone on already."""
        return self._elements is not None

    @property
    def cannot_be(self) -> bool:
        """Whether this is not JSON."""
        return self._brackets.broken

    def may_go_on_with(self, line: bytes) -> bool:
        """Return whether a line can be the next of this document, as far as its first byte tells."""
        if self._brackets.in_string:
            return False
        if line[:1] in (b"{", b"["):  # at the beginning of a line an element stands so, and every line of a log
            return self._last in (b"[", b",") and self._brackets.open.endswith(b"[")
        return line[0] in _MAY_GO_ON

    def closes_within(self, line: bytes) -> bool:
        """Return whether a line begins with the bracket that closes this document, and another value follows on it."""
        return len(self._brackets.open) == 1 and line[:1] in (b"}", b"]") and line[1:].strip(_BETWEEN) != b""

    def add(self, piece: bytes) -> Iterator[bytes] | tuple[()]:
        """Take a line with its newline, or a part of one; return texts that can go on."""
        self.size += len(piece)
        self._last = piece.rstrip()[-1:] or self._last
        if self._elements is not None:
            return self._elements.add(piece, self._brackets)
        self._brackets.feed(piece)
        self.lines.append(piece)
        if self.size > LARGE and not self.closed:
            return self.take_apart()
        return ()

    def take_apart(self) -> Iterator[bytes] | tuple[()]:
        """Go on in parts from here, and return the first of them; nothing where no outermost list is known."""
        text = b"".join(self.lines)
        head = head_of(text)
        if head is None:
            return ()
        self.lines = []
        elements = self._in_list(head[0], text[head.end() :])
        return elements.add(text[head.end() :], self._brackets)

    def _in_list(self, head: bytes, first: bytes) -> _Elements:
        """Go on within the outermost list; `first` is the beginning of an element."""
        self._brackets = Brackets()
        self._brackets.feed(head)
        found = head_of(head)
        self._elements = _Elements(found[1] if found is not None else None, first)
        return self._elements

    @property
    def held(self) -> int:
        """How many bytes of one value are held: of the document, or of an element."""
        return self.size if self._elements is None else self._elements.held

    def rest(self) -> bytes:
        """Return what has not gone on: the whole document, for most."""
        if self._elements is not None:
            return self._elements.rest()
        return b"".join(self.lines)

    def unfinished(self, most: int) -> bytes:
        """Return the first bytes of what was read of an element that has not ended."""
        pieces = self.lines if self._elements is None else self._elements.unfinished
        return b"".join(_first(pieces, most)).strip(_BETWEEN)[:most]


def _first(pieces: Sequence[bytes], most: int) -> Iterator[bytes]:
    """Yield so many of the pieces as hold that many bytes."""
    for piece in pieces:
        if most <= 0:
            return
        yield piece
        most -= len(piece)


class _Elements:
    """The elements of a document's outermost list."""

    def __init__(self, name: bytes | None, first: bytes) -> None:
        self._head, self._tail = (b"[", b"]") if name is None else (b'{"' + name + b'":[', b"]}")
        self._level = 1 if name is None else 2
        key = _first_key(first)
        self._cut = re.compile(rb"(?<=\}),\s*(?=\{\s*" + re.escape(key[1]) + rb")") if key else _ANY_CUT
        self._whole: list[bytes] = []
        self._size = 0
        self._current: list[bytes] = []
        self.held = 0
        """Bytes of the element that has not ended."""
        self._is_over = False

    def add(self, piece: bytes, brackets: Brackets) -> Iterator[bytes]:
        """Take the next bytes; yield texts of whole elements."""
        for part in self._parts(piece):
            before = brackets.state
            brackets.feed(part)
            if self._is_over:
                continue
            if brackets.lowest < self._level:
                brackets.state = before
                self._current.append(self._before_the_end(part, brackets))
                self._is_over = True
            else:
                self._current.append(part)
                self.held += len(part)
            if self._is_over or (len(brackets.open) == self._level and not brackets.in_string):
                text = b"".join(self._current).strip(_BETWEEN)
                self._current, self.held = [], 0
                if text and self._size >= BATCH:  # and not before: the last goes on with the end of the document
                    yield self.rest()
                if text:
                    self._whole.append(text)
                    self._size += len(text)

    def _parts(self, piece: bytes) -> Iterator[bytes]:
        """Cut between objects, at most of them between elements: what is cut elsewhere is put together again."""
        cuts = [found.start() for found in self._cut.finditer(piece)]
        if not cuts and len(piece) > BATCH:
            cuts = [found.start() for found in _ANY_CUT.finditer(piece)]
        for begin, end in zip([0, *cuts], [*cuts, len(piece)], strict=True):
            yield piece[begin:end]

    def _before_the_end(self, part: bytes, brackets: Brackets) -> bytes:
        """Return what of a part stands before the bracket that ends the list; all of it is fed."""
        end = 0
        brackets.lowest = self._level
        while brackets.lowest >= self._level and b"]" in part[end:]:
            begin, end = end, part.index(b"]", end) + 1
            brackets.feed(part[begin:end])
        brackets.feed(part[end:])
        return part[: end - 1]

    def rest(self) -> bytes:
        """Return the whole elements that have not gone on; empty when there are none."""
        whole, self._whole, self._size = self._whole, [], 0
        return self._head + b",".join(whole) + self._tail if whole else b""

    @property
    def unfinished(self) -> Sequence[bytes]:
        """The pieces of an element that has not ended."""
        return self._current
