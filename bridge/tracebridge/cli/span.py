"""`tracebridge span`: start, change and end one span from a shell, by its IDs."""

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

EPILOG = """Examples:

    tracebridge span start --trace ci-1234 --id build --name "build the wheel"

    tracebridge span end --trace ci-1234 --id build -a bytes:=48213
"""


@click.group(cls=Group, epilog=EPILOG)
def command() -> None:
    """Start, change and end a span, each in a step of its own.

    No server and no daemon: a step writes to the engine of open spans, by default a folder of this user, and waits for no network. `tracebridge drain`, or
    the next program that names the engine, delivers what has ended.
    """


@command.command()
@trace_option
@click.option("--id", "span", metavar="ID", help="An ID of your own for the span, to end it by; random if not given.")
@click.option("--name", required=True, help="The span's name.")
@click.option(
    "--parent",
    metavar="ID",
    help="The span above it; default: the one that $TRACEPARENT names, else the trace's open root.",
)
@attribute_option
@click.pass_context
def start(
    context: click.Context,
    trace: str | None,
    config: str | None,
    span: str | None,
    name: str,
    parent: str | None,
    attributes: tuple[str, ...],
) -> None:
    """Start a span, and print what TRACEPARENT is to be below it.

    Exits with 1 when a span of that ID has been started already.
    """
    started = Shell(config).start(trace, span, name, attributes_of(attributes), parent=parent)
    if started is None:
        echo("error: a span of that ID has been started already; give another --id", err=True)
        context.exit(EXIT_NOT_FOUND)
    echo(told(started))


@command.command()
@trace_option
@click.option("--id", "span", metavar="ID", help=ID_HELP)
@click.option("--name", required=True, help="What happened.")
@attribute_option
@click.pass_context
def event(
    context: click.Context,
    trace: str | None,
    config: str | None,
    span: str | None,
    name: str,
    attributes: tuple[str, ...],
) -> None:
    """Record on an open span that something happened now. Exits with 1 when the span is not open."""
    import time

    from tracebridge.records.record import Event

    shell = Shell(config)
    key, _ = shell.key(trace, span)
    _answer(context, shell.change(key, {}, [Event(cut(name), time.time_ns(), attributes_of(attributes))]))


@command.command("set")
@trace_option
@click.option("--id", "span", metavar="ID", help=ID_HELP)
@attribute_option
@status_option
@message_option
@click.pass_context
def set_(
    context: click.Context,
    trace: str | None,
    config: str | None,
    span: str | None,
    attributes: tuple[str, ...],
    status: str | None,
    message: str,
) -> None:
    """Set attributes, or the status, on an open span. Exits with 1 when the span is not open."""
    shell = Shell(config)
    key, _ = shell.key(trace, span)
    code = 0 if status is None else int(STATUSES[status.lower()])
    _answer(context, shell.change(key, attributes_of(attributes), status=code, message=cut(message)))


@command.command()
@trace_option
@click.option("--id", "span", metavar="ID", help=ID_HELP)
@attribute_option
@status_option
@message_option
@flush_option
@click.pass_context
def end(
    context: click.Context,
    trace: str | None,
    config: str | None,
    span: str | None,
    attributes: tuple[str, ...],
    status: str | None,
    message: str,
    flush: bool,
) -> None:
    """End a span, whoever started it.

    One whose start is unknown is recorded all the same, as orphaned. Exits with 1 when it has been ended already.
    """
    shell = Shell(config)
    key, target = shell.key(trace, span)
    code = None if status is None else STATUSES[status.lower()]
    ended = shell.end(key, attributes_of(attributes), code, cut(message), target.custom_id)
    if ended is None:
        echo("tracebridge: the start of that span is unknown; its end is recorded as orphaned", err=True)
    elif not ended:
        echo("error: that span has been ended already", err=True)
    if flush:
        deliver(config)
    if ended is False:
        context.exit(EXIT_NOT_FOUND)


def _answer(context: click.Context, was: str) -> None:
    if was != "open":
        echo(f"error: that span is {'unknown' if was == 'unknown' else 'ended already'}; nothing is recorded", err=True)
        context.exit(EXIT_NOT_FOUND)
