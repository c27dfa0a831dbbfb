"""`tracebridge replay`: spans out of log files, into the systems that a configuration names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tracebridge.cli.shared.books import unconfirmed
from tracebridge.cli.shared.configured import CONFIG_HELP, configured
from tracebridge.cli.shared.delivering import switched_on
from tracebridge.cli.shared.exits import EXIT_INCOMPLETE, EXIT_INTERRUPTED
from tracebridge.cli.shared.moments import moment
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.progress import Progress
from tracebridge.cli.shared.spanfiles import (
    as_json,
    complain,
    is_incomplete,
    own_envelope,
    own_envelope_options,
    paths_argument,
    stopped_by_signals,
    strict_option,
    tell,
)
from tracebridge.cli.shared.words import count
from tracebridge.journal.accounts import SAMPLED_OUT

if TYPE_CHECKING:
    from tracebridge.ids.identity import Identity
    from tracebridge.plugins.signing import Key
    from tracebridge.records.record import SpanRecord
    from tracebridge.replay.player import Played
    from tracebridge.replay.reader import Found

ROOM = 2  # the part of the journal that may wait: a half
EPILOG = """Examples:

    tracebridge replay app.log --config bridge.yaml

    tracebridge replay /var/log/containers app.log.2.gz --since 2026-01-01 --state replay.state

    kubectl logs -f deploy/shop | tracebridge replay - --config bridge.yaml
