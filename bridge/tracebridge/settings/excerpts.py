"""Source lines as a report may print them: what could be a secret stands there as `***`.

The rule is "hidden unless known to be harmless". A scalar is printed only after the reader found that it belongs to an
option that is not secret; comments are left out; anchors, aliases and tags are hidden, because `password: !x` and
`password: *x` are what an unquoted secret may look like. Where a file could not be read to its end, no value was looked at, so none is
printed: only the keys that the parser found before it stopped, and the marks between them.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracebridge.masking.names import SECRET_WORDS, is_secret_key
from tracebridge.settings.place import Place
from tracebridge.settings.safe_keys import MASK, names_secret, shown_key
from tracebridge.settings.tree import Document, Key, Node

MAX_WIDTH: Final = 150  # characters of a source line; the part around the caret is kept
_MARKS: Final = frozenset(" \t-?:,[]{}")  # what stands between keys and values
# anchors, aliases, tags, the heads of block scalars: each may be how an unquoted secret begins
_MARKED = re.compile(r"[&*!|>%@`]\S*")
_QUERY = re.compile(r"(?<=[?&])[^\s&\"']*=[^\s&\"']*")  # of an address
_SCHEME = re.compile(r"\b(?:bearer|basic)\s+([^\s\"',}]+)", re.IGNORECASE)
_harmless = re.compile(
    r"""\$\{[A-Za-z_:0-9]+\}|true|false|null|~|auto|hash|error|join|report|close|default|none|mask|drop|block|drop_oldest
    |gzip|protobuf|json|stdout|stderr|[0-9]{1,6}(?:\.[0-9]{1,3})?\ ?(?:[nuµm]?s|[mhdB]|[kKMGT]i?B)?|\.{1,2}/[\w./-]+
    |(?:[a-z]+://)?(?:[\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}(?:/[\w./-]*)?|[a-z]+://[\w.-]+(?:/[\w./-]*)?""",
    re.VERBOSE,
).fullmatch
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_MORE_SECRET_WORDS: Final = ("pwd", "pass", "auth", "bearer", "key", "headers", "header", "pin", "login", "signature")


def may_name_secret(key: str) -> bool:
    """Return whether a key that means nothing here could be a misspelt name of a secret.

    >>> may_name_secret("pasword"), may_name_secret("authorisation"), may_name_secret("endpiont")
    (True, True, False)
    """
    if is_secret_key(key):
        return True
    words = [word.lower() for word in _WORD.findall(key)]
    names = [*SECRET_WORDS, *_MORE_SECRET_WORDS]
    return any(difflib.get_close_matches(word, names, n=1, cutoff=0.75) for word in [*words, "".join(words)])


