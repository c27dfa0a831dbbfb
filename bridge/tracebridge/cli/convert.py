"""`tracebridge convert`: spans from one file format to another, without a server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import click

from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
from tracebridge.cli.shared.files import new_file
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.spanfiles import (
    as_json,
    complain,
    is_incomplete,
    own_envelope,
    own_envelope_options,
    paths_argument,
    strict_option,
    tell,
)
from tracebridge.cli.shared.words import count
from tracebridge.masking.printable import printable_json
from tracebridge.records.record import SpanRecord

BATCH = 256  # spans that are encoded together: an OTLP line holds so many at most
HTML = "html"  # no format of spans: a page to look at, which nothing reads back
MAX_TRACES = 200  # of one page
SHORT_NAMES = {"zipkin": "zipkin_json"}  # as the destination is called
EPILOG = """Examples:

    tracebridge convert app.log --to otlp_json --output spans.jsonl

    tracebridge convert spans.jsonl --to zipkin | gzip > spans.zipkin.jsonl.gz

    tracebridge convert app.log --to html --output traces.html
"""


def _installed(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """Return the name of an installed format. Raises BadParameter with those that are known."""
    from tracebridge.errors import did_you_mean
    from tracebridge.plugins.registry import FORMATS, entries, load

    known = entries(FORMATS)
    if name == HTML:
        return name
    name = name if name in known else SHORT_NAMES.get(name, name)
    if name not in known:
        raise click.BadParameter(
            f'unknown format "{name}"{did_you_mean(name, [*known, HTML])} (known: {", ".join([*known, HTML])})'
        )
    if not hasattr(load(FORMATS, name), "encode"):
        raise click.BadParameter(f'format "{name}" can be read, but not written')
    return name


@click.command(epilog=EPILOG)
@paths_argument
@click.option(
    "--to",
    "target",
    metavar="FORMAT",
    callback=_installed,
    required=True,
    help="otlp_json, zipkin (or zipkin_json), spanlog, or another that is installed; html for a page to look at.",
)
@click.option("--output", "-o", default="-", show_default=True, help="The file to write (0600); - for stdout.")
@click.option("--force", is_flag=True, help="Replace the output when it is there.")
@own_envelope_options
@strict_option
@click.option(
    "--json",
    "json_output",
    is_flag=True,
    help="Print the counts as one JSON object, on stderr when the spans go to stdout.",
)
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    target: str,
    output: str,
    force: bool,
    prefix: str | None,
    field: str | None,
    envelopes: tuple[str, ...],
    strict: bool,
    json_output: bool,
) -> None:
    """Write the spans of FILEs (or directories, or - for standard input) in another format, IDs and times unchanged.

    Reads what `tracebridge replay` reads. Exits with 1 when a file cannot be read or the output is there already (or, with --strict, when a
    line is damaged).
    """  # fmt: skip
    from tracebridge.plugins.registry import FORMATS, load
    from tracebridge.replay.stream import SpanFiles

    files = SpanFiles(paths, own=own_envelope(prefix, field, envelopes), unreadable=complain)
    records = (record for step in files.once() if step.decoded is not None for record in step.decoded.records)
    with new_file(output, force=force) as out:
        if target == HTML:
            out.write(_page(records))
        else:
            encode = load(FORMATS, target)().encode
            encode = _for_terminals(encode) if output == "-" else encode
            while batch := list(itertools.islice(records, BATCH)):
                out.write(encode(batch))
    found = files.found
    tell(found)
    if json_output:
        echo_json(as_json(found), err=output == "-")
    else:
        others = f"{found.other_lines:,} others, {found.damaged_lines:,} damaged"
        echo(f"{count(found.spans, 'span')} of {count(found.lines, 'line')} ({others})", err=True)
    if files.failed or is_incomplete(found, strict=strict):
        context.exit(EXIT_INCOMPLETE)


def _page(records: Iterable[SpanRecord]) -> bytes:
    """Return one HTML file with the traces of these records, in start order; of more than `MAX_TRACES` those that came first."""
    from tracebridge.html.document import document

    traces: dict[bytes, list[SpanRecord]] = {}
    others: set[bytes] = set()
    for record in records:
        if record.trace_id in traces or len(traces) < MAX_TRACES:
            traces.setdefault(record.trace_id, []).append(record)
        else:
            others.add(record.trace_id)
    if others:
        kept, more = count(MAX_TRACES, "trace"), len(others)
        are = "is" if MAX_TRACES == 1 else "are"
        echo(
            f"the first {kept} {are} in the page; {count(more, 'trace')} more {'is' if more == 1 else 'are'} not",
            err=True,
        )
    return document(sorted(traces.values(), key=lambda spans: min(span.start_time_ns for span in spans))).encode()


def _for_terminals(encode: Callable[[Sequence[SpanRecord]], bytes]) -> Callable[[Sequence[SpanRecord]], bytes]:
    """Return what encodes spans for standard output: JSON with everything escaped that could steer a terminal."""

    def encoded(records: Sequence[SpanRecord]) -> bytes:
        data = encode(records)
        return printable_json(data) if data.lstrip()[:1] in {b"{", b"["} else data

    return encoded
