"""Records into the tables of one connection, within its transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracebridge.records.record import SpanRecord, StatusCode
from tracebridge.records.span_identity import settled
from tracebridge_adapters.sqlite.rows import (
    SpanRow,
    is_root,
    origin_bytes,
    origin_of,
    origin_row,
    record_of,
    service_of,
    span_key,
    span_row,
)
from tracebridge_adapters.sqlite.schema import ADD_SPAN, OTHER_ID, PUT_SPAN, SPAN_COLUMNS

MOST_ORIGINS = 1_000  # remembered
_GET_TRACE = "SELECT id, custom_trace_id, start_ns, roots FROM traces WHERE trace_id = ?"
_ADD_TRACE = """INSERT INTO traces (trace_id, custom_trace_id, start_ns, duration_ns, name, service, status, experiment_id, roots)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_STAND = """UPDATE traces SET start_ns = ?, duration_ns = ?, name = ?, service = ?, status = ?, experiment_id = ? WHERE id = ?"""
_GET_SPAN = (
    f"SELECT {SPAN_COLUMNS}, o.exact FROM spans s JOIN origins o ON o.id = s.origin WHERE s.trace = ? AND s.span_id = ?"
)
_FIRST = f"""SELECT {SPAN_COLUMNS}, o.exact FROM spans s JOIN origins o ON o.id = s.origin
    WHERE s.trace = ? ORDER BY s.is_root DESC, s.start_ns, s.id LIMIT 1"""
_COUNT_ROOTS = (
    "UPDATE traces SET roots = (SELECT count(*) FROM spans WHERE trace = traces.id AND is_root = 1) WHERE id = ?"
)
_TAG = "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)"


class TraceRow(NamedTuple):
    """What writing needs to know of a trace."""

    id: int
    custom: str | None
    start_ns: int
    roots: int


class SpanWriter:
    """Writes into one connection, and remembers the numbers of origins; `forget` after a transaction that was rolled back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._origins: dict[bytes, int] = {}

    def forget(self) -> None:
        """Forget what a transaction that never was has numbered."""
        self._origins.clear()

    def add(self, records: Sequence[SpanRecord]) -> None:
        """Write records. A span that is there already changes nothing, a piece of one joins it."""
        groups: dict[bytes, list[SpanRecord]] = {}
        for record in records:
            groups.setdefault(record.trace_id, []).append(record)
        written: list[tuple[SpanRecord, TraceRow, SpanRow]] = []
        for trace_id, group in groups.items():
            trace = self._trace(trace_id, group)
            written += [(record, trace, self._row(record, trace)) for record in group]
        tags = [(row[0], key, value) for record, _, row in written if record.tags for key, value in record.tags.items()]
        tags += [
            (trace.id, OTHER_ID, record.custom_trace_id)
            for record, trace, _ in written
            if record.custom_trace_id is not None and record.custom_trace_id != trace.custom
        ]
        if tags:
            self._connection.executemany(_TAG, tags)
        added = self._connection.executemany(ADD_SPAN, [row for _, _, row in written]).rowcount
        if added < len(written):  # some are there already, or came twice
            for record, trace, row in written:
                self._merge(record, trace, row)
            for trace_row in {trace.id: trace for _, trace, _ in written}.values():
                self.stand(trace_row)

    def replace(self, trace: TraceRow, key: bytes, record: SpanRecord) -> None:
        """Write a span in the place of the one that has this key."""
        self._connection.execute(PUT_SPAN, self._row(record, trace, key))

    def first(self, trace_id: bytes) -> tuple[TraceRow, bytes, SpanRecord] | None:
        """Return the span that stands for a trace, its first root or else its first span, with its key; None for an unknown trace."""
        found = self._connection.execute(_GET_TRACE, (trace_id,)).fetchone()
        if found is None:
            return None
        trace = TraceRow(*found)
        row = self._connection.execute(_FIRST, (trace.id,)).fetchone()
        return None if row is None else (trace, row[1], record_of(row[:-1], trace_id, trace.custom, origin_of(row[-1])))

    def stand(self, trace: TraceRow) -> None:
        """Say anew, from its spans, what is told of a trace as a whole."""
        self._connection.execute(_COUNT_ROOTS, (trace.id,))
        row = self._connection.execute(_FIRST, (trace.id,)).fetchone()
        record = record_of(row[:-1], b"", None, origin_of(row[-1]))
        self._connection.execute(_STAND, (*_told(record), trace.id))

    # ------------------------------------------------------------------ inside

    def _trace(self, trace_id: bytes, group: Sequence[SpanRecord]) -> TraceRow:
        """Return the row of a trace, made or brought up to date with these of its records."""
        first = min(group, key=lambda record: (not is_root(record), record.start_time_ns))
        roots = sum(map(is_root, group))
        custom = next((record.custom_trace_id for record in group if record.custom_trace_id is not None), None)
        found = self._connection.execute(_GET_TRACE, (trace_id,)).fetchone()
        if found is None:
            values = (trace_id, custom, *_told(first), roots)
            number = self._connection.execute(_ADD_TRACE, values).lastrowid
            return TraceRow(number or 0, custom, first.start_time_ns, roots)
        trace = TraceRow(*found)
        if (roots > 0, -first.start_time_ns) > (trace.roots > 0, -trace.start_ns):
            self._connection.execute(_STAND, (*_told(first), trace.id))
        if roots:
            self._connection.execute("UPDATE traces SET roots = roots + ? WHERE id = ?", (roots, trace.id))
        if trace.custom is None and custom is not None:
            self._connection.execute("UPDATE traces SET custom_trace_id = ? WHERE id = ?", (custom, trace.id))
            trace = trace._replace(custom=custom)
        return trace

    def _row(self, record: SpanRecord, trace: TraceRow, key: bytes | None = None) -> SpanRow:
        return span_row(record, trace.id, trace.custom, self._origin(record), key)

    def _origin(self, record: SpanRecord) -> int:
        exact = origin_bytes(record)
        number = self._origins.get(exact)
        if number is None:
            if len(self._origins) >= MOST_ORIGINS:
                self._origins.clear()
            found = self._connection.execute("SELECT id FROM origins WHERE exact = ?", (exact,)).fetchone()
            if found is None:
                values = origin_row(record, exact)
                sql = "INSERT INTO origins (service, resource, scope, exact) VALUES (?, ?, ?, ?)"
                found = (self._connection.execute(sql, values).lastrowid or 0,)
            number = self._origins[exact] = found[0]
        return number

    def _merge(self, record: SpanRecord, trace: TraceRow, row: SpanRow) -> None:
        """Write a span beside what is there under its key.

        A piece joins the others, what comes again changes nothing, another span of the same key gets a row of its own.
        """
        found = self._connection.execute(_GET_SPAN, row[:2]).fetchone()
        if found is None:
            self._connection.execute(PUT_SPAN, row)
        if found is None or found[:-1] == row:
            return
        there = record_of(found[:-1], record.trace_id, trace.custom, origin_of(found[-1]))
        first, *others = settled([there, record])
        key = span_key(first)
        self.replace(trace, key, first)
        for other in others:
            if span_key(other) != key:
                self._merge(other, trace, self._row(other, trace))
            else:
                self.replace(trace, key + other.start_time_ns.to_bytes(8, "big"), other)


def _told(first: SpanRecord) -> tuple[Any, ...]:
    """Return what is told of a trace as a whole by the span that stands for it."""
    return (
        first.start_time_ns,
        first.duration_ns,
        first.name,
        service_of(first),
        StatusCode(first.status).name,
        first.experiment_id or None,
    )
