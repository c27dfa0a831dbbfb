"""The figures of a relay, for a person: on one line, and as a table from the file in which it keeps them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tracebridge.cli.shared.words import count
from tracebridge.relay.counts import RelayStats

if TYPE_CHECKING:
    from rich.table import Table

STALE_S = 30.0  # after which a relay that keeps its figures every second is not well


def read_status(path: str) -> RelayStats:
    """Return the figures that a relay keeps in a file. Raises ClickException when it does not hold any."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=RelayStats)
    except OSError as error:
        raise click.ClickException(
            f"{path}: {error.strerror}; is it what `tracebridge relay --status` names?"
        ) from error
    except msgspec.DecodeError as error:
        raise click.ClickException(f"{path} does not hold the figures of a relay: {error}") from error


def age_s(stats: RelayStats) -> float:
    """Return how many seconds ago a picture was taken."""
    return max(0.0, time.time() - stats.time_unix_s)


def in_words(stats: RelayStats) -> str:
    """Return a picture on one line."""
    said = [
        f"{count(stats.messages, 'message')}, {count(stats.spans, 'span')}",
        f"lag {stats.lag:,} over {count(len(stats.partitions), 'partition')}",
        f"{count(stats.unsettled, 'span')} unsettled",
    ]
    if stats.dead_letters:
        said.append(f"{sum(stats.dead_letters.values()):,} without spans ({', '.join(stats.dead_letters)})")
    for name, books in stats.adapters.items():
        dropped = sum(books.dropped.values())
        sent = f", {books.sent:,} sent unconfirmed" if books.sent else ""
        why = f", {dropped:,} dropped ({', '.join(books.dropped)})" if dropped else ""
        said.append(f"{name}: {books.exported:,} acknowledged{sent}{why}")
    if stats.waiting_for:
        said.append(f"waiting for {stats.waiting_for}")
    said += stats.trouble.values()
    return "; ".join(said)


def as_table(stats: RelayStats) -> Table:
    """Return a row for each partition."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("partition", overflow="fold")
    for title in ("committed", "read", "end", "lag"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, part in stats.partitions.items():
        committed = "" if part.committed is None else f"{part.committed:,}"
        table.add_row(Text(name), committed, f"{part.position:,}", f"{part.end:,}", f"{part.lag:,}")
    return table
