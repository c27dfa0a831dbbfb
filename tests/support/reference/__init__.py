"""docs/reference*.md and shell/tracebridge.1, made of the code, and docs/findings.md, made of the scripts there: every key, command, flag, public name, error and metric, with its words and its first version.

`cd tests && python -m support.reference` writes them; a test holds them equal to the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from support.reference import commands, configuration, errors, findings, metrics, python
from support.reference.parts import Part, Row, Table, named_in, written
from tracebridge.plugins import registry

DOCS = Path(__file__).parents[3] / "docs"
MANUAL = Path(__file__).parents[3] / "shell" / "tracebridge.1"
HEAD = """# Reference

These pages are made of the code, so they say what holds in this version; the others say how things go together. *Since* is the version that something came with.

| page | has |
|---|---|
| [Configuration](reference-configuration.md) | every key of the YAML file: type, default, limits, an example |
| [Commands](reference-commands.md) | every command: usage, flags, an example |
| [Python](reference-python.md) | every class, call and argument |
| [Errors](reference-errors.md) | every error: when it comes, and what to do |
| [Metrics](reference-metrics.md) | every number of `client.stats()`, and every metric |
"""


def _index() -> Iterator[Part]:
    yield HEAD
    yield "## Entry-point groups\n"
    yield "A package of your own adds to Tracebridge by an entry point of one of these groups.\n"
    rows = []
    for line in (registry.__doc__ or "").splitlines():
        if line.startswith("| `"):
            group, words = line.strip("| ").split(" | ")
            rows.append(Row((f"group {group.strip('`')}",), (group, words)))
    yield Table(("group", "what a name stands for"), rows)


PAGES: dict[str, Callable[[], Iterator[Part]]] = {
    "reference.md": _index,
    "reference-configuration.md": configuration.parts,
    "reference-commands.md": commands.parts,
    "reference-python.md": python.parts,
    "reference-errors.md": errors.parts,
    "reference-metrics.md": metrics.parts,
    "findings.md": findings.parts,
}


def page(name: str) -> str:
    """Return a whole page."""
    return written(PAGES[name]())


def names() -> Iterator[str]:
    """Yield the name of everything that the pages tell of."""
    for parts in PAGES.values():
        yield from named_in(parts())
