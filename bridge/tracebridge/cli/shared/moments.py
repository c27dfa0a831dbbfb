"""How a moment is written on the command line."""

from __future__ import annotations

import datetime

import click

UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MOST_S = 2**63 / 1e9  # what fits in 64 bits of nanoseconds


def moment(text: str) -> int:
    """Read ISO 8601, a date alone or with a time, as it stands in logs, as nanoseconds since 1970; UTC where no zone is said.

    Raises BadParameter.

    >>> moment("2026-01-01T01:00:00+01:00")
    1767225600000000000
    """
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is not a time: write 2026-01-31, 2026-01-31T12:00:00 or 2026-01-31T12:00:00Z"
        ) from error
    if read.tzinfo is None:
        read = read.replace(tzinfo=datetime.UTC)
    return (read - UNIX) // datetime.timedelta(microseconds=1) * 1000


def length(text: str) -> int:
    """Read a length of time, such as 250ms or 1h30m, as nanoseconds; a plain number is seconds. Raises BadParameter.

    >>> length("1.5ms"), length("0")
    (1500000, 0)
    """
    from tracebridge.settings.quantities import parse_duration

    seconds = parse_duration(text)
    if seconds is None:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
    if not 0 <= seconds < MOST_S:
        raise click.BadParameter(f"{text!r} is not a length of time: write 250ms, 2s or 1h30m")
    return round(seconds * 1e9)
