"""`tracebridge dead`: look at what destinations refused for good, send it again, or forget it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from tracebridge.cli.shared.delivering import switched_on
from tracebridge.cli.shared.exits import EXIT_INCOMPLETE, EXIT_NOT_FOUND
from tracebridge.cli.shared.groups import Group
from tracebridge.cli.shared.journals import (
    OR_JOURNAL,
    journal_and_adapters,
    journal_directory,
    journal_options,
    settings_with_journal,
)
from tracebridge.cli.shared.output import draw, echo, echo_json, terminal
from tracebridge.cli.shared.words import count

if TYPE_CHECKING:
    from tracebridge.delivery.deadletters.files import DeadFiles, Refusal

WIDEST = 1000  # columns of the table: it is never folded
EPILOG = """Examples:

    tracebridge dead list --journal ./spans

    tracebridge dead show 01764045000123456789-9f3a61c2 --journal ./spans

    tracebridge dead retry --all --config bridge.yaml

    tracebridge dead drop --all --adapter zipkin --journal ./spans
"""


@click.group(cls=Group, epilog=EPILOG)
def command() -> None:
    """Look at the spans that a destination refused for good, send them again, or forget them.

    They lie as OTLP JSON lines in the folder `dead` of the journal's directory, with what the destination said beside.
    """


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says which refusals are meant."""
    ids = click.argument("ids", metavar="[ID]...", nargs=-1)
    everything = click.option("--all", "everything", is_flag=True, help="All of them.")
    adapter = click.option("--adapter", metavar="NAME", help="Only those of this destination, such as otlp_http/main.")
    return ids(everything(adapter(command)))


