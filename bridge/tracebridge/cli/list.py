"""`tracebridge list --open`: what is open, in every process that shares an engine."""

from __future__ import annotations

import time

import click

from tracebridge.cli.shared.exits import EXIT_NOT_FOUND
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.shell import Shell, trace_option

EPILOG = """Examples:

    tracebridge list --open

    tracebridge list --open --trace ci-1234 --json
"""


@click.command(epilog=EPILOG)
@trace_option
@click.option(
    "--open",
    "is_open",
    is_flag=True,
    required=True,
    help="Spans that are open; for finished traces see `tracebridge search`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each as one JSON object on a line.")
@click.pass_context
def command(context: click.Context, trace: str | None, config: str | None, is_open: bool, as_json: bool) -> None:  # noqa: ARG001 - says what is listed
    """List what is open at the engine of open spans, oldest first: the roots of all traces, or every span of one (at most 1,000).

    Exits with 1 when nothing is open.
    """
    shell = Shell(config)
    records = shell.open(shell.target(trace).trace_id if trace else None)
    now = time.time_ns()
    for record in records:
        shown = record.custom_trace_id or record.trace_id.hex()
        span = record.custom_span_id or record.span_id.hex()
        age_s = max(0.0, (now - record.start_time_ns) / 1e9)
        if as_json:
            row = {
                "trace_id": shown,
                "wire_trace_id": record.trace_id.hex(),
                "span_id": record.span_id.hex(),
                "name": record.name,
            }
            echo_json(
                {
                    **row,
                    "custom_span_id": record.custom_span_id,
                    "start_time_ns": record.start_time_ns,
                    "age_s": round(age_s, 3),
                    "attributes": record.attributes,
                }
            )
        else:
            echo(f"{shown}  {span}  {age_s:8.1f}s  {record.name}")
    if not records:
        echo("nothing is open", err=True)
        context.exit(EXIT_NOT_FOUND)
