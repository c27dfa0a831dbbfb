"""`tracebridge search`: finished traces that match, as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from tracebridge.cli.shared.exits import EXIT_INTERRUPTED, EXIT_NOT_FOUND
from tracebridge.cli.shared.moments import moment
from tracebridge.cli.shared.names import WILDCARD, pattern_of
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.searching import answer_of
from tracebridge.cli.shared.stores import config_option, from_one_option, join_option, open_destinations
from tracebridge.cli.shared.tracelist import print_traces, trace_row
from tracebridge.errors import TracebridgeError
from tracebridge.reading.filters import parse_filter
from tracebridge.reading.search import Condition, Query

MOST = 100_000  # traces that are listed at once
EPILOG = """Examples:

    tracebridge search --status error --since 2026-01-01

    tracebridge search --id user123 --attribute environment=production

    tracebridge search --filter "attributes.retries > 2 AND name LIKE 'batch%'"
"""


@click.command(epilog=EPILOG)
@config_option
@from_one_option
@join_option
@click.option("--service", help="Service name, exactly.")
@click.option("--name", help="Name of the root, exactly; with % as a wildcard.")
@click.option("--status", type=click.Choice(["OK", "ERROR", "UNSET"], case_sensitive=False), help="Status of the root.")
@click.option(
    "--attribute", "attributes", metavar="KEY=VALUE", multiple=True, help="Attribute of any span; may be repeated."
)
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="Tag of the trace; may be repeated.")
@click.option("--id", "id_text", metavar="TEXT", help="Text within your own trace ID.")
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    help="Started at or after this time, such as 2026-01-31 or 2026-01-31T12:00:00Z.",
)
@click.option("--until", type=moment, metavar="TIME", help="Started before this time.")
@click.option("--filter", "filter_string", help="A filter in MLflow's language, added to the others.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MOST), help="Most traces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def command(
    context: click.Context,
    config: str | None,
    source: str | None,
    join: bool,
    service: str | None,
    name: str | None,
    status: str | None,
    attributes: Sequence[str],
    tags: Sequence[str],
    id_text: str | None,
    since: int | None,
    until: int | None,
    filter_string: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List finished traces, newest first. All conditions must hold.

    Exits with 1 when nothing matches, with 78 when the configuration is wrong.
    """
    try:
        conditions = parse_filter(filter_string)
    except TracebridgeError as error:
        raise click.BadParameter(str(error), param_hint="--filter") from error
    if service:
        conditions.append(Condition("service", "=", service))
    if name:
        conditions.append(_named(name))
    if status:
        conditions.append(Condition("status", "=", status.upper()))
    if id_text:
        # no character of it is a wildcard
        conditions.append(Condition("custom_trace_id", "RLIKE", f"(?i){re.escape(id_text)}"))
    if since is not None:
        conditions.append(Condition("timestamp_ms", ">=", since // 1_000_000))
    if until is not None:
        conditions.append(Condition("timestamp_ms", "<", until // 1_000_000))
    conditions += [_pair("attribute", text) for text in attributes]
    conditions += [_pair("tag", text) for text in tags]

    destination = open_destinations(config, [source] if source else [], join=join)[0][0]
    answer = answer_of(destination, Query(conditions, max_results=limit))
    if not answer.traces:
        echo(f"no trace matches in {destination.shown}", err=True)
        context.exit(EXIT_INTERRUPTED if answer.interrupted else EXIT_NOT_FOUND)
    rows = [trace_row(spans, destination.name) for spans in answer.traces]
    if as_json:
        for row in rows:
            echo_json(row)
    else:
        print_traces(rows)
        echo(f"from {destination.shown}", err=True)
        if answer.more:
            echo(f"more may match; the newest {len(rows)} are shown (--limit)", err=True)
    if answer.interrupted:
        context.exit(EXIT_INTERRUPTED)


def _named(name: str) -> Condition:
    """Return what asks for a name, in which only % is a wildcard."""
    return Condition("name", "RLIKE", pattern_of(name)) if WILDCARD in name else Condition("name", "=", name)


def _pair(kind: str, text: str) -> Condition:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=f"--{kind}")
    return Condition("attribute" if kind == "attribute" else "tag", "=", value, key)
