"""YAML text to a tree that remembers where everything stands.

PyYAML delivers events, and the tree is built here from them: no object is ever made from a tag, nesting costs no stack,
and what a hostile file can do is bounded before it is done (bytes, depth, number of values with aliases counted as often
as they are used). Variables are substituted and scalars resolved by YAML 1.2's core schema on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tracebridge.settings.place import Place
from tracebridge.settings.problems import Problem
from tracebridge.settings.safe_keys import joined, names_secret, shown_key
from tracebridge.settings.scalars import resolve, resolve_tagged
from tracebridge.settings.substitution import substitute
from tracebridge.settings.tree import MAX_DEPTH, MAX_NODES, Document, Key, Node

MAX_BYTES = 256 * 1024  # a configuration is written by people

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # YAML 1.2, c-printable


class _StopError(Exception):
    """The file cannot be read any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.kind)
        self.problem = problem


@dataclass(slots=True, eq=False, repr=False)
class _Open:
    """A collection whose end has not come yet."""

    node: Node
    path: str
    anchor: str | None
    flow: bool
    """It is written with brackets."""
    key: str | None = None
    read: Key | None = None
    """The key as it stands in the text; None for one that is not plain text."""
    awaits_value: bool = False


class _Builder:
    """Builds the tree from events."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._total = 0

    def take(self, event: yaml.Event) -> None:
        """Take one event; raises _StopError when a bound is passed."""
        above = self._open[-1] if self._open else None
        key = above.read if above is not None and above.awaits_value else None
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self._open) >= MAX_DEPTH:
                raise _StopError(Problem("too-large", f"more than {MAX_DEPTH} levels deep", "", _place(event)))
            if event.tag not in {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}:
                self._bad_tag(event, self._path())
            node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], _place(event))
            self._open.append(_Open(node, self._path(), event.anchor, bool(event.flow_style)))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            closed = self._open.pop()
            self._finish(closed.node, closed.anchor, event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        if key is not None:
            key.has_value = not (isinstance(event, yaml.ScalarEvent) and not event.value and event.style is None)
        self._document.read_to = _end_of(event)
        if above is not None and above.awaits_value and key is None:  # it was a key: a colon that follows belongs to it
            line, column = self._document.read_to
            self._document.read_to = line, column + self._document.lines[line - 1].startswith(":", column - 1)

    def _path(self) -> str:
        """Return the path of the value that comes next."""
        if not self._open:
            return ""
        above = self._open[-1]
        if isinstance(above.node.value, list):
            return f"{above.path}[{len(above.node.value)}]"
        return above.path if above.key is None else joined(above.path, shown_key(above.key))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        above = self._open[-1] if self._open else None
        place = _place(event)
        if above is not None and isinstance(above.node.value, dict) and not above.awaits_value:
            # between brackets an unquoted secret may end at a comma in itself
            beside = above.node.key_places if above.flow else ()
            among_secrets = names_secret(above.path) or any(map(names_secret, beside))
            above.read = Key(event.value, place, among_secrets)
            self._document.keys.append(above.read)
            self._key(above, event, place)
            return
        path = self._path()
        plain = bool(event.implicit[0]) and event.tag is None
        node = Node(event.value, place)
        if "$" in event.value:
            outcome = substitute(event.value, self._environ)
            for fault in outcome.malformed:
                message = f"malformed reference ({fault}); write ${{VAR}}, ${{env:VAR}}, ${{VAR:-default}} or ${{file:PATH}}, or $$ for a dollar"
                self._document.problems.append(Problem("bad-substitution", message, path, place))
            node = Node(outcome.text, place, unset=tuple(outcome.unset), substituted=outcome.changed)
            for unread in outcome.unread:
                self._document.problems.append(Problem("unreadable-file", f"{path}: {unread}", path, place))
            node.variables, node.files = tuple(outcome.used), tuple(outcome.files)
            node.broken = bool(outcome.malformed or outcome.unread)
        if plain:
            node.raw = node.value
            node.value = resolve(node.value)
        elif event.tag not in {None, "!"}:
            known, node.value = resolve_tagged(event.tag, node.value)
            if not known:
                self._bad_tag(event, path)
                node.broken = True
        self._document.scalars.append(node)
        self._finish(node, event.anchor, event)

    def _key(self, above: _Open, event: yaml.ScalarEvent, place: Place) -> None:
        key = event.value
        above.awaits_value = True
        above.key = None
        if key == "<<" and event.implicit[0]:
            message = "merge keys are not supported; write the keys out, or use an alias as a whole value"
            self._document.problems.append(Problem("bad-key", message, above.path, place))
        elif key in above.node.key_places:
            first = above.node.key_places[key].line
            name = shown_key(key)
            message = f'key "{name}" stands here again; it was given on line {first} already'
            self._document.problems.append(Problem("duplicate-key", message, joined(above.path, name), place))
        else:
            above.key = key
            above.node.key_places[key] = place

    def _alias(self, event: yaml.AliasEvent) -> None:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            message = "this alias names no anchor before it; quote a value that begins with *"
            raise _StopError(Problem("bad-alias", message, self._path(), _place(event)))
        self._finish(node, None, event)

    def _finish(self, node: Node, anchor: str | None, event: yaml.Event) -> None:
        """Put a whole node where it belongs."""
        above = self._open[-1] if self._open else None
        self._total += node.weight if isinstance(event, yaml.AliasEvent) else 1
        if self._total > MAX_NODES:
            message = f"more than {MAX_NODES} values; aliases count as often as they are used"
            raise _StopError(Problem("too-large", message, self._path(), _place(event)))
        if anchor:
            self._anchors[anchor] = node
        if above is None:
            self._document.root = node
            return
        above.node.weight += node.weight
        if isinstance(above.node.value, list):
            above.node.value.append(node)
        elif not above.awaits_value:
            message = "a key must be plain text"
            self._document.problems.append(Problem("bad-key", message, above.path, _place(event)))
            above.awaits_value, above.key, above.read = True, None, None
        else:
            above.awaits_value = False
            if above.key is not None:
                above.node.value[above.key] = node

    def _bad_tag(self, event: yaml.Event, path: str) -> None:
        message = "tags are not supported; quote a value that begins with an exclamation mark"
        self._document.problems.append(Problem("bad-tag", message, path, _place(event)))


def read_document(data: bytes, environ: Mapping[str, str]) -> Document:
    """Return the document's tree, its problems so far, and its lines. Never raises for anything in the data."""
    document = Document(Node(None))
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data)} bytes; a configuration may have {MAX_BYTES}"
        return _stopped(document, Problem("too-large", message))
    try:
        text = data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte {error.start} of the file is not {error.encoding.upper()}; save the file as UTF-8"
        return _stopped(document, Problem("bad-encoding", message, place=Place(line, 0)))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    document.lines = re.split("[\n\x85\u2028\u2029]", text)  # the line breaks that PyYAML counts
    wrong = _CONTROL.search(text)
    if wrong is not None:
        before = re.split("[\n\x85\u2028\u2029]", text[: wrong.start()])
        message = f"the control character U+{ord(wrong[0]):04X} cannot stand in YAML"
        return _stopped(document, Problem("bad-character", message, place=Place(len(before), len(before[-1]) + 1)))
    builder = _Builder(document, environ)
    seen = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            seen += isinstance(event, yaml.DocumentStartEvent)
            if seen > 1:
                message = "a second document begins here; one file is one configuration"
                raise _StopError(Problem("many-documents", message, place=_place(event)))
            builder.take(event)
    except _StopError as stop:
        return _stopped(document, stop.problem)
    except yaml.YAMLError as error:
        return _stopped(document, _syntax(error, document.lines))
    return document


def _stopped(document: Document, problem: Problem) -> Document:
    document.root = Node(None)
    document.problems.append(problem)
    document.complete = False
    return document


def _place(event: yaml.Event) -> Place:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return Place()
    return Place(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _end_of(event: yaml.Event) -> tuple[int, int]:
    end = event.end_mark
    return (1, 1) if end is None else (end.line + 1, end.column + 1)


def _syntax(error: yaml.YAMLError, lines: list[str]) -> Problem:
    """Return the problem for what PyYAML cannot read; its own words are used only where they repeat no content."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("bad-yaml", "the file is not readable as YAML")
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place()
    for number in {place.line, place.line - 1}:
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            message = "a tab cannot indent YAML; use spaces"
            return Problem("tab", message, place=Place(number, indent.index("\t") + 1))
    said = re.sub(r"'[^']*\w[^']*'|\"[^\"]*\w[^\"]*\"", "…", error.problem or error.context or "syntax error")
    return Problem("bad-yaml", f"not readable as YAML: {said}", place=place)
