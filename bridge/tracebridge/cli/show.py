"""`tracebridge show`: one trace as a tree."""

from __future__ import annotations

import click

from tracebridge.cli.shared.configured import CONFIG_HELP
from tracebridge.cli.shared.exits import EXIT_NOT_FOUND
from tracebridge.cli.shared.files import new_file
from tracebridge.cli.shared.output import echo, echo_json, terminal
from tracebridge.cli.shared.stores import open_reader
from tracebridge.errors import TracebridgeError
from tracebridge.ids.identity import Identity
from tracebridge.records.record import carried

EPILOG = """Example:

    tracebridge show user123_report_20260101_ab12cd34 --details

    tracebridge show user123_report_20260101_ab12cd34 --html trace.html
"""


@click.command(epilog=EPILOG)
@click.argument("trace_id")
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
@click.option("--details", is_flag=True, help="Show inputs and outputs.")
@click.option("--attributes", is_flag=True, help="Show attributes, tags and events.")
@click.option("--json", "as_json", is_flag=True, help="Print the spans as one JSON array.")
@click.option(
    "--html", metavar="FILE", help="Write the trace as one HTML file (0600) that needs nothing else; - for stdout."
)
@click.option("--force", is_flag=True, help="Replace the HTML file when it is there.")
@click.pass_context
def command(
    context: click.Context,
    trace_id: str,
    config: str | None,
    details: bool,
    attributes: bool,
    as_json: bool,
    html: str | None,
    force: bool,
) -> None:
    """Draw the trace TRACE_ID, given by your own ID or by its 32 hex digits.

    Exits with 1 when no such trace is stored, with 78 when the configuration is wrong.
    """
    from tracebridge.cli.shared.tree import span_json, trace_tree

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

    console = terminal()
    console.print(trace_tree(spans, details=details, attributes=attributes))
    if len(found) > 1:
        echo(f"{len(found)} traces carry this ID; this is the newest. Others: "
                   + ", ".join(other.hex() for other in found[1:]), err=True)  # fmt: skip
    link = reader.link(wire_id)
    if link:
        echo(link)
