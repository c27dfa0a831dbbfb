"""Forgetting: the oldest traces go, in pieces, and the space that they took is given back. What went is counted in the file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tracebridge.plugins.adapter import Bounds, Pruned
from tracebridge.process import age

DEFAULT_MAX_BYTES = 2**30  # of a store that this version or a later one made
DOWN_TO = 0.9  # of `max_bytes`: so that not every write has to prune
AT_ONCE = 500  # traces in one transaction, between which others may write
FREED_AT_ONCE = 2_000  # pages given back at once
_S = 1_000_000_000  # nanoseconds

Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]

_OLDER_THAN = """SELECT id FROM traces t WHERE start_ns < :oldest AND NOT EXISTS
    (SELECT 1 FROM spans s WHERE s.trace = t.id AND s.start_ns + s.duration_ns >= :oldest) ORDER BY start_ns LIMIT :most"""
_OLDEST = "SELECT id FROM traces ORDER BY start_ns, id LIMIT ?"
_COUNT = "INSERT INTO store VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value"


def bounds_of(connection: sqlite3.Connection, asked: Bounds) -> Bounds:
    """Return what bounds a file: what was asked for, and by default `DEFAULT_MAX_BYTES` for one that was made with a bound."""
    if asked.max_bytes is not None:
        return asked
    row = connection.execute("SELECT value FROM store WHERE key = 'bounded'").fetchone()
    return asked._replace(max_bytes=DEFAULT_MAX_BYTES if row is not None and row[0] else 0)


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that hold something."""
    free = number(connection, "PRAGMA freelist_count")
    return int((number(connection, "PRAGMA page_count") - free) * number(connection, "PRAGMA page_size"))


def is_too_large(connection: sqlite3.Connection, bounds: Bounds) -> bool:
    """Return whether a file holds more bytes than it may."""
    return bool(bounds.max_bytes) and used_bytes(connection) > (bounds.max_bytes or 0)


def prune(transaction: Transaction, asked: Bounds) -> Pruned:
    """Forget whole traces, the oldest first, until the file is within its bounds; give back the space. Raises sqlite3.Error."""
    pruned = Pruned(0, 0)
    with transaction() as connection:
        bounds = bounds_of(connection, asked)
    while True:
        with transaction() as connection:
            chosen = _next(connection, bounds, pruned)
            if not chosen:
                break
            spans = delete(connection, chosen)
            pruned = Pruned(pruned.traces + len(chosen), pruned.spans + spans)
            for key, value in (("pruned_traces", len(chosen)), ("pruned_spans", spans)):
                connection.execute(_COUNT, (key, value))
    if pruned.traces:
        give_back(connection)
    return pruned


def give_back(connection: sqlite3.Connection) -> None:
    """Shorten the file by its free pages; a file of earlier versions keeps them until it is vacuumed."""
    with contextlib.suppress(sqlite3.OperationalError):  # a reader is at it; the pages are used or given back later
        while number(connection, "PRAGMA freelist_count"):
            before = number(connection, "PRAGMA freelist_count")
            connection.execute(f"PRAGMA incremental_vacuum({FREED_AT_ONCE})").fetchall()
            if number(connection, "PRAGMA freelist_count") == before:
                return


def delete(connection: sqlite3.Connection, traces: Sequence[int]) -> int:
    """Delete traces by their numbers; return how many spans they had."""
    numbers = [(each,) for each in traces]
    spans = connection.executemany("DELETE FROM spans WHERE trace = ?", numbers).rowcount
    connection.executemany("DELETE FROM tags WHERE trace = ?", numbers)
    connection.executemany("DELETE FROM traces WHERE id = ?", numbers)
    return spans


def number(connection: sqlite3.Connection, sql: str) -> Any:
    """Return the one value that a statement gives."""
    return connection.execute(sql).fetchone()[0]


def _next(connection: sqlite3.Connection, bounds: Bounds, pruned: Pruned) -> list[int]:
    """Return the numbers of some traces that are to go."""
    if bounds.max_age_s:
        oldest = age.now_ns() - int(bounds.max_age_s * _S)
        if found := connection.execute(_OLDER_THAN, {"oldest": oldest, "most": AT_ONCE}).fetchall():
            return [row[0] for row in found]
    if bounds.max_traces:
        beyond = number(connection, "SELECT count(*) FROM traces") - bounds.max_traces
        if beyond > 0:
            return [row[0] for row in connection.execute(_OLDEST, (min(beyond, AT_ONCE),))]
    if bounds.max_bytes:
        used = used_bytes(connection)
        if used > (bounds.max_bytes * DOWN_TO if pruned.traces else bounds.max_bytes):
            traces = number(connection, "SELECT count(*) FROM traces")
            share = traces * (used - bounds.max_bytes * DOWN_TO) / used  # as many as hold what is too much, on average
            return [row[0] for row in connection.execute(_OLDEST, (max(1, min(int(share), AT_ONCE)),))]
    return []
