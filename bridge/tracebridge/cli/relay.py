"""`tracebridge relay`: spans out of Kafka, into the systems that a configuration names."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tracebridge.cli.shared.configured import configured
from tracebridge.cli.shared.delivering import switched_on
from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
from tracebridge.cli.shared.output import echo, echo_json, terminal
from tracebridge.cli.shared.relays import in_words
from tracebridge.cli.shared.spanfiles import stopped_by_signals
from tracebridge.errors import ConfigError
from tracebridge.journal.accounts import SAMPLED_OUT
from tracebridge.process.private_files import write_private
from tracebridge.settings.load import CONFIG_VARIABLE

if TYPE_CHECKING:
    from tracebridge.relay.counts import RelayStats

STATUS_EVERY_S = 1.0
EPILOG = """Examples:

    tracebridge relay --config bridge.yaml

    tracebridge relay --config bridge.yaml --until-end

    tracebridge relay --config bridge.yaml --dry-run --until-end --json
"""


@click.command(epilog=EPILOG)
@click.option("--config", metavar="FILE", help="YAML file with `relay` and `adapters`; default: $TRACEBRIDGE_CONFIG.")
@click.option("--until-end", is_flag=True, help="End when all that is there at the start has arrived.")
@click.option("--dry-run", is_flag=True, help="Read and count; deliver nothing and commit nothing.")
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="How often a line of figures is printed when the output is not a terminal.",
)
@click.option(
    "--status",
    metavar="FILE",
    help="Keep the figures in this file, every second, for `tracebridge stats --relay FILE`.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the figures as JSON on standard output, one object a line."
)
@click.pass_context
def command(
    context: click.Context,
    config: str | None,
    until_end: bool,
    dry_run: bool,
    every: float,
    status: str | None,
    as_json: bool,
) -> None:
    """Read spans from the topics that the configuration names, and deliver them, IDs and times unchanged.

    Reads OTLP (protobuf, JSON) and Zipkin (v2 JSON and protobuf, v1 JSON and Thrift). Only what every destination has is committed: what is
    read twice after a kill has the same IDs. Several relays of one group share the partitions. SIGTERM ends it within
    `lifecycle.shutdown_timeout`.

    Exits with 1 when, with --until-end, not everything has arrived, 78 when the configuration is wrong.
    """
    from tracebridge.client import Client
    from tracebridge.relay.build import client_settings, relay_of

    logging.basicConfig(format="%(message)s")
    logging.getLogger("tracebridge.relay").setLevel(logging.INFO)
    loaded = configured(config, if_unwritable="refuse")
    if loaded.by not in {"config", CONFIG_VARIABLE}:
        raise ConfigError(
            f"which topics? Name a YAML file with `relay` and `adapters` by --config, or by {CONFIG_VARIABLE}"
        )
    settings = loaded.settings
    if not dry_run:
        settings = client_settings(switched_on(settings))
    client = None if dry_run else Client(config=settings)
    figures = Figures(every, Path(status) if status else None, as_json)
    try:
        with stopped_by_signals() as stop, figures:
            relay = relay_of(settings, client, stop=stop.is_set, until_end=until_end)
            last = relay.run(figures.show)
            stopped = stop.is_set()
    finally:
        if client is not None:
            client.close(0.0)
    figures.end(last)
    dropped = any(set(books.dropped) - {SAMPLED_OUT} for books in last.adapters.values())
    if until_end and (stopped or dropped or last.dead_letters):
        context.exit(EXIT_INCOMPLETE)


class Figures:
    """Shows how far a relay is: a line that changes on a terminal, a line now and then elsewhere, and a file for others."""

    def __init__(self, every_s: float, status: Path | None, as_json: bool) -> None:
        console = terminal(stderr=True)
        self._as_json = as_json
        self._every_s = every_s
        self._status = status
        self._line = console.status("joining the group") if console.is_terminal and not as_json else None
        self._next_line = time.monotonic() + every_s
        self._next_status = 0.0

    def __enter__(self) -> Figures:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.stop()

    def show(self, stats: RelayStats) -> None:
        """Show a picture, where it is time."""
        now = time.monotonic()
        if self._line is not None:
            self._line.update(in_words(stats))
        elif now >= self._next_line:
            self._next_line = now + self._every_s
            self._print(stats)
        if self._status is not None and now >= self._next_status:
            self._next_status = now + STATUS_EVERY_S
            write_private(self._status, msgspec.json.encode(stats.to_dict()))

    def end(self, stats: RelayStats) -> None:
        """Show the last picture, wherever it is shown."""
        self._print(stats)
        if self._status is not None:
            write_private(self._status, msgspec.json.encode(stats.to_dict()))

    def _print(self, stats: RelayStats) -> None:
        if self._as_json:
            echo_json(stats.to_dict())
        else:
            echo(in_words(stats), err=True)  # standard output may be a destination
