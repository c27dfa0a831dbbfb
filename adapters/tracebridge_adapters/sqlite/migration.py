"""Files of earlier versions: their spans, read where they are and written into today's tables.

Versions 1 and 2 kept each span as a MessagePack record beside the columns that were searched. The first files of version 1 had the fields of a record in another
order; they are told by how many there are.
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
_decode_fields = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.msgpack.Encoder().encode
_FIRST_ORDER = b"\xdc\x00\x22"  # an array of 34: since then each record has two more, and its end's cause and place before its status
_STATUS, _CAUSE, _COUNTS = 11, 23, 25  # where those stood

_Key = tuple[bytes, bytes]
"""A trace's and a span's ID."""


def migrate(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Bring a file up to date where it is, within a transaction. It keeps everything: nothing bounds it until somebody asks."""
    _log.warning("%s is of an earlier version (schema %d); it is brought up to date, once", path, version)
    for index in ("spans_root_start", "spans_custom", "traces_start"):
        connection.execute(f"DROP INDEX IF EXISTS {index}")
    connection.execute("DROP TABLE IF EXISTS traces")
    connection.execute("ALTER TABLE spans RENAME TO spans_before")
    make_tables(connection)
    connection.execute("INSERT INTO store VALUES ('bounded', 0)")
    unreadable = _copy(connection, "spans_before")
    if unreadable:
        connection.execute("CREATE TABLE unreadable AS SELECT * FROM spans_before WHERE 0")
        put = "INSERT INTO unreadable SELECT * FROM spans_before WHERE trace_id = ? AND span_id = ?"
        connection.executemany(put, unreadable)
        _log.error(
            "%s: %d spans cannot be read; they stay in the file, in the table `unreadable`", path, len(unreadable)
        )
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


def _copy(connection: sqlite3.Connection, table: str) -> list[_Key]:
    """Write the spans of an earlier table into today's; return which of them cannot be read."""
    writer = SpanWriter(connection)
    unreadable: list[_Key] = []
    for records in _records(connection, table, unreadable):
        writer.add(records)
    return unreadable


def _records(connection: sqlite3.Connection, table: str, unreadable: list[_Key]) -> Iterator[list[SpanRecord]]:
    """Yield the spans of a table of versions 1 and 2, trace by trace, the oldest first, as they would have come."""
    records: list[SpanRecord] = []
    oldest_first = connection.execute(f"SELECT trace_id FROM {table} GROUP BY trace_id ORDER BY min(start_ns)")
    for trace_id in oldest_first:
        rows = connection.execute(f"SELECT span_id, record FROM {table} WHERE trace_id = ? ORDER BY start_ns", trace_id)
        for span_id, data in rows:
            try:
                records.append(_record_of(data))
            except msgspec.MsgspecError:
                unreadable.append((trace_id[0], span_id))
        if len(records) >= AT_ONCE:
            yield records
            records = []
    if records:
        yield records


def _record_of(data: bytes) -> SpanRecord:
    """Return a record of any earlier version. Raises msgspec.MsgspecError."""
    if data.startswith(_FIRST_ORDER):
        fields = _decode_fields(data)
        data = _encode([*fields[:_STATUS], *fields[_CAUSE:_COUNTS], *fields[_STATUS:_CAUSE], *fields[_COUNTS:]])
    return _decode(data)
