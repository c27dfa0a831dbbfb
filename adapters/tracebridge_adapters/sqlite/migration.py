"""Files of earlier versions: their spans, read where they are and written into today's tables.

Versions 1 and 2 kept each span as a MessagePack record beside the columns that were searched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from tracebridge.masking.loggers import logger
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.sqlite.schema import make_tables
from tracebridge_adapters.sqlite.writing import SpanWriter

AT_ONCE = 2_000  # spans

_log = logger("tracebridge.store")
_decode = msgspec.msgpack.Decoder(SpanRecord).decode


def migrate(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Bring a file up to date where it is, within a transaction. It keeps everything: nothing bounds it until somebody asks."""
    _log.warning("%s is of an earlier version (schema %d); it is brought up to date, once", path, version)
    for index in ("spans_root_start", "spans_custom", "traces_start"):
        connection.execute(f"DROP INDEX IF EXISTS {index}")
    connection.execute("DROP TABLE IF EXISTS traces")
    connection.execute("ALTER TABLE spans RENAME TO spans_before")
    make_tables(connection)
    connection.execute("INSERT INTO store VALUES ('bounded', 0)")
    _copy(connection, "spans_before")
    connection.execute("DROP TABLE spans_before")


def brought_from(connection: sqlite3.Connection, uri: str, version: int) -> None:
    """Bring what is in an earlier file that can only be read into the tables of a temporary one."""
    connection.execute("PRAGMA journal_mode=OFF")
    make_tables(connection)
    connection.execute("ATTACH ? AS earlier", (uri,))
    if version:
        connection.execute("BEGIN")
        _copy(connection, "earlier.spans")
        connection.commit()
    connection.execute("DETACH earlier")


def _copy(connection: sqlite3.Connection, table: str) -> None:
    writer = SpanWriter(connection)
    for records in _records(connection, table):
        writer.add(records)


def _records(connection: sqlite3.Connection, table: str) -> Iterator[list[SpanRecord]]:
    """Yield the spans of a table of versions 1 and 2, trace by trace, the oldest first, as they would have come."""
    records: list[SpanRecord] = []
    oldest_first = connection.execute(f"SELECT trace_id FROM {table} GROUP BY trace_id ORDER BY min(start_ns)")
    for trace_id in oldest_first:
        rows = connection.execute(f"SELECT record FROM {table} WHERE trace_id = ? ORDER BY start_ns", trace_id)
        records += [_decode(row[0]) for row in rows]
        if len(records) >= AT_ONCE:
            yield records
            records = []
    if records:
        yield records