@command.command(
    "list",
    short_help="List refusals, oldest first.",
    epilog="Example:\n\n    tracebridge dead list --journal ./spans --json",
)
@journal_options
@click.option("--adapter", metavar="NAME", help="Only those of this destination, such as otlp_http/main.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_command(journal: str | None, config: str | None, adapter: str | None, as_json: bool) -> None:
    """List refusals, oldest first: ID, when, destination, number of spans, reason and what the destination said."""
    files, names = _files(journal, config)
    refusals = [one for one in _all(files, adapter, names) if adapter in {None, one.adapter}]
    if as_json:
        for refusal in refusals:
            echo_json(refusal)
        return
    if not refusals:
        echo("no dead letters", err=True)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("id", "when (UTC)", "destination", "spans", "reason", "it said"):
        table.add_column(title, no_wrap=True, justify="right" if title == "spans" else "left")
    for one in refusals:
        table.add_row(one.id, _when(one), escape(one.adapter), f"{one.spans:,}", one.reason, escape(one.message))
    terminal(width=WIDEST).print(table)  # a line for each, however narrow the terminal is


@command.command(
    "show",
    short_help="Show refused spans, and what was said.",
    epilog="Example:\n\n    tracebridge dead show 01764045000123456789-9f3a61c2 --journal ./spans",
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@journal_options
@click.option("--json", "as_json", is_flag=True, help="Print the spans as they are kept: OTLP JSON lines.")
@click.pass_context
def show_command(
    context: click.Context, ids: tuple[str, ...], journal: str | None, config: str | None, as_json: bool
) -> None:
    """Show the spans of refusals, with what the destination said. Exits with 1 when one is not there."""
    files, names = _files(journal, config)
    chosen, missing = _chosen(files, ids, everything=False, adapter=None, names=names)
    for refusal in chosen:
        if as_json:
            for line in files.lines(refusal.id):
                echo_json(line)
        else:
            _show(files, refusal)
    if missing:
        context.exit(EXIT_NOT_FOUND)


def _show(files: DeadFiles, refusal: Refusal) -> None:
    from rich.markup import escape

    from tracebridge.cli.shared.waterfall import Waterfall

    console = terminal()
    console.print(f"[bold]{refusal.id}[/]  {_when(refusal)}  {escape(refusal.adapter)}  {refusal.reason}")
    if refusal.message:
        console.print(f"it said: {escape(refusal.message)}", soft_wrap=True)
    try:
        records = files.records(refusal.id)
    except ValueError as error:
        console.print(f"the spans cannot be read: {escape(str(error))}")
        return
    for trace_id in dict.fromkeys(record.trace_id for record in records):
        spans = [record for record in records if record.trace_id == trace_id]
        draw(console, Waterfall(spans, details=True, attributes=True))
    console.print()


@command.command(
    "drop",
    short_help="Delete refusals for ever.",
    epilog="Example:\n\n    tracebridge dead drop --all --journal ./spans",
)
@_selection
@journal_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def drop_command(
    context: click.Context,
    ids: tuple[str, ...],
    everything: bool,
    adapter: str | None,
    journal: str | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Delete refusals for ever: those of the IDs, or --all. Exits with 1 when one is not there."""
    files, names = _files(journal, config)
    chosen, missing = _chosen(files, ids, everything, adapter, names)
    for refusal in chosen:
        files.remove(refusal.id)
    spans = sum(one.spans for one in chosen)
    if as_json:
        echo_json({"dropped": [one.id for one in chosen], "spans": spans, "missing": missing})
    else:
        echo(f"{count(spans, 'span')} of {count(len(chosen), 'refusal')} dropped")
    if missing:
        context.exit(EXIT_NOT_FOUND)


@command.command(
    "retry",
    short_help="Send refusals again, each where it was refused.",
    epilog="Example:\n\n    tracebridge dead retry --all --config bridge.yaml",
)
@_selection
@journal_options
@click.option(
    "--give-up",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Longest wait for one destination, all of its refusals together.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def retry_command(
    context: click.Context,
    ids: tuple[str, ...],
    everything: bool,
    adapter: str | None,
    journal: str | None,
    config: str | None,
    give_up: float,
    as_json: bool,
) -> None:
    """Send refusals to their destinations again, each only where it was refused.

    What is taken is forgotten here; what is refused again stays, with what the destination says now; what does not arrive in time stays
    as it is. Exits with 0 when all was taken, 1 when not, 78 when the configuration is wrong.
    """
    from tracebridge.delivery.deadletters.files import FOLDER, DeadFiles
    from tracebridge.delivery.resending import Resender
    from tracebridge.settings.load import load_settings

    settings = load_settings(config) if journal is not None else settings_with_journal(config, OR_JOURNAL)[0]
    switched_on(settings)
    directory = journal_directory(journal, config)
    files = DeadFiles(directory / FOLDER, settings.trace_ids.attribute)
    chosen, missing = _chosen(files, ids, everything, adapter, list(settings.adapters))
    if not chosen and not missing:
        echo("no dead letters", err=True)
    outcomes = {}
    for name in dict.fromkeys(refusal.adapter for refusal in chosen):
        mine = [refusal for refusal in chosen if refusal.adapter == name]
        if name not in settings.adapters:
            echo(f"{name}: the configuration no longer names it; {count(len(mine), 'refusal')} kept", err=True)
            outcomes[name] = {"taken": 0, "refused": 0, "kept": sum(one.spans for one in mine), "busy": 0}
            continue
        with _spinner(f"sending to {name} again", quiet=as_json):
            resender = Resender(files, settings, name, give_up)
            outcomes[name] = resender.resend(mine)
            resender.close()
    if as_json:
        echo_json(outcomes)
    else:
        for name, outcome in outcomes.items():
            busy = f", {outcome['busy']:,} being sent by another process" if outcome["busy"] else ""
            echo(
                f"{name}: {count(outcome['taken'], 'span')} taken, {outcome['refused']:,} refused again, "
                f"{outcome['kept']:,} not sent{busy}",
                err=True,  # standard output may be a destination
            )
    if missing or any(sum(outcome.values()) > outcome["taken"] for outcome in outcomes.values()):
        context.exit(EXIT_INCOMPLETE)


def _spinner(said: str, *, quiet: bool) -> Any:

    console = terminal(stderr=True)
    console.quiet = quiet or not console.is_terminal
    return console.status(said)


def _files(journal: str | None, config: str | None) -> tuple[DeadFiles, list[str]]:
    """Return the dead letters that are meant, and the destinations that a configuration names, when there is one."""
    from tracebridge.delivery.deadletters.files import FOLDER, DeadFiles

    directory, names = journal_and_adapters(journal, config)
    return DeadFiles(directory / FOLDER), names


def _all(files: DeadFiles, adapter: str | None, names: Sequence[str]) -> list[Refusal]:
    """Return all refusals. Raises UsageError for an `adapter` that neither the configuration, when there is one, nor any of them names."""
    found = files.all()
    if adapter is not None and names and adapter not in {*names, *(one.adapter for one in found)}:
        raise click.UsageError(f"--adapter {adapter}: the configuration names {', '.join(names)}")
    return found


def _chosen(
    files: DeadFiles, ids: Sequence[str], everything: bool, adapter: str | None, names: Sequence[str]
) -> tuple[list[Refusal], list[str]]:
    """Return the refusals that are meant, and the IDs that are not there, which are said. Raises UsageError."""
    if bool(ids) == everything:
        raise click.UsageError("give IDs (see `tracebridge dead list`), or --all")
    found = _all(files, adapter, names) if everything or adapter is not None else []
    if not everything:
        found = [one for name in dict.fromkeys(ids) if (one := files.find(name)) is not None]
    chosen = [one for one in found if adapter in {None, one.adapter}]
    there = {one.id for one in chosen}
    missing = [name for name in dict.fromkeys(ids) if name not in there]
    for name in missing:
        echo(
            f"dead letter {name}{'' if adapter is None else f' of {adapter}'} does not exist; `tracebridge dead list` shows those that do",
            err=True,
        )
    return chosen, missing


def _when(refusal: Refusal) -> str:
    return datetime.datetime.fromtimestamp(refusal.time_unix_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
