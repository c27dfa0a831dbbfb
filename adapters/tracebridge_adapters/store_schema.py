"""The store's tables, how an older file gets them, and how a file is opened."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tracebridge.errors import Misconfigured
from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT
from tracebridge.records.record import SpanRecord

BUSY_TIMEOUT_S = 5.0  # how long a write waits for another process
SHARE_EVERY_S = 0.01  # how often a file that another process is making is tried again
SCHEMA_VERSION = 2

SPANS = """CREATE TABLE IF NOT EXISTS spans (
    trace_id BLOB NOT NULL, span_id BLOB NOT NULL, is_root INTEGER NOT NULL, name TEXT NOT NULL,
    service TEXT NOT NULL, status TEXT NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    custom_trace_id TEXT, attributes TEXT, tags TEXT, record BLOB NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID"""
CUSTOM_IDS = "CREATE INDEX IF NOT EXISTS spans_custom ON spans (custom_trace_id) WHERE custom_trace_id IS NOT NULL"
TRACES = """TABLE IF NOT EXISTS traces (
    trace_id BLOB NOT NULL PRIMARY KEY, span_id BLOB NOT NULL, is_root INTEGER NOT NULL, start_ns INTEGER NOT NULL
) WITHOUT ROWID"""
"""One row a trace, so that the newest are read by index: the span that stands for it, its first root or else its first span."""
NEWEST = "CREATE INDEX IF NOT EXISTS traces_start ON traces (start_ns)"

_VALUES = "INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_SPAN = f"INSERT OR IGNORE {_VALUES}"
PUT_SPAN = f"INSERT OR REPLACE {_VALUES}"
GET_SPAN = "SELECT record FROM spans WHERE trace_id = ? AND span_id = ?"
_KEEP_FIRST = """INSERT INTO traces {} ON CONFLICT (trace_id) DO UPDATE
    SET span_id = excluded.span_id, is_root = excluded.is_root, start_ns = excluded.start_ns
    WHERE excluded.is_root > is_root OR (excluded.is_root = is_root AND excluded.start_ns < start_ns)"""
INSERT_TRACE = _KEEP_FIRST.format("VALUES (?, ?, ?, ?)")
_COLLECT_TRACES = _KEEP_FIRST.format("SELECT trace_id, span_id, is_root, start_ns FROM spans WHERE true")

_decode = msgspec.msgpack.Decoder(SpanRecord).decode

SpanRow = tuple[bytes, bytes, bool, str, str, str, int, int, str | None, str | None, str | None, bytes]
TraceRow = tuple[bytes, bytes, bool, int]


def traces_of(rows: Sequence[SpanRow]) -> list[TraceRow]:
    """Return one row of `traces` for each trace among these rows of `spans`."""
    first: dict[bytes, TraceRow] = {}
    for trace_id, span_id, is_root, *_, start_ns, _, _, _, _, _ in rows:
        known = first.get(trace_id)
        if known is None or (is_root, -start_ns) > (known[2], -known[3]):
            first[trace_id] = (trace_id, span_id, is_root, start_ns)
    return list(first.values())


def open_store(path: str, *, reads_only: bool) -> sqlite3.Connection:
    """Connect to a file, or `:memory:`, and bring its tables up to date; one that is only read gets them beside it, for this connection.

    Raises Misconfigured for a file of a newer version, sqlite3.Error for what SQLite cannot do.
    """
    connection = sqlite3.connect(
        _uri(path) if reads_only else path,
        uri=reads_only,
        timeout=BUSY_TIMEOUT_S,
        check_same_thread=False,
        isolation_level=None,
    )
    try:
        connection.create_function("regexp", 2, _matches, deterministic=True)  # what `X REGEXP Y` calls, Y first
        connection.create_function("span_type", 1, _span_type, deterministic=True)
        connection.create_function("experiment_id", 1, _experiment_id, deterministic=True)
        version = _version(connection)
        if version > SCHEMA_VERSION:
            raise Misconfigured(
                f"{path} was written by a newer tracebridge (schema {version}); upgrade, or use another path"
            )
        if reads_only:
            if version < SCHEMA_VERSION:
                connection.execute(f"CREATE TEMP {TRACES}")
                connection.execute(_COLLECT_TRACES)
        else:
            _share(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            if version < SCHEMA_VERSION:
                _bring_up_to_date(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(pattern, text) is not None  # `re` remembers what it has compiled


def _span_type(record: bytes) -> str:
    return _decode(record).span_type


def _experiment_id(record: bytes) -> str:
    return _decode(record).experiment_id or DEFAULT_EXPERIMENT


def _version(connection: sqlite3.Connection) -> Any:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _uri(path: str) -> str:
    """Return what opens a file for reading without leaving files beside it, which would stop those who may write.

    Without a log beside it no process writes, and the file is all there is; with one, its writers have made what sharing needs.
    """
    shared = Path(f"{path}-wal").exists()
    return f"{Path(path).as_uri()}?{'mode=ro' if shared else 'immutable=1'}"


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables, or those that a file of an older version lacks; in one transaction, whoever else is at it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < SCHEMA_VERSION:
            for statement in (SPANS, CUSTOM_IDS, f"CREATE {TRACES}", NEWEST, _COLLECT_TRACES):
                connection.execute(statement)
            connection.execute("DROP INDEX IF EXISTS spans_root_start")  # version 1 searched by it
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _share(connection: sqlite3.Connection) -> None:
    """Let readers and writers work side by side. Waits, which SQLite does not here, for another process that is just making the file."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(SHARE_EVERY_S)
