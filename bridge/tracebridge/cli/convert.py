"""`tracebridge convert`: spans from one file format to another, without a server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO

import click

from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
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
SHORT_NAMES = {"zipkin": "zipkin_json"}  # as the destination is called
EPILOG = """Examples:

    tracebridge convert app.log --to otlp_json --output spans.jsonl

    tracebridge convert spans.jsonl --to zipkin | gzip > spans.zipkin.jsonl.gz
"""


def _installed(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """Return the name of an installed format. Raises BadParameter with those that are known."""
    from tracebridge.errors import did_you_mean
    from tracebridge.plugins.registry import FORMATS, entries, load

    known = entries(FORMATS)
    name = name if name in known else SHORT_NAMES.get(name, name)
    if name not in known:
        raise click.BadParameter(f'unknown format "{name}"{did_you_mean(name, known)} (known: {", ".join(known)})')
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
    help="otlp_json, zipkin (or zipkin_json), spanlog, or another that is installed.",
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

    encode = load(FORMATS, target)().encode
    files = SpanFiles(paths, own=own_envelope(prefix, field, envelopes), unreadable=complain)
    encode = _for_terminals(encode) if output == "-" else encode
    with _opened(output, force) as out:
        batch: list[SpanRecord] = []
        for step in files.once():
            if step.decoded is not None:
                batch += step.decoded.records
                if len(batch) >= BATCH:
                    out.write(encode(batch))
                    batch = []
        if batch:
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


def _for_terminals(encode: Callable[[Sequence[SpanRecord]], bytes]) -> Callable[[Sequence[SpanRecord]], bytes]:
    """Return what encodes spans for standard output: JSON with everything escaped that could steer a terminal."""

    def encoded(records: Sequence[SpanRecord]) -> bytes:
        data = encode(records)
        return printable_json(data) if data.lstrip()[:1] in {b"{", b"["} else data

    return encoded


def _opened(output: str, force: bool) -> BinaryIO:
    if output == "-":
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        return os.fdopen(os.open(output, flags, 0o600), "wb")
    except FileExistsError:
        raise click.ClickException(f"{output} is there already; --force replaces it") from None
    except OSError as error:
        raise click.FileError(output, error.strerror or str(error)) from error
