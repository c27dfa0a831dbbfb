"""`tracebridge trace`: the root around all steps."""

from __future__ import annotations

import click

from tracebridge.cli.shared.exits import EXIT_NOT_FOUND
from tracebridge.cli.shared.groups import Group
from tracebridge.cli.shared.output import echo
from tracebridge.cli.shared.shell import (
    ID_HELP,
    STATUSES,
    Shell,
    attribute_option,
    attributes_of,
    cut,
    deliver,
    flush_option,
    message_option,
    status_option,
    told,
    trace_option,
)
from tracebridge.plugins.open_spans import SpanKey

EPILOG = """Examples:

    tracebridge trace start --trace ci-1234 --name pipeline

    tracebridge trace end --trace ci-1234 --all
"""


@click.group(cls=Group, epilog=EPILOG)
def command() -> None:
    """Start and end the root of a trace, around steps that nest below it by the trace's ID."""


@command.command()
@trace_option
@click.option("--id", "span", metavar="ID", help="An ID of your own for the root; random if not given.")
@click.option("--name", required=True, help="The root's name.")
@click.option("--tag", "tags", metavar="KEY=TEXT", multiple=True, help="A tag of the trace.")
@attribute_option
@click.pass_context
def start(
    context: click.Context,
    trace: str | None,
    config: str | None,
    span: str | None,
    name: str,
    tags: tuple[str, ...],
    attributes: tuple[str, ...],
) -> None:
    """Start a trace's root, and print what TRACEPARENT is to be below it.

    Exits with 1 when the trace has an open root already.
    """
    shell = Shell(config)
    if trace and shell.root(shell.target(trace).trace_id) is not None:
        echo("error: that trace has an open root already; end it first, or give another --trace", err=True)
        context.exit(EXIT_NOT_FOUND)
    texts = {key: str(value) for key, value in attributes_of(tags).items()}
    started = shell.start(trace, span, name, attributes_of(attributes), tags=texts)
    if started is None:
        echo("error: a span of that ID has been started already; give another --id", err=True)
        context.exit(EXIT_NOT_FOUND)
    echo(told(started))


@command.command()
@trace_option
@click.option("--id", "span", metavar="ID", help=ID_HELP)
@click.option("--all", "everything", is_flag=True, help="End every span of the trace that is open, the root last.")
@attribute_option
@status_option
@message_option
@flush_option
@click.pass_context
def end(
    context: click.Context, trace: str | None, config: str | None, span: str | None, everything: bool, attributes: tuple[str, ...], status: str | None,
    message: str, flush: bool,
) -> None:  # fmt: skip
    """End the root of a trace. Exits with 1 when it is not open."""
    shell = Shell(config)
    key, target = shell.key(trace, span, root=True)
    code = None if status is None else STATUSES[status.lower()]
    if everything:
        for record in shell.open(target.trace_id):
            if record.span_id != key.span_id:
                shell.end(SpanKey(target.trace_id, record.span_id), {})
    ended = shell.end(key, attributes_of(attributes), code, cut(message), target.custom_id)
    if flush:
        deliver(config)
    if not ended:
        echo("error: that root is not open", err=True)
        context.exit(EXIT_NOT_FOUND)
