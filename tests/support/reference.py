"""docs/reference.md, made of the code: every public name, call, key, option, command, flag and entry-point group, with its words and its first version.

`cd tests && python -m support.reference` writes it; a test holds it equal to the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

import tracebridge
from support.since import since
from tracebridge.cli.main import COMMANDS, main
from tracebridge.plugins import registry
from tracebridge.plugins.registry import OWN_PACKAGE, adapter_class, entries, receiver_class
from tracebridge.plugins.stage import StageOptions
from tracebridge.settings.describe import describe
from tracebridge.settings.model import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
HEAD = """# Reference

Every public name, call, key, option, command and entry point, with its first words in the code and the version that it came with. This page is made of the code; the others say
how things go together.
"""

Row = tuple[str, tuple[str, ...]]
"""What it is about, as `since.txt` names it, and its cells."""


class Table(NamedTuple):
    """A table; its last column says since when a row is there."""

    head: tuple[str, ...]
    rows: Sequence[Row]


class Named(NamedTuple):
    """A sentence about something that has a version, too."""

    name: str
    words: str


Part = str | Table | Named


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(line for part in _parts() for line in _lines(part))]) + "\n"


def names() -> Iterator[str]:
    """Yield the name of everything that the page tells of."""
    for part in _parts():
        if isinstance(part, Table):
            yield from (name for name, _ in part.rows)
        elif isinstance(part, Named):
            yield part.name


def _parts() -> Iterator[Part]:
    yield from _names()
    yield from _class("Client", tracebridge.Client)
    yield from _class("Span", tracebridge.Span)
    yield from _configuration()
    yield from _adapters()
    yield from _commands()
    yield from _groups()


def _lines(part: Part) -> Iterator[str]:
    if isinstance(part, Table):
        yield f"| {' | '.join(part.head)} | since |"
        yield "|" + "---|" * (len(part.head) + 1)
        for name, cells in part.rows:
            yield f"| {' | '.join(cells)} | {since(name)} |"
        yield ""
    elif isinstance(part, Named):
        yield f"{part.words} Since {since(part.name)}.\n"
    else:
        yield part


def first_sentence(thing: Any) -> str:
    """Return the first paragraph of a docstring's first sentence, on one line. Raises ValueError where there is none."""
    text = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    if not text:
        raise ValueError(f"{thing!r} needs a docstring: its first sentence is what docs/reference.md says of it")
    return text.replace("|", "\\|")


def _names() -> Iterator[Part]:
    yield "## Names of `tracebridge`\n"
    rows = []
    for name in tracebridge.__all__:
        thing = getattr(tracebridge, name)
        rows.append((name, (f"`{name}`", first_sentence(thing))))
    yield Table(("name", "what it is"), rows)


def _class(name: str, kind: type[Any]) -> Iterator[Part]:
    yield f"## Members of `{name}`\n"
    rows = []
    for member in sorted(n for n in dir(kind) if not n.startswith("_")):
        thing = inspect.getattr_static(kind, member)
        shown = f"`{member}`" if isinstance(thing, property) else f"`{member}()`"
        rows.append((f"{name}.{member}", (shown, first_sentence(thing))))
    yield Table(("member", "what it does"), rows)


def _options(owner: str, options: type[Any]) -> Iterator[Part]:
    rows = []
    for each in describe(options):
        default = "required" if each.required else f"`{each.default}`" if each.default else ""
        cells = (f"`{each.key}`", each.type.replace("|", "\\|"), default, each.help.replace("|", "\\|"))
        rows.append((f"{owner}: {each.key}", cells))
    yield Table(("key", "type", "default", "what it says"), rows)


def _configuration() -> Iterator[Part]:
    yield "## Keys of the configuration\n"
    yield "`adapters` names the destinations, `stages` the steps before the queue, `relay` where `tracebridge relay` reads; their options follow.\n"
    yield from _options("configuration", Settings)


def _adapters() -> Iterator[Part]:
    for name, entry in entries(registry.ADAPTERS).items():
        if entry.package == OWN_PACKAGE:
            kind: Any = adapter_class(name)
            yield f"## Options of the adapter `{name}`\n"
            yield from _options(f"adapter {name}", kind.Options)
    for name, entry in entries(registry.RECEIVERS).items():
        if entry.package == OWN_PACKAGE:
            yield f"## Options of the receiver `{name}`\n"
            yield from _options(f"receiver {name}", receiver_class(name).Options)
    yield "## Options of every stage\n"
    yield from _options("stage", StageOptions)


def _commands() -> Iterator[Part]:
    yield "## Commands\n"
    context = click.Context(main)
    for name, words in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        yield f"### `tracebridge {name}`\n"
        yield Named(f"tracebridge {name}", words)
        rows = list(_flags(command, name))
        if rows:
            yield Table(("argument or flag", "what it says"), rows)


def _flags(command: click.Command, path: str) -> Iterator[Row]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            if not parameter.help:
                raise ValueError(f"{path} {parameter.opts[0]} needs help=: docs/reference.md and --help say it")
            shown, words = ", ".join([*parameter.opts, *parameter.secondary_opts]), parameter.help.replace("|", "\\|")
        else:
            shown, words = parameter.make_metavar(click.Context(command)), ""
        yield f"tracebridge {path} {parameter.opts[0]}", (f"`{shown}`", words)
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield f"tracebridge {path} {name}", (f"`{path} {name}`", first_sentence(inner.callback))
            yield from _flags(inner, f"{path} {name}")


def _groups() -> Iterator[Part]:
    yield "## Entry-point groups\n"
    rows = []
    for line in (registry.__doc__ or "").splitlines():
        if line.startswith("| `"):
            group, words = line.strip("| ").split(" | ")
            rows.append((f"group {group.strip('`')}", (group, words)))
    yield Table(("group", "what a name stands for"), rows)


if __name__ == "__main__":
    PAGE.write_text(page())
