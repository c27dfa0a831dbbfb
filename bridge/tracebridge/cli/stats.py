"""`tracebridge stats`: what a journal's directory holds and how its processes fare, without asking them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
from tracebridge.cli.shared.journals import journal_and_adapters, journal_options
from tracebridge.cli.shared.output import echo, echo_folded, echo_json, terminal
from tracebridge.cli.shared.words import count
from tracebridge.masking.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

    from tracebridge.journal.inspect import Outside, Writer

EVERY_S = 1.0  # as often as processes tell their numbers
EPILOG = """Examples:

    tracebridge stats --journal ./spans

    tracebridge stats --config bridge.yaml --watch

    tracebridge stats --journal ./spans --json

    tracebridge stats --journal ./spans --prometheus --output /var/lib/node_exporter/tracebridge.prom

    tracebridge stats --journal ./spans --prometheus --listen 127.0.0.1:9464

    tracebridge stats --relay /run/tracebridge/relay.json
"""


@click.command(epilog=EPILOG)
@journal_options
@click.option(
    "--relay",
    metavar="FILE",
    help="Show a relay instead: the file that `tracebridge relay --status` names. Exits with 1 when it is older than 30 seconds.",
)
@click.option("--watch", is_flag=True, help="Go on, every second, until Ctrl-C; with --json one line each time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--prometheus", is_flag=True, help="Print metrics in Prometheus's text form.")
@click.option("--output", metavar="FILE", help="With --prometheus: write a file, whole or not at all.")
@click.option(
    "--listen", metavar="HOST:PORT", help="With --prometheus: serve them on loopback until Ctrl-C or SIGTERM."
)
@click.pass_context
def command(
    context: click.Context,
    journal: str | None,
    config: str | None,
    relay: str | None,
    watch: bool,
    as_json: bool,
    prometheus: bool,
    output: str | None,
    listen: str | None,
) -> None:
    """Show, for each process and destination: queued, delivered, dropped, retrying since, oldest waiting, last error, bytes on disk.

    Running processes tell their numbers every second; what dead ones left behind is counted in their files. Nothing is changed.
    """
    from tracebridge.journal.inspect import Outside

    if (output or listen) and not prometheus:
        raise click.UsageError("--output and --listen are for metrics: add --prometheus")
    if prometheus and (as_json or watch or relay or (output and listen)):
        raise click.UsageError("--prometheus prints, or writes with --output, or serves with --listen; choose one form")
    if relay is not None:
        if not _print_relay(relay, as_json):
            context.exit(EXIT_INCOMPLETE)
        return
    outside = Outside(*journal_and_adapters(journal, config))
    if prometheus:
        _metrics(outside, output, listen)
    elif as_json:
        _print_json(outside, watch)
    else:
        _print_tables(outside, watch)


def _metrics(outside: Outside, output: str | None, listen: str | None) -> None:
    from tracebridge.cli.shared import metrics

    def text() -> str:
        return metrics.text_of(outside, _dead_letters(outside.directory))

    if listen is not None:
        metrics.serve(listen, text)
    elif output is None:
        echo(text(), nl=False)
    else:
        metrics.write_whole(Path(output), text())


def _print_relay(path: str, as_json: bool) -> bool:
    """Print what a relay tells of itself; return whether it still does."""
    from tracebridge.cli.shared.relays import STALE_S, age_s, as_table, in_words, read_status

    stats = read_status(path)
    if as_json:
        echo_json(stats.to_dict())
    else:
        if stats.partitions:
            terminal().print(as_table(stats))
        echo(in_words(stats))
    age = age_s(stats)
    if age > STALE_S:
        echo(f"{path} is {_age(age)} old: the relay has ended, or hangs", err=True)
    return age <= STALE_S


def _print_json(outside: Outside, watch: bool) -> None:
    while True:
        echo_json(picture(outside))
        if not watch:
            return
        time.sleep(EVERY_S)


def _print_tables(outside: Outside, watch: bool) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    console = terminal()
    if not watch:
        table, lines = _shown(outside)
        if table.row_count:
            console.print(table)
        for line in lines:
            echo_folded(line)
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            table, lines = _shown(outside)
            live.update(Group(table, Text("\n".join(lines))), refresh=True)
            time.sleep(EVERY_S)


def picture(outside: Outside) -> dict[str, Any]:
    """Return what is shown, for JSON."""
    writers = outside.writers()
    return {
        "directory": str(outside.directory),
        "disk_bytes": sum(writer.disk_bytes for writer in writers),
        "processes": [msgspec.to_builtins(writer) for writer in writers],
        "dead_letters": _dead_letters(outside.directory),
        "damaged": outside.damaged(),
    }


def _dead_letters(directory: Path) -> int:
    from tracebridge.delivery.deadletters.files import FOLDER, DeadFiles

    return sum(refusal.spans for refusal in DeadFiles(directory / FOLDER).all())


def _shown(outside: Outside) -> tuple[Table, list[str]]:
    """Return the table of what the processes tell, and the lines below it."""
    from rich.table import Table
    from rich.text import Text

    writers = outside.writers()
    table = Table(box=None, pad_edge=False)
    table.add_column("process, destination", overflow="fold")
    for title in ("queued", "delivered", "dropped", "failing", "oldest"):
        table.add_column(title, justify="right", no_wrap=True)
    lines = []
    for writer in writers:
        who = printable(f"{writer.numbers.get('service', '?')} {writer.folder.split('-')[1]}")
        books = writer.numbers.get("adapters", {})
        table.add_row(Text(f"{who}, {writer.state}"))
        for name in dict.fromkeys([*books, *writer.left]):
            table.add_row(Text(f"  {name}"), *_cells(writer, name, books.get(name)))
        lines += [f"{who}: {said}" for said in _said(writer)]
    dead, damaged = _dead_letters(outside.directory), outside.damaged()
    size = sum(writer.disk_bytes for writer in writers) / 2**20
    lines.append(f"{outside.directory}: {size:,.1f} MiB, {count(len(writers), 'process')}")
    if dead:
        lines.append(f"{count(dead, 'dead letter')}; see: tracebridge dead list --journal {outside.directory}")
    if damaged:
        lines.append(f"{count(damaged, 'damaged stretch')} set aside in {outside.directory / 'damaged'}")
    return table, lines


def _cells(writer: Writer, name: str, books: dict[str, Any] | None) -> list[str]:
    """Return one destination's numbers in one process, which may have died before it told any."""
    from tracebridge.journal.inspect import LEFT

    if books is None:
        return [f"{writer.left[name]:,}"]
    since, age = books["retrying_since"], books["oldest_queued_age_s"]
    if age is not None and writer.state == LEFT:  # it went on ageing after the process that told its age had gone
        age = age + time.time() - writer.numbers["time_unix_s"] if writer.left.get(name) else None
    return [
        f"{writer.left.get(name, 0) if writer.state == LEFT else books['queued']:,}",
        f"{books['exported'] + books['sent']:,}",
        f"{sum(books['dropped'].values()):,}",
        "" if since is None else _age(writer.numbers["time_unix_s"] - since),
        "" if age is None else _age(age),
    ]