def is_harmless(text: str) -> bool:
    """Return whether a text has the shape of something that is not a secret: a number, an address, a duration, a reference.

    >>> is_harmless("http://localhost:4318"), is_harmless("10s"), is_harmless("hunter2"), is_harmless("http://a:b@c")
    (True, True, False, False)
    """
    return _harmless(text.strip().strip("\"'")) is not None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line as it may be printed, and where the caret under it goes."""

    text: str
    caret: str


class Excerpts:
    """Prints lines of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lines = document.lines
        self._on: dict[int, list[tuple[Place, bool]]] = defaultdict(list)
        if document.complete:
            shown_keys = _shown_keys(document.root)
            spans = [(key.place, key.text in shown_keys) for key in document.keys]
            spans += [(node.place, _is_shown(node)) for node in document.scalars]
        else:
            spans = [(key.place, _looks_like_a_key(key)) for key in document.keys]
            spans += [(node.place, False) for node in document.scalars]
        for place, shown in spans:
            for number in range(place.line, place.end_line + 1):
                self._on[number].append((place, shown))

    def has(self, number: int) -> bool:
        """Return whether there is a line of that number (1-based)."""
        return 0 < number <= len(self._lines)

    def line(self, number: int, place: Place | None = None) -> Excerpt:
        """Return a line, with a caret when a place on it is given."""
        source = self._lines[number - 1]
        visible = self._visible(number, source)
        text: list[str] = []
        columns: list[int] = []  # where each source column went
        hidden_before = False
        for i, char in enumerate(source):
            if visible[i] is None:  # a comment: to the end of the line
                break
            if visible[i]:
                columns.append(len(text))
                text.append(char if char.isprintable() else " ")
            else:
                if not hidden_before:
                    text.extend(MASK)
                columns.append(len(text) - len(MASK))
            hidden_before = not visible[i]
        if place is None:
            return Excerpt(_cropped("".join(text).rstrip(), 0)[0], "")
        columns += range(len(text), len(text) + len(source) - len(columns) + 1)
        start = columns[min(max(place.column, 1) - 1, len(source))]
        last = place.end_column - 1 if place.end_line == place.line else len(source.rstrip())
        end = columns[min(max(last, 0), len(source))]
        line, shift = _cropped("".join(text).rstrip(), start)
        pad = _cells(line[: start - shift]) + max(0, start - shift - len(line))
        length = max(1, _cells(line[start - shift : max(end, start) - shift]))
        return Excerpt(line, " " * pad + "^" + "~" * (length - 1))

    def _visible(self, number: int, source: str) -> Sequence[bool | None]:
        """Return for each character: print it, hide it, or (None) leave out the rest."""
        out = self._known(number, source)
        for found in _QUERY.finditer(source):
            out[found.start() : found.end()] = [False] * (found.end() - found.start())
        for found in _SCHEME.finditer(source):
            out[found.start(1) : found.end(1)] = [False] * (found.end(1) - found.start(1))
        if not self._document.complete:
            line, column = self._document.read_to
            start = 0 if number > line else column - 1 if number == line else len(source)
            blank = len(source[start:]) - len(source[start:].lstrip())
            out[start:] = [True] * blank + [False] * (len(source) - start - blank)
        return out

    def _known(self, number: int, source: str) -> list[bool | None]:
        covered = [False] * len(source)
        out: list[bool | None] = [char in _MARKS for char in source]
        for found in _MARKED.finditer(source):
            out[found.start() : found.end()] = [False] * (found.end() - found.start())
        for place, shown in self._on.get(number, ()):
            start = place.column - 1 if place.line == number else 0
            end = min(place.end_column - 1 if place.end_line == number else len(source), len(source))
            if end > start:
                covered[start:end] = [True] * (end - start)
                out[start:end] = [shown] * (end - start)
                user = source.rfind("@", start, end)
                if user >= 0:  # what stands before an at sign may be a password
                    first = max(start, source.find("//", start, user) + 2)
                    out[first:user] = [False] * (user - first)
        for i, char in enumerate(source):
            if char == "#" and not covered[i] and (i == 0 or source[i - 1] in " \t"):
                out[i] = None
                break
        return out


def _shown_keys(root: Node) -> set[str]:
    """Return the keys that may be printed: one that may not be at one place is printed nowhere."""
    shown, hidden = {"<<"}, set[str]()
    waiting = [(root, False)]
    while waiting:
        node, secret = waiting.pop()
        if isinstance(node.value, list):
            waiting.extend((child, secret) for child in node.value)
        elif isinstance(node.value, dict):
            for key, child in node.value.items():
                known = shown_key(key, alone=child.value is None, secret=secret) != MASK
                (shown if known else hidden).add(key)
                waiting.append((child, secret or names_secret(key)))
    return shown - hidden


def _is_shown(node: Node) -> bool:
    if node.free_key and (may_name_secret(node.free_key) or not is_harmless(str(node.value))):
        return False
    return node.shown is True or (node.shown is None and node.value is None and not node.substituted)


def _looks_like_a_key(key: Key) -> bool:
    """Return whether a key of a file that was not read to its end may be printed; see `shown_key`."""
    if key.among_secrets and not is_secret_key(key.text):
        return False
    return shown_key(key.text, alone=not key.has_value) != MASK


def _cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cropped(line: str, column: int) -> tuple[str, int]:
    """Return at most MAX_WIDTH characters around a column, and how many columns went away on the left."""
    if len(line) <= MAX_WIDTH:
        return line, 0
    start = max(0, min(column - MAX_WIDTH // 2, len(line) - MAX_WIDTH))
    part = line[start : start + MAX_WIDTH]
    return ("…" + part[1:] if start else part) + ("…" if start + MAX_WIDTH < len(line) else ""), start
