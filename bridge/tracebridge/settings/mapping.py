"""A configuration given as Python values, as the same tree that a file becomes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tracebridge.settings.problems import Problem
from tracebridge.settings.safe_keys import joined, shown_key
from tracebridge.settings.tree import MAX_DEPTH, MAX_NODES, Node


def from_mapping(given: Mapping[Any, Any], problems: list[Problem]) -> Node:
    """Return the tree. What YAML could not say is a problem: keys that are not text, sets, objects, absurd nesting.

    Tuples stand for lists and paths for text; a function is taken where a key names one. Text is taken as it is: `${…}` and `$$` mean nothing special in code.
    """
    return _Maker(problems).node(given, "", 0)


class _Maker:
    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._left = MAX_NODES

    def node(self, value: Any, path: str, depth: int) -> Node:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            if not any(problem.kind == "too-large" for problem in self._problems):
                message = f"more than {MAX_DEPTH} levels deep, or more than {MAX_NODES} values"
                self._problems.append(Problem("too-large", message, path[:200]))
            return Node(None)
        if isinstance(value, Mapping):
            return self._mapping(value, path, depth)
        if isinstance(value, (list, tuple)):
            return Node([self.node(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)])
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if value is None or isinstance(value, (str, int, float)) or callable(value):
            return Node(value)
        message = f"{path} must be plain values as in YAML, not {type(value).__name__}"
        self._problems.append(Problem("wrong-type", message, path))
        return Node(None)

    def _mapping(self, given: Mapping[Any, Any], path: str, depth: int) -> Node:
        out = {}
        for key, item in given.items():
            if isinstance(key, str):
                out[key] = self.node(item, joined(path, shown_key(key)), depth + 1)
            else:
                message = f"{path or 'the mapping'} has a key that is not text but {type(key).__name__}"
                self._problems.append(Problem("bad-key", message, path))
        return Node(out)
