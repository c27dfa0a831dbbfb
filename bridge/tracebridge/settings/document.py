"""YAML text to a tree that remembers where everything stands.

PyYAML composes the nodes (safe: no object is ever built from a tag); this module substitutes variables, resolves
scalars by YAML's core rules, and bounds what a hostile file can do: size, depth and number of nodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tracebridge.settings.problems import Place, Problem
from tracebridge.settings.substitution import substitute

MAX_BYTES = 1_000_000  # a configuration is written by people
MAX_DEPTH = 24
MAX_NODES = 20_000  # aliases counted as often as they are used: a billion laughs stops here

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL, _BOOL, _INT, _FLOAT, _STR = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str"))


@dataclass(slots=True)
class Node:
    """One value of the document: a scalar, a list of nodes, or a mapping of text to nodes."""

    value: Any
    place: Place
    key_places: dict[str, Place] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    """Variables that this scalar named and that were not set."""
    substituted: bool = False
    """The value came from the environment, at least in part: it is never shown in a report."""


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []
        self.count = 0

    def node(self, raw: yaml.Node, path: str, depth: int) -> Node:
        place = _place(raw)
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise _TooMuchError(place, path)
        if isinstance(raw, yaml.MappingNode):
            return self._mapping(raw, path, depth, place)
        if isinstance(raw, yaml.SequenceNode):
            items = [self.node(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(raw.value)]
            return Node(items, place)
        assert isinstance(raw, yaml.ScalarNode)  # noqa: S101 - YAML has no fourth kind
        return self._scalar(raw, path, place)

    def _mapping(self, raw: yaml.MappingNode, path: str, depth: int, place: Place) -> Node:
        out: dict[str, Node] = {}
        places: dict[str, Place] = {}
        for key_node, value_node in raw.value:
            key_place = _place(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.value == "<<":
                self.problems.append(
                    Problem("bad-key", "a key must be plain text; merge keys are not supported", path, key_place)
                )
                continue
            key = key_node.value
            if key in out:
                first = places[key].line
                message = f'key "{key}" stands here again; it was given on line {first} already'
                self.problems.append(Problem("duplicate-key", message, path, key_place))
                continue
            places[key] = key_place
            out[key] = self.node(value_node, f"{path}.{key}" if path else key, depth + 1)
        return Node(out, place, places)

    def _scalar(self, raw: yaml.ScalarNode, path: str, place: Place) -> Node:
        text = raw.value
        plain = raw.style is None
        known = {_NULL, _BOOL, _INT, _FLOAT, _STR, "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
        if raw.tag not in known:
            self.problems.append(
                Problem("bad-tag", f"the tag {raw.tag!r} is not supported; write plain values", path, place)
            )
            return Node(None, place)
        if "$" not in text:
            return Node(resolve(text) if plain else text, place)
        outcome = substitute(text, self.environ)
        for wrong in outcome.malformed:
            message = f"malformed reference {wrong!r}; write ${{VAR}}, ${{env:VAR}}, ${{VAR:-default}}, or $$ for a dollar sign"
            self.problems.append(Problem("bad-substitution", message, path, place))
        value = resolve(outcome.text) if plain and outcome.changed else outcome.text
        return Node(value, place, unset=tuple(outcome.unset), substituted=outcome.changed)


class _TooMuchError(Exception):
    def __init__(self, place: Place, path: str) -> None:
        super().__init__(path)
        self.problem = Problem(
            "too-large", f"more than {MAX_NODES} values or {MAX_DEPTH} levels (aliases count each time)", path, place
        )


_CORE_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_CORE_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(text: str) -> Any:
    """Return what a plain scalar means under YAML 1.2's core schema, which OpenTelemetry's substitution asks for.

    >>> resolve("true"), resolve("yes"), resolve("0x1F"), resolve("1e3"), resolve("")
    (True, 'yes', 31, 1000.0, None)
    """
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    if _CORE_INT.fullmatch(text) and len(text) < 400:
        return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
    if _CORE_FLOAT.fullmatch(text):
        return float(text)
    special = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}
    return special.get(text.lower(), text)


def read_document(data: bytes, environ: Mapping[str, str]) -> tuple[Node, list[Problem], list[str]]:
    """Return the document's tree, its problems so far, and its lines. Never raises for anything in the data."""
    empty = Node({}, Place())
    if len(data) > MAX_BYTES:
        return empty, [Problem("too-large", f"{len(data)} bytes; a configuration may have {MAX_BYTES}")], []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return empty, [Problem("not-utf8", f"byte {error.start} is not UTF-8", place=Place(line, 1))], []
    lines = text.splitlines()
    reader = _Reader(environ)
    try:
        documents = list(yaml.compose_all(text, Loader=_Loader))
        raw = documents[0] if documents else None
        if len(documents) > 1:
            reader.problems.append(
                Problem("many-documents", "more than one document in the file", place=_place(documents[1]))
            )
        node = empty if raw is None else reader.node(raw, "", 0)
    except yaml.MarkedYAMLError as error:
        return empty, [_syntax(error, lines)], lines
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # unreadable characters, absurd nesting
        return (
            empty,
            [Problem("bad-yaml", f"not readable as YAML: {str(error).splitlines()[0] or type(error).__name__}")],
            lines,
        )
    except _TooMuchError as error:
        return empty, [error.problem], lines
    return node, reader.problems, lines


def from_mapping(given: Any, path: str = "", depth: int = 0) -> Node:
    """Return the tree of a configuration given as Python values; raises RecursionError for absurd nesting."""
    if depth > MAX_DEPTH:
        raise RecursionError(path)
    if isinstance(given, Mapping):
        return Node({str(k): from_mapping(v, f"{path}.{k}", depth + 1) for k, v in given.items()}, Place())
    if isinstance(given, (list, tuple)):
        return Node([from_mapping(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(given)], Place())
    return Node(given, Place())


def _place(raw: yaml.Node) -> Place:
    start, end = raw.start_mark, raw.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(start.line + 1, start.column + 1, max(1, length))


def _syntax(error: yaml.MarkedYAMLError, lines: list[str]) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place()
    line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
    if "\t" in line[: max(place.column, len(line) - len(line.lstrip()))]:
        return Problem("tab", "a tab cannot indent YAML; use spaces", place=place)
    return Problem("bad-yaml", f"not readable as YAML: {error.problem or error.context or 'syntax error'}", place=place)
