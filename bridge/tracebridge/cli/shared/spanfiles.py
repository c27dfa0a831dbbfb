"""What `replay`, `convert` and `tail` share: their arguments, what they say of the lines they read, and how they stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from tracebridge.cli.shared.output import echo
from tracebridge.cli.shared.words import count
from tracebridge.masking.patterns import compiled
from tracebridge.replay.envelopes.own import NAMES, OwnEnvelope
from tracebridge.replay.inputs import UnreadableError
from tracebridge.replay.reader import Found

paths_argument = click.argument("paths", metavar="FILE...", nargs=-1, required=True)


def own_envelope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--prefix`, `--field` and `--envelope` to a command."""
    prefix = click.option(
        "--prefix",
        metavar="REGEX",
        help="What your own log formatter puts in front of each line, as a regular expression; shippers' envelopes are known.",
    )
    field = click.option(
        "--field",
        metavar="NAME",
        help="The JSON field (a.b for one inside another) that your own shipper puts each line into. Not for a field that holds what users wrote: "
        "they could forge spans.",
    )
    envelope = click.option(
        "--envelope",
        "envelopes",
        metavar="NAME",
        multiple=True,
        type=click.Choice(NAMES),
        help=f"A form ({', '.join(NAMES)}) that applications write as well: say that only a shipper wrote it here. May be repeated.",
    )
    return prefix(field(envelope(command)))


strict_option = click.option("--strict", is_flag=True, help="Exit with 1 when a line looks like a span and is damaged.")


def own_envelope(prefix: str | None, field: str | None, envelopes: Sequence[str]) -> OwnEnvelope:
    """Return what --prefix, --field and --envelope say. Raises BadParameter."""
    try:
        return OwnEnvelope(compiled(prefix.encode()) if prefix else None, field, frozenset(envelopes))
    except ValueError as error:
        raise click.BadParameter(f"{prefix!r}: {error}", param_hint="--prefix") from error


def complain(error: UnreadableError) -> None:
    """Say at once which file cannot be read."""
    echo(f"error: {error}", err=True)


def tell(found: Found) -> None:
    """Say on stderr what could not be read or restored."""
    if found.lines and not (found.span_lines or found.damaged):
        echo(
            "no line holds a span; when a formatter or shipper of your own wraps the lines, --prefix and --field say how",
            err=True,
        )
    for damage in found.damage:
        echo(f"damaged: {damage}", err=True)
    if found.damaged > len(found.damage):
        echo(f"damaged: {found.damaged - len(found.damage)} more places", err=True)
    for missing in found.gaps.missing():
        echo(f"missing: {missing}", err=True)
    for note, lines in found.notes.items():
        echo(f"not restored: {note} ({count(lines, 'line')})", err=True)


def as_json(found: Found) -> dict[str, Any]:
    """Return the counts for --json."""
    return {
        "lines": found.lines,
        "span_lines": found.span_lines,
        "other_lines": found.other_lines,
        "damaged_lines": found.damaged_lines,
        "unsigned_lines": found.unsigned_lines,
        "forged_lines": found.forged_lines,
        "spans": found.spans,
        "damaged_spans": found.damaged_spans,
        "missing_lines": found.gaps.count(),
        "not_restored": found.notes,
        "damage": [{"file": d.file, "line": d.line, "reason": d.reason} for d in found.damage],
    }


def is_incomplete(found: Found, *, strict: bool) -> bool:
    """Return whether damage is an exit code of 1: with --strict always, without it when nothing else was found."""
    return bool(found.damaged) and (strict or not found.spans)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, so that what is in hand is finished; a second one ends at once."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        echo(f"{signal.Signals(number).name}: finishing what is in hand; once more to end at once", err=True)

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
