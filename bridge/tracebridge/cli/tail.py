"""`tracebridge tail`: traces as trees in the terminal, as their roots end."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
from tracebridge.cli.shared.output import draw, echo_json, terminal
from tracebridge.cli.shared.spanfiles import (
    complain,
    is_incomplete,
    own_envelope,
    own_envelope_options,
    paths_argument,
    stopped_by_signals,
    tell,
)
from tracebridge.records.record import SpanRecord

LOOK_EVERY_S = 0.1  # how often what is complete is looked for while lines come in
EPILOG = """Examples:

    tracebridge tail app.log

    tracebridge tail app.log --once --details
"""


@click.command(epilog=EPILOG)
@paths_argument
@click.option("--once", is_flag=True, help="Read to the end and stop; otherwise go on as the files grow, until Ctrl-C.")
@click.option("--details", is_flag=True, help="Show inputs and outputs.")
@click.option("--attributes", is_flag=True, help="Show attributes, tags and events.")
@own_envelope_options
@click.option("--json", "json_output", is_flag=True, help="Print each trace as one JSON array of spans, one a line.")
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    once: bool,
    details: bool,
    attributes: bool,
    prefix: str | None,
    field: str | None,
    envelopes: tuple[str, ...],
    json_output: bool,
) -> None:
    """Draw the traces in FILEs (or directories, or - for standard input) as they complete.

    Reads what `tracebridge replay` reads; a span that was met before is not drawn again. A trace is drawn shortly after its root has ended; one
    whose root is elsewhere when it has been silent for five seconds. Exits with 1 when a file cannot be read.
    """  # fmt: skip

    from tracebridge.cli.shared.spantexts import span_json
    from tracebridge.cli.shared.waterfall import Waterfall
    from tracebridge.records.span_identity import in_order
    from tracebridge.replay.seen import Window, key_of
    from tracebridge.replay.stream import SpanFiles
    from tracebridge.replay.waiting import Waiting

    waiting, seen, console = Waiting(), Window(), terminal()

    def show(traces: Iterable[list[SpanRecord]]) -> None:
        for spans in traces:
            if json_output:
                echo_json([span_json(span) for span in in_order(spans)])
            else:
                draw(console, Waterfall(spans, details=details, attributes=attributes))

    with stopped_by_signals() as stop:
        files = SpanFiles(paths, own=own_envelope(prefix, field, envelopes), stop=stop.is_set, unreadable=complain)
        look_at = 0.0
        for step in files.once() if once else files.growing():
            now = time.monotonic()
            if step is not None and step.decoded is not None:
                for record in step.decoded.records:
                    if seen.first_time(key_of(record)):
                        waiting.add(record, now)
            if step is None or now >= look_at:
                look_at = now + LOOK_EVERY_S
                show(waiting.complete(now))
        show(waiting.rest())
    tell(files.found)
    if files.failed or is_incomplete(files.found, strict=False):
        context.exit(EXIT_INCOMPLETE)
