"""The store's SQLite file: spans in and out, searched, edited and forgotten."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tracebridge.errors import Misconfigured, Rejected, Retryable
from tracebridge.masking.loggers import logger
from tracebridge.process import forks
from tracebridge.reading.search import Page, Query
from tracebridge.records.record import SpanRecord, StatusCode
from tracebridge.records.span_identity import in_order, key_of, settled
from tracebridge_adapters.store_schema import ADD_SPAN, GET_SPAN, INSERT_TRACE, PUT_SPAN, SpanRow, open_store, traces_of
from tracebridge_adapters.store_search import build_search, read_token, write_token

RETENTION_CHECK_S = 60.0  # how often old traces are looked for
FORK_WAIT_S = 1.0  # the longest that a fork waits for a write to end

_log = logger("tracebridge.store")
_encode_one = msgspec.msgpack.Encoder().encode
_decode_one = msgspec.msgpack.Decoder(SpanRecord).decode
_decode_many = msgspec.msgpack.Decoder(list[SpanRecord]).decode


class StoreDatabase:
    """Writes spans into SQLite and reads them back. Safe from several threads and processes. Opened with the first use.

    A span that comes again (a retry whose first answer was lost) replaces itself. A file that cannot be written can still be read. Whoever reads has a
    connection of their own, so that a long search holds up no delivery. What goes wrong is raised in the adapter contract's terms.
    """

    def __init__(self, path: str, name: str, *, max_age_s: float, max_traces: int) -> None:
        self._path = path if path == ":memory:" else str(Path(path).expanduser().absolute())
        self._max_age_s, self._max_traces = max_age_s, max_traces
        self._name = name
        self._writing = _Slot()
        self._reading = self._writing if path == ":memory:" else _Slot()  # what is in memory only one connection sees
        self._last_retention = 0.0
        _databases.add(self)

    # ------------------------------------------------------------------ writing

    def write(self, body: bytes) -> None:
        """Write the spans in one transaction.

        Raises Retryable when the file is busy or the disk full, Misconfigured when it cannot be opened or is not a database.
        """
        rows = [self._row(record) for record in _decode_many(body)]
        with self._translated(), self._transaction() as connection:
            if connection.executemany(ADD_SPAN, rows).rowcount < len(rows):  # some are there already, or came twice
                rows = [now for row in rows for now in self._merged_in(connection, row)]
            connection.executemany(INSERT_TRACE, traces_of(rows))
        self._retain()

    def _merged_in(self, connection: sqlite3.Connection, row: SpanRow) -> list[SpanRow]:
        """Write a span beside what is there under its key; return the rows as they are now.

        A piece joins the others, what comes again changes nothing, another span of the same key gets a row of its own.
        """
        found = connection.execute(GET_SPAN, row[:2]).fetchone()
        if found is None:
            connection.execute(PUT_SPAN, row)
        if found is None or found[0] == row[-1]:
            return [row]
        first, *others = map(self._row, settled([_decode_one(found[0]), _decode_one(row[-1])]))
        connection.execute(PUT_SPAN, first)
        rows = [first]
        for other in others:
            if other[1] != first[1]:
                rows += self._merged_in(connection, other)
            else:
                rows.append((other[0], other[1] + other[6].to_bytes(8, "big"), *other[2:]))
                connection.execute(PUT_SPAN, rows[-1])
        return rows

    @staticmethod
    def _row(record: SpanRecord) -> SpanRow:
        return (
            record.trace_id,
            _row_key(record),
            record.parent_id is None or record.parent_is_remote,
            record.name,
            record.resource.service_name if record.resource is not None else "",
            StatusCode(record.status).name,
            record.start_time_ns,
            record.duration_ns,
            record.custom_trace_id,
            _json(record.attributes),
            _json(record.tags),
            _encode_one(record),
        )

    def _retain(self) -> None:
        if not (self._max_age_s or self._max_traces):
            return
        now = time.monotonic()
        if now - self._last_retention < RETENTION_CHECK_S and self._last_retention:
            return
        self._last_retention = now
        try:
            with self._transaction() as connection:
                if self._max_age_s:
                    oldest = time.time_ns() - int(self._max_age_s * 1e9)
                    _delete(connection, connection.execute(OLDER_THAN, (oldest,)).fetchall())
                if self._max_traces:
                    _delete(connection, connection.execute(BEYOND_NEWEST, (self._max_traces,)).fetchall())
        except sqlite3.Error as error:  # forgetting later is fine; what was sent is stored
            _log.warning("%s: retention failed, will try again: %s", self._name, error)

    def close(self) -> None:
        """Close the file."""
        for slot in (self._reading, self._writing):
            with slot.lock:
                slot.close()

    # ------------------------------------------------------------------ reading

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, roots first."""
        query = "SELECT record FROM spans WHERE trace_id = ? ORDER BY is_root DESC, start_ns"
        return in_order([_decode_one(row[0]) for row in self._read(query, (trace_id,))])

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces that carry this custom ID, newest first."""
        query = "SELECT trace_id FROM spans WHERE custom_trace_id = ? GROUP BY trace_id ORDER BY max(start_ns) DESC LIMIT 100"
        return [row[0] for row in self._read(query, (custom_trace_id,))]

    def search(self, query: Query) -> Page:
        """Return one page of traces whose root (and, for attributes, any span) matches."""
        rows = self._read(*build_search(query))
        traces = [self.get(row[0]) for row in rows[: query.max_results]]
        more = len(rows) > query.max_results
        return Page(traces, write_token(read_token(query.page_token) + query.max_results) if more else None)

    # ------------------------------------------------------------------ editing

    def set_tag(self, trace_id: bytes, key: str, value: str) -> bool:
        """Set a tag on the trace's root; False when the trace is unknown."""
        return self._edit_tags(trace_id, lambda tags: {**tags, key: value})

    def delete_tag(self, trace_id: bytes, key: str) -> bool:
        """Delete a tag from the trace's root; False when the trace or the tag is unknown."""

        def without(tags: dict[str, str]) -> dict[str, str] | None:
            return {name: value for name, value in tags.items() if name != key} if key in tags else None

        return self._edit_tags(trace_id, without)

    def delete(self, trace_ids: Sequence[bytes]) -> int:
        """Delete whole traces; return how many there were."""
        with self._translated(), self._transaction() as connection:
            return _delete(connection, [(trace_id,) for trace_id in trace_ids])

    def _edit_tags(self, trace_id: bytes, edit: Any) -> bool:
        with self._translated(), self._transaction() as connection:
            row = connection.execute(
                "SELECT record, span_id FROM spans WHERE trace_id = ? ORDER BY is_root DESC, start_ns LIMIT 1",
                (trace_id,),
            ).fetchone()
            if row is None:
                return False
            record = _decode_one(row[0])
            tags = edit(record.tags)
            if tags is None:
                return False
            edited = self._row(msgspec.structs.replace(record, tags=tags))
            connection.execute(PUT_SPAN, (trace_id, row[1], *edited[2:]))
        return True

    # ------------------------------------------------------------------ the file

    def before_fork(self) -> bool:
        """Close the file, which is opened again with the next use, and hold the locks; False when a write does not end in time."""
        until = time.monotonic() + FORK_WAIT_S
        if not self._reading.lock.acquire(timeout=FORK_WAIT_S):
            return False
        if not self._writing.lock.acquire(timeout=max(0.0, until - time.monotonic())):
            self._reading.lock.release()
            return False
        if self._path != ":memory:":
            with contextlib.suppress(sqlite3.Error):
                self.close()
        return True

    def after_fork(self) -> None:
        """Let go of what `before_fork` holds, in parent and child."""
        self._writing.lock.release()
        self._reading.lock.release()

    def _may_write(self, must: bool) -> bool:
        """Make the file where there is none. Raises OSError where it cannot be written and must be, or cannot even be read."""
        if self._path == ":memory:":
            return True
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # for its owner alone
        except OSError:
            if must:
                raise
            os.close(os.open(self._path, os.O_RDONLY))
            return False
        return True

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        slot = self._writing
        with slot.lock:
            if slot.connection is None:
                self._may_write(must=True)
                slot.connection = open_store(self._path, reads_only=False)
            connection = slot.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _read(self, sql: str, values: Sequence[Any]) -> list[Any]:
        slot, only_once = self._reading, False
        with slot.lock, self._translated():
            try:
                if slot.connection is None:
                    only_once = not self._may_write(must=False)
                    slot.connection = open_store(self._path, reads_only=only_once)
                return slot.connection.execute(sql, values).fetchall()
            finally:
                if only_once:  # by the next time it may be written, by others or by us
                    slot.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into the contract's."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "locked" in text or "busy" in text or "full" in text or "I/O" in text:
                raise Retryable(f"{self._path}: {text}") from error
            raise Misconfigured(f"{self._path}: {text}; is the folder there, and writable?") from error
        except sqlite3.IntegrityError as error:
            raise Rejected(f"{self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            self.close()
            raise Misconfigured(
                f"{self._path} cannot be used as a database ({error}); move it away, or use another path"
            ) from error
        except OSError as error:
            raise Misconfigured(
                f"{self._path}: {error.strerror or error}; is the folder there, and writable?"
            ) from error


class _Slot:
    """A connection, opened with the first use, and the lock of whoever uses it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the connection, if there is one. Called with the lock held."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


OLDER_THAN = """SELECT trace_id FROM traces t WHERE start_ns < ?1 AND NOT EXISTS
    (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id AND s.start_ns + s.duration_ns >= ?1)"""
BEYOND_NEWEST = "SELECT trace_id FROM traces ORDER BY start_ns DESC LIMIT -1 OFFSET ?"


def _delete(connection: sqlite3.Connection, trace_ids: Sequence[tuple[bytes]]) -> int:
    """Delete traces; return how many there were."""
    connection.executemany("DELETE FROM spans WHERE trace_id = ?", trace_ids)
    return connection.executemany("DELETE FROM traces WHERE trace_id = ?", trace_ids).rowcount


# ---------------------------------------------------------------------- forks
#
# SQLite keeps within the process what its connections have locked, and a child inherits that without the locks: what the parent was just
# writing is locked there for ever, and what the child writes may go to a log that somebody has deleted. So no connection goes
# through a fork (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_).

_databases: weakref.WeakSet[StoreDatabase] = weakref.WeakSet()
_forking = threading.local()


def _before_fork() -> None:
    _forking.halted = [database for database in list(_databases) if database.before_fork()]


def _after_fork() -> None:
    for database in _forking.__dict__.pop("halted", ()):
        database.after_fork()


forks.guard(_before_fork, _after_fork, _after_fork)


def encode(records: Sequence[SpanRecord]) -> bytes:
    """Return records as MessagePack, which is also what lies in the file."""
    return _encode_one(list(records))


def _row_key(record: SpanRecord) -> bytes:
    """Return what tells a span from the other half of a call that has its ID: the ID alone, for nearly all."""
    span_id, side, service = key_of(record)
    return span_id + f"{side} {service}".encode() if side == "server" or record.shared else span_id


def _json(value: dict[str, Any]) -> str | None:
    """Return attributes as JSON text to search in, or None; bytes and odd floats become what JSON has."""
    return msgspec.json.encode(value).decode() if value else None