"""


@click.command(epilog=EPILOG)
@paths_argument
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
@click.option("--follow", is_flag=True, help="Go on as the files grow, through rotations, until Ctrl-C.")
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    help="Only spans that started at or after this time, such as 2026-01-31 or 2026-01-31T12:00:00Z.",
)
@click.option("--until", type=moment, metavar="TIME", help="Only spans that started before this time.")
@click.option(
    "--trace",
    "traces",
    metavar="ID",
    multiple=True,
    help="Only this trace, by its own ID or its 32 hex digits; may be repeated.",
)
@click.option(
    "--state",
    metavar="FILE",
    help="Remember here what was delivered: a second run goes on where the first ended, without doubles.",
)
@click.option(
    "--give-up",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="At the end, wait at most so long for destinations that fail; default: until they take spans again.",
)
@click.option(
    "--join-short-ids",
    "join",
    is_flag=True,
    help="Deliver every trace under the lower 64 bits of its ID, so that it is one for services that keep 128 bits and for those that keep 64.",
)
@own_envelope_options
@strict_option
@click.option(
    "--verify",
    is_flag=True,
    help="Deliver only spans of lines that are signed (log: {sign: …}) with one of the keys in $TRACEBRIDGE_VERIFY_KEYS: ID=KEY, with blanks between them.",
)
@click.option("--dry-run", is_flag=True, help="Read and count; send nothing.")
@click.option("--json", "json_output", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    config: str | None,
    follow: bool,
    since: int | None,
    until: int | None,
    traces: tuple[str, ...],
    state: str | None,
    give_up: float | None,
    join: bool,
    prefix: str | None,
    field: str | None,
    envelopes: tuple[str, ...],
    strict: bool,
    verify: bool,
    dry_run: bool,
    json_output: bool,
) -> None:
    """Read spans from FILEs (or directories, or - for standard input) and deliver them, IDs and times unchanged.

    Reads span lines in every profile, OTLP JSON, Zipkin, Jaeger and MLflow files, plain, gzip or zstd, bare or as log shippers wrap them; other
    log lines are skipped and counted. A span that was met before is not sent again.

    Exits with 1 when not every span has arrived (or, with --strict, when a line is damaged), 78 when the configuration is wrong,
    130 when it was interrupted.
    """  # fmt: skip
    from tracebridge.client import Client
    from tracebridge.ids.identity import Identity
    from tracebridge.ids.joining import joined
    from tracebridge.replay.player import Player
    from tracebridge.replay.seen import open_seen
    from tracebridge.replay.stream import SpanFiles

    settings = configured(config, if_unwritable="refuse").settings
    if not dry_run:
        switched_on(settings)
    wanted = _wanted(since, until, traces, Identity(settings.trace_ids), join=join)
    with stopped_by_signals() as stop, open_seen(state) as seen:
        files = SpanFiles(
            paths,
            trace_id_attribute=settings.trace_ids.attribute,
            own=own_envelope(prefix, field, envelopes),
            keys=_keys() if verify else None,
            start=seen.position,
            stop=stop.is_set,
            unreadable=complain,
        )
        client = None if dry_run else Client(config=settings)
        with Progress(files.files, growing=follow, quiet=json_output) as progress:
            player = Player(
                client,
                seen,
                wanted=wanted,
                room_bytes=settings.journal.bound // ROOM,
                waiting=lambda: progress.waiting(client) or stop.is_set(),
                renamed=joined if join else None,
            )
            for step in files.growing() if follow else files.once():
                if step is None:
                    player.rest()
                else:
                    player.play(step)
                progress.at(step, files.found.spans)
            arrived = player.finish(give_up)
        stats = client.stats().to_dict()["adapters"] if client is not None else {}
        if client is not None:
            client.close(None if arrived else 0.0)
    tell(files.found)
    _report(json_output, player.played, files.found, stats, dry_run)
    if stop.is_set() and not follow:
        context.exit(EXIT_INTERRUPTED)
    if (
        not arrived
        or files.failed
        or any(set(b["dropped"]) - {SAMPLED_OUT} for b in stats.values())
        or is_incomplete(files.found, strict=strict)
    ):
        context.exit(EXIT_INCOMPLETE)


def _keys() -> dict[str, Key]:
    """Return the keys that the environment names. Raises BadParameter, without them."""
    from tracebridge.plugins.signing import KEYS_VARIABLE, keys_of

    try:
        return keys_of(os.environ.get(KEYS_VARIABLE, ""))
    except ValueError as error:
        raise click.BadParameter(f"${KEYS_VARIABLE}: {error}; write ID=KEY", param_hint="--verify") from None


def _wanted(
    since: int | None, until: int | None, traces: Sequence[str], ids: Identity, *, join: bool
) -> Callable[[SpanRecord], bool]:
    from tracebridge.errors import TracebridgeError
    from tracebridge.ids.joining import joined_id

    first = since if since is not None else -(2**63)
    last = until if until is not None else 2**63
    try:
        wire = {meant.trace_id for trace in traces for meant in ids.meanings(trace) or [ids.wire(trace)]}
    except TracebridgeError as error:
        raise click.BadParameter(str(error), param_hint="--trace") from error
    if join:
        wire = set(map(joined_id, wire))

    def wanted(record: SpanRecord) -> bool:
        if wire and record.trace_id not in wire and record.custom_trace_id not in traces:
            return False
        return first <= record.start_time_ns < last

    return wanted


def _report(json_output: bool, played: Played, found: Found, stats: dict[str, Any], dry_run: bool) -> None:
    if json_output:
        outcome = {**as_json(found), **msgspec.to_builtins(played), "dry_run": dry_run, "adapters": stats}
        echo_json(outcome)
        return
    unverified = found.unsigned_lines + found.forged_lines
    counts = [
        f"{count(found.lines, 'line')}: {found.span_lines:,} with spans, {found.other_lines:,} others, {found.damaged_lines:,} damaged",
        f"{count(found.spans, 'span')}: {played.delivered:,} {'would be delivered' if dry_run else 'handed to delivery'}, "
        f"{played.doubles:,} met before, {played.unwanted:,} outside what was asked for",
    ]
    if unverified:
        counts.append(
            f"{count(unverified, 'line')} not verified: {found.unsigned_lines:,} without a signature, {found.forged_lines:,} with a wrong one"
        )
    for name, books in stats.items():
        lost = {reason: spans for reason, spans in books["dropped"].items() if reason != SAMPLED_OUT}
        dropped, sampled = sum(lost.values()), books["dropped"].get(SAMPLED_OUT, 0)
        why = f" ({', '.join(lost)}: {books['last_error']})" if dropped else ""
        why += f", {sampled:,} left out by sampling" if sampled else ""
        counts.append(
            f"{name}: {books['exported']:,} acknowledged{unconfirmed(books)}, {books['queued']:,} queued, {dropped:,} dropped{why}"
        )
    echo("\n".join(counts), err=True)  # standard output may be a destination