def _said(writer: Writer) -> list[str]:
    """Return what a person should know of a process beside its numbers."""
    said = []
    for name, books in writer.numbers.get("adapters", {}).items():
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in books["dropped"].items() if count)
        if reasons:
            said.append(f"{name} dropped {reasons}")
        if books["retrying_since"] is not None or reasons:
            said.append(f"{name} said last: {books['last_error']}")
    journal = writer.numbers.get("journal", {})
    if journal.get("last_error"):
        said.append(f"the disk said last: {journal['last_error']}")
    if journal.get("in_memory_only"):
        said.append(f"{count(journal['in_memory_only'], 'span')} in memory only at first, because the disk had no room")
    if journal.get("waiting"):
        said.append(f"{count(journal['waiting'], 'span')} of dead processes waiting for room")
    for name, spans in journal.get("unclaimed", {}).items():
        said.append(f"{count(spans, 'span')} of dead processes wait for {name}, which it does not name")
    for name, reasons in journal.get("dropped", {}).items():
        said.append(f"{name} dropped {', '.join(f'{spans:,} {reason}' for reason, spans in reasons.items())}")
    if writer.newer:
        said.append(f"left alone: {writer.newer}")
    if writer.left_open:
        said.append(f"{count(writer.left_open, 'span')} open when it died")
    return said


def _age(seconds: float) -> str:
    """Return a duration for a person.

    >>> _age(3.2), _age(192), _age(93784)
    ('3s', '3m12s', '1d2h')
    """
    left = max(0, int(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts[:2]) or "0s"
