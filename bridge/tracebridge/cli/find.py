"""`tracebridge find`: traces by whatever somebody has of their ID."""

from __future__ import annotations

import click

from tracebridge.cli.shared.exits import EXIT_NOT_FOUND
from tracebridge.cli.shared.output import echo, echo_folded, echo_json
from tracebridge.cli.shared.stores import config_option, from_option, open_destinations
from tracebridge.cli.shared.tracelist import print_traces, trace_row
from tracebridge.cli.shared.words import count
from tracebridge.ids.identity import Identity
from tracebridge.reading.finding import Finder, Match
from tracebridge.reading.sought import sought

SIMILAR = 3  # IDs that are offered
EPILOG = """Examples:

    tracebridge find user123_report_20260101_ab12cd34

    tracebridge find 5208512171318403364

    tracebridge find ab12cd34 --from store
"""


@click.command(epilog=EPILOG)
@click.argument("text")
@config_option
@from_option
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="Most traces of one destination."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def command(
    context: click.Context, text: str, config: str | None, sources: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """List the traces that TEXT means: your own ID, a wire ID in any form of any scheme, the last 64 bits of one in decimal or hex, a span's ID, or part of an ID.

    Asks every destination that can be read, and says what it was not asked. Exits with 1 when nothing is found, with 78 when the
    configuration is wrong.
    """
    destinations, settings = open_destinations(config, sources)
    finder = Finder(destinations, Identity(settings.trace_ids))
    what = sought(text)
    matches: dict[tuple[str, bytes], Match] = {}
    for match in (*finder.exact(what), *finder.near(what, limit)):
        matches.setdefault((match.destination.name, match.trace_id), match)
    rows = [_row(match) for match in list(matches.values())]
    if as_json:
        for row in rows:
            echo_json(row)
    elif rows:
        print_traces(rows)
    for destination in destinations:
        whys = [match.why for match in matches.values() if match.destination is destination]
        told = ", ".join(f"{whys.count(why):,} by {why}" for why in dict.fromkeys(whys))
        echo_folded(f"{destination.shown}: {count(len(whys), 'trace')}{f' ({told})' if told else ''}", err=True)
    for line in (*finder.failed, *finder.left_out()):
        echo_folded(line, err=True)
    if not rows:
        similar = finder.similar(what, SIMILAR)
        echo(
            f"did you mean {' or '.join(similar)}?" if similar else "`tracebridge search` lists what is there", err=True
        )
        context.exit(EXIT_NOT_FOUND)


def _row(match: Match) -> dict[str, object]:
    spans, number = match.destination.spans(match.trace_id, 1)
    return trace_row(spans, match.destination.name) | {"spans": number, "matched": match.why}
