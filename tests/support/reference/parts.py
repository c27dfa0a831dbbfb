"""What the pages of the reference are made of."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from support.since import since


class Row(NamedTuple):
    """A row of a table."""

    names: tuple[str, ...]
    """What it is about, as `since.txt` names it: several where the row tells of the same key in several places; all of one version."""
    cells: tuple[str, ...]


class Table(NamedTuple):
    """A table; its last column says since when a row is there."""

    head: tuple[str, ...]
    rows: Sequence[Row]


class Named(NamedTuple):
    """A sentence about something that has a version, too."""

    name: str
    words: str


Part = str | Table | Named


def written(parts: Iterator[Part]) -> str:
    """Return parts as Markdown."""
    return "\n".join(line for part in parts for line in _lines(part)).rstrip() + "\n"


def _lines(part: Part) -> Iterator[str]:
    if isinstance(part, Table):
        yield f"| {' | '.join(part.head)} | since |"
        yield "|" + "---|" * (len(part.head) + 1)
        for row in part.rows:
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row.cells)} | {since(row.names[0])} |"
        yield ""
    elif isinstance(part, Named):
        yield f"{part.words} Since {since(part.name)}.\n"
    else:
        yield part


def named_in(parts: Iterator[Part]) -> Iterator[str]:
    """Yield the name of everything that parts tell of."""
    for part in parts:
        if isinstance(part, Table):
            yield from (name for row in part.rows for name in row.names)
        elif isinstance(part, Named):
            yield part.name


def paragraphs(thing: Any) -> list[str]:
    """Return a docstring's paragraphs, each on one line but for blocks of code. Raises ValueError where there is none."""
    text = inspect.getdoc(thing) or ""
    if not text:
        raise ValueError(f"{thing!r} needs a docstring: it is what the reference says of it")
    return [each if each.startswith("    ") else " ".join(each.split()) for each in text.split("\n\n")]


def first_paragraph(thing: Any) -> str:
    """Return a docstring's first paragraph on one line. Raises ValueError where there is no docstring."""
    return paragraphs(thing)[0]


def fields(kind: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield a class's public fields: name, type, and the words below it in the source; its bases' first."""
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("tracebridge"):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
                yield node.target.id, ast.unparse(node.annotation), _said(below)


def _said(below: ast.stmt | None) -> str:
    """Return the text that a statement is; nothing for another."""
    if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
        return " ".join(below.value.value.split())
    return ""
