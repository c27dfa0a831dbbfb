"""`tracebridge show`: one trace as a waterfall."""

from __future__ import annotations

import click

from tracebridge.cli.shared.configured import CONFIG_HELP
from tracebridge.cli.shared.exits import EXIT_NOT_FOUND
from tracebridge.cli.shared.files import new_file
from tracebridge.cli.shared.folding import MAX_SPANS, Look
from tracebridge.cli.shared.moments import length
from tracebridge.cli.shared.output import draw, echo, echo_json, terminal
from tracebridge.cli.shared.stores import open_reader
from tracebridge.errors import TracebridgeError
from tracebridge.ids.identity import Identity
from tracebridge.records.record import carried

EPILOG = """Examples:

    tracebridge show user123_report_20260101_ab12cd34 --details

    tracebridge show user123_report_20260101_ab12cd34 --errors --attributes

    tracebridge show user123_report_20260101_ab12cd34 --min-duration 10ms --collapse 'sql%'

    tracebridge show user123_report_20260101_ab12cd34 --html trace.html
"""


@click.command(epilog=EPILOG)
@click.argument("trace_id")
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
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
    """Draw the trace TRACE_ID, given by your own ID or by its 32 hex digits.

    All bars share one time axis. Every span is drawn, or counted with the option that draws it.

    Exits with 1 when no such trace is stored, with 78 when the configuration is wrong.
    """
    from tracebridge.cli.shared.spantexts import span_json
    from tracebridge.cli.shared.waterfall import Waterfall

    reader, settings = open_reader(config)
    found = reader.find(carried(trace_id))
    ids = Identity(settings.trace_ids)
    try:
        wire_ids = found or [wire.trace_id for wire in ids.meanings(trace_id)] or [ids.wire(trace_id).trace_id]
    except TracebridgeError as error:
        raise click.UsageError(str(error)) from error
    wire_id, spans = next(((wire, spans) for wire in wire_ids if (spans := reader.get(wire))), (wire_ids[0], []))
    if not spans:
        echo(f"no trace {trace_id!r} (wire ID {wire_id.hex()}); `tracebridge search` lists what is there", err=True)
        context.exit(EXIT_NOT_FOUND)
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
    if len(found) > 1:
        echo(f"{len(found)} traces carry this ID; this is the newest. Others: "
                   + ", ".join(other.hex() for other in found[1:]), err=True)  # fmt: skip
    link = reader.link(wire_id)
    if link:
        echo(link)
