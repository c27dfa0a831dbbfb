"""`tracebridge journal`: what dead processes left, by destination; handed over to another name, or forgotten."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tracebridge.cli.shared.exits import EXIT_INCOMPLETE, EXIT_NOT_FOUND
from tracebridge.cli.shared.groups import Group
from tracebridge.cli.shared.journals import journal_and_adapters, journal_options
from tracebridge.cli.shared.output import echo, echo_json, terminal
from tracebridge.cli.shared.words import count

if TYPE_CHECKING:
    from tracebridge.journal.adoption import Left
    from tracebridge.journal.settled import Owner

WIDEST = 1000  # columns of the table: it is never folded
EPILOG = """Examples:

    tracebridge journal list --config bridge.yaml

    tracebridge journal move zipkin zipkin/main --config bridge.yaml

    tracebridge journal drop zipkin --journal ./spans
"""


class Owed(msgspec.Struct):
    """What dead processes left for one destination."""

    adapter: str
    spans: int = 0
    """Those that were open, and come as unfinished, are among them."""
    processes: int = 0
    """How many processes left them."""
    oldest_unix_s: float = 0.0
    """When the first of these processes began."""
    named: bool | None = None
    """Whether the configuration names the destination; None without one."""


class Outcome(msgspec.Struct):
    """What a command has done."""

    spans: int = 0
    processes: int = 0
    """Of how many dead processes."""
    left_alone: int = 0
    """Folders that could not be read."""


@click.group(cls=Group, epilog=EPILOG)
def command() -> None:
    """Look at what dead processes left for a destination, hand it over to another name, or forget it.

    It is kept under the destination's key in the configuration, such as `zipkin` or `otlp_http/main`. A process whose configuration
    names that key delivers it by itself; what none names waits until it is moved or dropped here, or until `journal.unclaimed` bounds it.
    What running processes hold is left to them.
    """


@command.command(
    "list",
    short_help="List what waits, by destination.",
    epilog="Example:\n\n    tracebridge journal list --journal ./spans --json",
)
@journal_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_command(journal: str | None, config: str | None, as_json: bool) -> None:
    """List what dead processes left: destination, spans, of how many processes, since when, and whether the configuration names it."""
    directory, names = journal_and_adapters(journal, config)
    found = _owed(directory, names)
    if as_json:
        for one in found:
            echo_json(one)
        return
    if not found:
        echo("dead processes have left nothing", err=True)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("destination", "spans", "processes", "since (UTC)", "named here"):
        table.add_column(title, no_wrap=True, justify="right" if title in {"spans", "processes"} else "left")
    for one in found:
        since = datetime.datetime.fromtimestamp(one.oldest_unix_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
        named = {None: "", True: "yes", False: "no"}[one.named]
        table.add_row(Text(one.adapter), f"{one.spans:,}", f"{one.processes:,}", since, named)
    terminal(width=WIDEST).print(table)


@command.command(
    "move",
    short_help="Hand what one destination is owed to another name.",
    epilog="Example:\n\n    tracebridge journal move zipkin zipkin/main --config bridge.yaml",
)
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO")
@journal_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def move_command(
    context: click.Context, before: str, after: str, journal: str | None, config: str | None, as_json: bool
) -> None:
    """Let the destination TO take over what FROM is owed, for one that was renamed.

    FROM is as `journal list` shows it. Exits with 0 when something was moved, 1 when nothing is owed to FROM or something could not be read.
    """
    from tracebridge.journal.unclaimed import move

    directory, names = journal_and_adapters(journal, config)
    if names and after not in names:
        raise click.UsageError(f"TO is {after}, and the configuration names {', '.join(names)}")
    outcome = _change(directory, before, names, lambda left, owner: move(left, owner, after))
    _report(context, outcome, f"moved from {before} to {after}", before, as_json)


@command.command(
    "drop",
    short_help="Forget what a destination is owed, for ever.",
    epilog="Example:\n\n    tracebridge journal drop zipkin --journal ./spans",
)
@click.argument("adapter", metavar="NAME")
@journal_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def drop_command(context: click.Context, adapter: str, journal: str | None, config: str | None, as_json: bool) -> None:
    """Forget what dead processes left for one destination, for ever; the others keep theirs.

    NAME is as `journal list` shows it. Exits with 0 when something was dropped, 1 when nothing is owed to it or something could not be read.
    """
    from tracebridge.journal.unclaimed import drop

    directory, names = journal_and_adapters(journal, config)
    _report(context, _change(directory, adapter, names, drop), f"dropped for {adapter}", adapter, as_json)


def _owed(directory: Path, names: list[str]) -> list[Owed]:
    from tracebridge.journal.inspect import LEFT, Outside

    found: dict[str, Owed] = defaultdict(lambda: Owed(""))
    for writer in Outside(directory, names).writers():
        if writer.state != LEFT:
            continue
        if writer.newer:
            echo(f"{directory / writer.folder} is left alone: {writer.newer}", err=True)
        for name, spans in writer.left.items():
            if spans + writer.left_open:
                one = found[name]
                one.adapter, one.named = name, name in names if names else None
                one.spans += spans + writer.left_open
                one.processes += 1
                one.oldest_unix_s = one.oldest_unix_s or int(writer.folder[:20]) / 1e9
    return sorted(found.values(), key=lambda one: one.adapter)


def _change(directory: Path, adapter: str, names: list[str], change: Callable[[Left, Owner], int]) -> Outcome:
    """Change what dead processes left for an adapter; `change` returns how many spans that is."""
    from tracebridge.journal.adoption import read_folder
    from tracebridge.journal.folder import Folder, folders
    from tracebridge.journal.segment_header import NewerVersionError
    from tracebridge.journal.unclaimed import give_back

    outcome = Outcome()
    for path in folders(directory):
        folder = None
        try:
            folder = Folder.take(path)
            if folder is None:
                continue
            left = read_folder(folder, (adapter,), always=adapter.startswith("?"))
        except (NewerVersionError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            echo(f"{path} is left alone: {why}", err=True)
            outcome.left_alone += 1
            if folder is not None:
                folder.close()
            continue
        spans = sum(change(left, owner) for owner in left.owners_named(adapter, names))
        give_back(left)
        outcome.spans += spans
        outcome.processes += bool(spans)
    return outcome


def _report(context: click.Context, outcome: Outcome, what: str, adapter: str, as_json: bool) -> None:
    if as_json:
        echo_json(outcome)
    elif outcome.spans:
        echo(f"{count(outcome.spans, 'span')} of {count(outcome.processes, 'process')} {what}")
    else:
        echo(f"dead processes have left nothing for {adapter}; see: tracebridge journal list", err=True)
    if not outcome.spans:
        context.exit(EXIT_NOT_FOUND)
    if outcome.left_alone:
        context.exit(EXIT_INCOMPLETE)
