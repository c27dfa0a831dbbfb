"""`tracebridge show`: one trace as a waterfall."""

from __future__ import annotations

import click

from tracebridge.cli.shared.exits import EXIT_NOT_FOUND
from tracebridge.cli.shared.files import new_file
from tracebridge.cli.shared.folding import MAX_SPANS, Look
from tracebridge.cli.shared.moments import length
from tracebridge.cli.shared.output import draw, echo, echo_folded, echo_json, terminal
from tracebridge.cli.shared.stores import config_option, from_option, join_option, open_destinations
from tracebridge.cli.shared.words import count
from tracebridge.ids.identity import Identity
from tracebridge.reading.finding import Finder, Match
from tracebridge.reading.sought import Sought, sought

MOST_NEAR = 20  # traces that a text may mean
MAX_READ = 100_000  # spans of one trace, unless more are to be drawn
SIMILAR = 3  # IDs that are offered

EPILOG = """Examples:

    tracebridge show user123_report_20260101_ab12cd34 --details

    tracebridge show user123_report_20260101_ab12cd34 --errors --attributes

    tracebridge show user123_report_20260101_ab12cd34 --min-duration 10ms --collapse 'sql%'

    tracebridge show user123_report_20260101_ab12cd34 --html trace.html
"""


@click.command(epilog=EPILOG)
@click.argument("trace_id")
@config_option
@from_option
@join_option
@click.option("--details", is_flag=True, help="Show inputs and outputs.")
@click.option("--attributes", is_flag=True, help="Show attributes, tags and events.")
@click.option("--errors", is_flag=True, help="Draw spans that failed, and those that lead to them.")
@click.option(
    "--min-duration",
    metavar="TIME",
    type=length,
    default="0",
    help="Draw spans as long as this, such as 10ms, and those above.",
)
@click.option("--service", help="Draw spans of this service, and those above.")
@click.option("--name", help="Draw spans of this name, with % as a wildcard, and those above.")
@click.option(
    "--max-depth", metavar="N", type=click.IntRange(min=0), help="Draw so many levels below the top; default: all."
)
@click.option(
    "--collapse",
    metavar="NAME",
    multiple=True,
    help="Draw nothing below spans of this name, with % as a wildcard; may be repeated.",
)
@click.option("--unfold", is_flag=True, help="Draw each of many siblings of one name, not the slowest for all of them.")
@click.option(
    "--max-spans", default=MAX_SPANS, show_default=True, type=click.IntRange(min=1), help="Draw at most so many spans."
)
@click.option("--no-pager", is_flag=True, help="Do not go through $PAGER where a trace is longer than the terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print all spans as one JSON array.")
@click.option(
    "--html", metavar="FILE", help="Write the trace as one HTML file (0600) that needs nothing else; - for stdout."
)
@click.option("--force", is_flag=True, help="Replace the HTML file when it is there.")
@click.pass_context
def command(  # one argument an option
    context: click.Context,
    trace_id: str,
    config: str | None,
    sources: tuple[str, ...],
    join: bool,
    details: bool,
    attributes: bool,
    errors: bool,
    min_duration: int,
    service: str | None,
    name: str | None,
    max_depth: int | None,
    collapse: tuple[str, ...],
    unfold: bool,
    max_spans: int,
    no_pager: bool,
    as_json: bool,
    html: str | None,
    force: bool,
) -> None:
    """Draw the trace TRACE_ID, given by your own ID, by its 32 hex digits, or by whatever `tracebridge find` takes when that means one trace.

    All bars share one time axis. Every span is drawn, or counted with the option that draws it.

    Exits with 1 when no such trace is stored, with 78 when the configuration is wrong.
    """
    from tracebridge.cli.shared.spantexts import span_json
    from tracebridge.cli.shared.waterfall import Waterfall

    destinations, settings = open_destinations(config, sources, join=join)
    finder = Finder(destinations, Identity(settings.trace_ids))
    what = sought(trace_id)
    if not what.wire:
        raise click.UsageError(f"{trace_id[:80]!r} can be no trace ID: it is empty or too long")
    first = next(finder.exact(what), None)
    others = [] if first is None else [each for each in finder.exact(what) if each.destination == first.destination][1:]
    if first is None:
        near = list(finder.near(what, MOST_NEAR))
        first = near[0] if len(near) == 1 else None
        if first is None:
            _tell_missing(finder, what, near)
            context.exit(EXIT_NOT_FOUND)
        echo(f"{trace_id!r} is {first.why} of this trace", err=True)
    spans, number = first.destination.spans(
        first.trace_id, -1 if as_json or html is not None else max(max_spans, MAX_READ)
    )
    if len(destinations) > 1:
        echo(f"from {first.destination.shown}", err=True)
    if as_json:
        echo_json([span_json(span) for span in spans], indent=2)
        return
    if html is not None:
        from tracebridge.html.document import document

        with new_file(html, force=force) as file:
            file.write(document([spans]).encode())
        return

    look = Look(
        errors=errors,
        min_duration_ns=min_duration,
        service=service,
        name=name,
        max_depth=max_depth,
        collapse=collapse,
        unfold=unfold,
        max_spans=max_spans,
    )
    draw(terminal(), Waterfall(spans, look, details=details, attributes=attributes), paged=not no_pager)
    if number > len(spans):
        echo(
            f"{count(number - len(spans), 'more span')} of this trace, which start later, were not read: --max-spans {number}",
            err=True,
        )
    if others:
        echo(f"{len(others) + 1} traces carry this ID; this is the newest. Others: "
                   + ", ".join(other.trace_id.hex() for other in others), err=True)  # fmt: skip
    link = first.destination.reader.link(first.trace_id)
    if link:
        echo(link)


def _tell_missing(finder: Finder, what: Sought, near: list[Match]) -> None:
    """Say that no trace is meant, what was not looked for, and what may be meant."""
    if near:
        echo(
            f"{what.text!r} is not a whole ID; it may mean {count(len(near), 'trace')}: tracebridge find {what.text!r}",
            err=True,
        )
        return
    echo(f"no trace {what.text!r} (wire ID {what.wire[0].hex()}); `tracebridge search` lists what is there", err=True)
    for line in (*finder.failed, *finder.left_out()):
        echo_folded(line, err=True)
    similar = finder.similar(what, SIMILAR)
    if similar:
        echo(f"did you mean {' or '.join(similar)}?", err=True)
