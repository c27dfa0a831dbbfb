"""docs/reference-commands.md: every command with its usage, its flags and an example."""

from __future__ import annotations

from collections.abc import Iterator

import click

from support.reference.parts import Named, Part, Row, Table, paragraphs
from tracebridge.cli.main import COMMANDS, main

HEAD = """# Reference: commands

Every command, as `tracebridge COMMAND --help` tells of it. `python -m tracebridge` is the same program. [Man pages and completion](shell.md) come with the package.
"""


def parts() -> Iterator[Part]:
    """Yield the page."""
    yield HEAD
    context = click.Context(main, info_name="tracebridge")
    for name, words in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        yield f"## `tracebridge {name}`\n"
        yield Named(f"tracebridge {name}", words)
        yield from _command(command, context, name)


def _command(command: click.Command, above: click.Context, path: str) -> Iterator[Part]:
    context = click.Context(command, info_name=command.name, parent=above)
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield from (f"{paragraph}\n" for paragraph in paragraphs(command.callback)[0 if " " in path else 1 :])
    rows = [_flag(each, context, path) for each in command.params]
    if " " not in path and not command.epilog:
        raise ValueError(f"{path} needs an epilog with examples: the reference and --help show them")
    if rows:
        yield Table(("argument or flag", "what it says"), rows)
    if command.epilog:
        lines = [line.strip() for line in command.epilog.splitlines()]
        shown = "\n".join(line for line in lines if line and not line.startswith(("Example", "\b")))
        yield f"Examples:\n\n```text\n{shown}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield f"### `tracebridge {path} {name}`\n"
            yield Named(f"tracebridge {path} {name}", "")
            yield from _command(inner, context, f"{path} {name}")


def _flag(parameter: click.Parameter, context: click.Context, path: str) -> Row:
    if isinstance(parameter, click.Option):
        if not parameter.help:
            raise ValueError(f"{path} {parameter.opts[0]} needs help=: the reference and --help say it")
        value = "" if parameter.is_flag or parameter.count else f" {parameter.make_metavar(context)}"
        shown, words = ", ".join([*parameter.opts, *parameter.secondary_opts]) + value, parameter.help
    else:
        shown, words = parameter.make_metavar(context), "" if parameter.required else "optional"
    return Row((f"tracebridge {path} {parameter.opts[0]}",), (f"`{shown}`", words))
