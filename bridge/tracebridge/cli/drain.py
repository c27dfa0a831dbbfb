"""`tracebridge drain`: deliver a journal that was left behind, with no application running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from tracebridge.cli.shared.delivering import switched_on
from tracebridge.cli.shared.exits import EXIT_INCOMPLETE, EXIT_INTERRUPTED
from tracebridge.cli.shared.journals import drainable_settings
from tracebridge.cli.shared.output import bars, echo_folded, echo_json
from tracebridge.cli.shared.spanfiles import stopped_by_signals
from tracebridge.cli.shared.words import count

if TYPE_CHECKING:
    from tracebridge.journal.accounts import Stats

LOOK_EVERY_S = 0.1
EPILOG = """Examples:

    tracebridge drain --config bridge.yaml

    tracebridge drain --config bridge.yaml --give-up 600 --json
"""


@click.command(epilog=EPILOG)
@click.option("--config", metavar="FILE", help="YAML file of the application; default: $TRACEBRIDGE_CONFIG.")
@click.option(
    "--give-up",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Stop after so long; default: go on until all has arrived.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def command(context: click.Context, config: str | None, give_up: float | None, as_json: bool) -> None:
    """Deliver what dead processes left in the configured journal, in order, IDs unchanged, to the configured destinations; then shared spans that ended.

    Those are what the shell's commands wrote, and what is overdue, at the engine of `open_spans`. What running processes hold is left to them. What does not arrive in time stays for the next run.

    Exits with 0 when everything has arrived, 1 when not (some is still there, for a destination that the configuration does not name too, was
    refused, or could not be read), 78 when the configuration is wrong, 130 when it was interrupted.
    """
    from tracebridge.client import Client
    from tracebridge.journal.folder import folders

    settings, directory = drainable_settings(config)
    switched_on(settings)
    anything = directory is not None and any(True for _ in folders(directory))
    deadline = None if give_up is None else time.monotonic() + give_up
    with (
        stopped_by_signals() as stop,
        Client(config=settings) as client,
        _bars(list(settings.adapters), as_json) as bars,
    ):
        elsewhere = client._look_elsewhere()
        stats = client.stats()
        while not (elsewhere is not None and _is_done(stats, anything)) and not stop.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                break
            if not client.flush(LOOK_EVERY_S):
                stop.wait(LOOK_EVERY_S)
            if elsewhere is None:
                elsewhere = client._look_elsewhere()
            stats = client.stats()
            bars.show(stats)
        complete = elsewhere is not None and _is_done(stats, anything)
        client.close(timeout_s=None if complete else 0.0)
        stats = client.stats()
    left = stats.journal.left_alone or stats.journal.unclaimed
    arrived = complete and not left and not any(b.dropped for b in stats.adapters.values())
    _report(stats, arrived, as_json)
    if stop.is_set():
        context.exit(EXIT_INTERRUPTED)
    if not arrived:
        context.exit(EXIT_INCOMPLETE)


def _is_done(stats: Stats, looks: bool) -> bool:
    looked = not looks or (stats.journal.looked and not stats.journal.waiting)
    return looked and not any(b.queued for b in stats.adapters.values())


class _bars:
    """One bar for each destination on a terminal, nothing elsewhere."""

    def __init__(self, adapters: list[str], quiet: bool) -> None:
        from rich import progress
        from rich.markup import escape

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[said]}", markup=False),
        )
        self._progress = bars(*columns, shown=not quiet)
        self._tasks = {name: self._progress.add_task(escape(name), total=None, said="") for name in adapters}

    def __enter__(self) -> _bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, stats: Stats) -> None:
        """Show how far it is."""
        for name, books in stats.adapters.items():
            said = f"failing: {books.last_error}" if books.retrying_since is not None else ""
            self._progress.update(
                self._tasks[name],
                total=books.adopted + stats.journal.waiting,
                completed=books.adopted - books.queued,
                said=said,
            )


def _report(stats: Stats, arrived: bool, as_json: bool) -> None:
    journal = stats.journal
    if as_json:
        adapters: dict[str, Any] = stats.to_dict()["adapters"]
        outcome = {
            "complete": arrived,
            "adapters": adapters,
            "waiting": journal.waiting,
            "left_alone": journal.left_alone,
            "unclaimed": journal.unclaimed,
        }
        echo_json({**outcome, "damaged": journal.damaged, "torn": journal.torn})
        return
    for name, books in stats.adapters.items():
        dropped = sum(books.dropped.values())
        why = f" ({', '.join(books.dropped)}: {books.last_error})" if dropped else ""
        failing = f" ({books.last_error})" if books.queued and books.last_error else ""
        echo_folded(
            f"{name}: {books.adopted:,} found, {books.exported + books.sent:,} delivered, "
            f"{books.queued:,} still there{failing}, {dropped:,} dropped{why}",
            err=True,  # standard output may be a destination
        )
    for name, spans in journal.unclaimed.items():
        echo_folded(
            f"{name}: {spans:,} still there; this configuration does not name it (see: tracebridge journal --help)",
            err=True,
        )
    if journal.damaged:
        echo_folded(f"{count(journal.damaged, 'damaged stretch')} could not be read and set aside", err=True)
    if journal.left_alone:
        echo_folded(f"{count(journal.left_alone, 'folder')} left alone; the log says why", err=True)
