"""`tracebridge sample`: what a configuration's sampling would make of the traces in files."""

from __future__ import annotations

import click

from tracebridge.cli.shared.configured import CONFIG_HELP, configured
from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.spanfiles import complain, own_envelope, own_envelope_options, paths_argument, tell

EPILOG = """Example:

    tracebridge sample --config bridge.yaml --dry-run spans.jsonl
"""


@click.command(epilog=EPILOG)
@paths_argument
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
@click.option(
    "--dry-run", is_flag=True, help="Count and send nothing, which is all that this command does; `replay` delivers."
)
@own_envelope_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    config: str | None,
    dry_run: bool,  # noqa: ARG001 - it says what is done anyway
    prefix: str | None,
    field: str | None,
    envelopes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Count what the configuration's `sampling` would deliver and leave out of the traces in FILEs, by what decides; nothing is sent.

    The limit of traces a second is not part of it: how many came in a second is not what files say.

    Exits with 1 when a file could not be read to its end, 78 when the configuration is wrong.
    """
    from tracebridge.records.record import Resource
    from tracebridge.replay.stream import SpanFiles
    from tracebridge.sampling.trial import Trial
    from tracebridge.settings.sampling import SamplingSettings

    settings = configured(config, if_unwritable="read").settings
    trial = Trial(settings.sampling or SamplingSettings(), Resource(dict(settings.resource.attributes)))
    files = SpanFiles(
        paths,
        trace_id_attribute=settings.trace_ids.attribute,
        own=own_envelope(prefix, field, envelopes),
        unreadable=complain,
    )
    for step in files.once():
        for record in step.decoded.records if step.decoded is not None else ():
            trial.take(record)
    tell(files.found)
    traces, spans = trial.outcomes()
    rows = sorted(traces, key=lambda outcome: (not outcome.delivered, outcome.by))
    if as_json:
        echo_json([{"delivered": o.delivered, "by": o.by, "traces": traces[o], "spans": spans[o]} for o in rows])
    else:
        for outcome in rows:
            does = "delivered" if outcome.delivered else "left out"
            echo(f"{does} by {outcome.by:<24} {traces[outcome]:>9,} traces {spans[outcome]:>11,} spans")
        if not rows:
            echo("no spans were found")
    if files.failed:
        context.exit(EXIT_INCOMPLETE)
