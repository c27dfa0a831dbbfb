"""A configuration as a tree that remembers where everything stands: what a file, a mapping and the environment all become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tracebridge.settings.place import Place
from tracebridge.settings.problems import Problem

MAX_DEPTH = 24
MAX_NODES = 5_000  # a billion laughs stops here


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """One value of the document: a scalar, a list of nodes, or a mapping of text to nodes."""

    value: Any
    place: Place = field(default_factory=Place)
    key_places: dict[str, Place] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    """Variables that this scalar named and that were neither set nor had a default."""
    substituted: bool = False
    """The value came from the environment, at least in part: it is never shown in a report."""
    variables: tuple[str, ...] = ()
    """The environment variables that the value came from, at least in part."""
    files: tuple[str, ...] = ()
    """The files that the value came from, at least in part."""
    raw: str | None = None
    """What a plain scalar was written as, after substitution; None for anything else."""
    shown: bool | None = None
    """Whether a report may show this scalar's text: None until the reader has looked at it, False once it is secret."""
    free_key: str = ""
    """The key that a person made up for this value, such as an attribute's name; it may be part of a secret's."""
    broken: bool = False
    """It could not be understood, and that has been said: the reader need not say it again."""
    weight: int = 1
    """How many values this is, its children and their aliases included."""

    def reveal(self) -> None:
        """Let reports show this scalar, unless something has made it secret."""
        if self.shown is None:
            self.shown = True

    def scalars(self) -> Iterator[Node]:
        """Yield the scalars in and below this node."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if isinstance(node.value, dict):
                waiting.extend(node.value.values())
            elif isinstance(node.value, list):
                waiting.extend(node.value)
            else:
                yield node


@dataclass(slots=True, eq=False, repr=False)
class Key:
    """One key as it stands in the text."""

    text: str
    place: Place
    among_secrets: bool
    """It may be a piece of a secret, by the keys above and before it."""
    has_value: bool = False
    """A value, or the beginning of one, came after it."""


@dataclass(slots=True, eq=False, repr=False)
class Document:
    """A file that has been read."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    """Every key that was read."""
    scalars: list[Node] = field(default_factory=list)
    complete: bool = True
    """The whole text was understood as YAML, so that every secret in it can be found."""
    read_to: tuple[int, int] = (1, 1)
    """Line and column up to which it was understood; of what comes after, no report knows what is a key and what a secret."""
