"""docs/reference.md, made of the code: every public name, call, key, option, command, flag and entry-point group, with its words.

`cd tests && python -m support.reference` writes it; a test holds it equal to the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import tracebridge
from tracebridge.cli.main import COMMANDS, main
from tracebridge.plugins import registry
from tracebridge.plugins.registry import OWN_PACKAGE, adapter_class, entries, receiver_class
from tracebridge.plugins.stage import StageOptions
from tracebridge.settings.describe import describe
from tracebridge.settings.model import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
HEAD = """# Reference

Every public name, call, key, option, command and entry point, with its first words in the code. This page is made of the code; the others say how things go together.
"""


def page() -> str:
    """Return the whole page."""
    parts = [
        HEAD,
        *_names(),
        *_class("Client", tracebridge.Client),
        *_class("Span", tracebridge.Span),
        *_configuration(),
        *_adapters(),
        *_commands(),
        *_groups(),
    ]
    return "\n".join(parts) + "\n"


def first_sentence(thing: Any) -> str:
    """Return the first paragraph of a docstring's first sentence, on one line. Raises ValueError where there is none."""
    text = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    if not text:
        raise ValueError(f"{thing!r} needs a docstring: its first sentence is what docs/reference.md says of it")
    return text.replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _names() -> Iterator[str]:
    yield "## Names of `tracebridge`\n"
    rows = []
    for name in tracebridge.__all__:
        thing = getattr(tracebridge, name)
        rows.append((f"`{name}`", first_sentence(thing)))
    yield from _table(("name", "what it is"), rows)


def _class(name: str, kind: type[Any]) -> Iterator[str]:
    yield f"## Members of `{name}`\n"
    rows = []
    for member in sorted(n for n in dir(kind) if not n.startswith("_")):
        thing = inspect.getattr_static(kind, member)
        rows.append((f"`{member}`" if isinstance(thing, property) else f"`{member}()`", first_sentence(thing)))
    yield from _table(("member", "what it does"), rows)


def _options(options: type[Any]) -> Iterator[str]:
    rows = []
    for each in describe(options):
        default = "required" if each.required else f"`{each.default}`" if each.default else ""
        rows.append((f"`{each.key}`", each.type.replace("|", "\\|"), default, each.help.replace("|", "\\|")))
    yield from _table(("key", "type", "default", "what it says"), rows)


def _configuration() -> Iterator[str]:
    yield "## Keys of the configuration\n"
    yield "`adapters` names the destinations, `stages` the steps before the queue, `relay` where `tracebridge relay` reads; their options follow.\n"
    yield from _options(Settings)


def _adapters() -> Iterator[str]:
    for name, entry in entries(registry.ADAPTERS).items():
        if entry.package == OWN_PACKAGE:
            kind: Any = adapter_class(name)
            yield f"## Options of the adapter `{name}`\n"
            yield from _options(kind.Options)
    for name, entry in entries(registry.RECEIVERS).items():
        if entry.package == OWN_PACKAGE:
            yield f"## Options of the receiver `{name}`\n"
            yield from _options(receiver_class(name).Options)
    yield "## Options of every stage\n"
    yield from _options(StageOptions)


def _commands() -> Iterator[str]:
    yield "## Commands\n"
    context = click.Context(main)
    for name, words in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        yield f"### `tracebridge {name}`\n"
        yield words + "\n"
        rows = list(_flags(command, name))
        if rows:
            yield from _table(("argument or flag", "what it says"), rows)


def _flags(command: click.Command, path: str) -> Iterator[tuple[str, ...]]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            if not parameter.help:
                raise ValueError(f"{path} {parameter.opts[0]} needs help=: docs/reference.md and --help say it")
            yield (f"`{', '.join([*parameter.opts, *parameter.secondary_opts])}`", parameter.help.replace("|", "\\|"))
        else:
            yield (f"`{parameter.make_metavar(click.Context(command))}`", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield (f"`{path} {name}`", first_sentence(inner.callback))
            yield from _flags(inner, f"{path} {name}")


def _groups() -> Iterator[str]:
    yield "## Entry-point groups\n"
    text = registry.__doc__ or ""
    yield "\n".join(line for line in text.splitlines() if line.startswith("|")) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
