"""shell/tracebridge.1: the commands as a manual page, in the macros of man(7)."""

from __future__ import annotations

from collections.abc import Iterator

import click

from support.reference.parts import paragraphs
from tracebridge.cli.main import COMMANDS, main

HEAD = """\
.\\" Made of the code by `python -m support.reference`.
.TH TRACEBRIDGE 1 "" tracebridge "User Commands"
.SH NAME
tracebridge \\- your traces, with your IDs, into the tracing systems you already run
.SH SYNOPSIS
.B tracebridge
.I command
[options]
.SH DESCRIPTION
Tracebridge takes explicit tracing calls under your own trace IDs and delivers them to OTLP back\\-ends, Zipkin, Jaeger, Kafka, MLflow, structured logs and an embedded
store. This page lists its commands.
.SH COMMANDS
"""
TAIL = """\
.SH ENVIRONMENT
.TP
.B TRACEBRIDGE_CONFIG
The YAML file of commands that are given no \\-\\-config.
.TP
.B NO_COLOR
Print without colours.
.SH EXIT STATUS
0 when all went well, 1 when something was not found or did not arrive, 2 when the command was typed wrongly, 78 when the configuration is wrong, 130 after Ctrl\\-C.
"""


def page() -> str:
    """Return the manual page."""
    context = click.Context(main, info_name="tracebridge")
    parts = [HEAD]
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        parts += _command(command, context)
    return "".join([*parts, TAIL])


def _command(command: click.Command, above: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=above)
    yield f".SS {_text(' '.join([context.command_path, *command.collect_usage_pieces(context)]))}\n"
    yield "".join(f"{_text(each)}\n.PP\n" for each in paragraphs(command.callback))
    for each in command.params:
        if isinstance(each, click.Option):
            value = "" if each.is_flag or each.count else f" {each.make_metavar(context)}"
            shown = ", ".join([*each.opts, *each.secondary_opts]) + value
            yield f".TP\n.B {_text(shown)}\n{_text(each.help or '')}\n"
    if command.epilog:
        lines = [line.strip() for line in command.epilog.splitlines()]
        shown = "\n".join(_text(line) for line in lines if line and not line.startswith(("Example", "\b")))
        yield f".PP\nExamples:\n.PP\n.nf\n{shown}\n.fi\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(inner, context)


def _text(text: str) -> str:
    """Return text as roff takes it: dashes that can be copied, and no line that would be a request."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    plain = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in plain)
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
