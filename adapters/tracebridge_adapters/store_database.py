"""The store's SQLite file: spans in and out, searched, edited and forgotten."""

from __future__ import annotations

import contextlib
import logging
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
from tracebridge.process import forks
from tracebridge.reading.search import Page, Query
from tracebridge.records.record import SpanRecord, StatusCode
from tracebridge_adapters.store_search import build_search, read_token, write_token

BUSY_TIMEOUT_S = 5.0  # how long a write waits for another process
RETENTION_CHECK_S = 60.0  # how often old traces are looked for
SHARE_EVERY_S = 0.01  # how often a file that another process is making is tried again
FORK_WAIT_S = 1.0  # the longest that a fork waits for a write to end
SCHEMA_VERSION = 1
SHARED = b"shared"  # after a span ID that its caller's span has too, so that neither replaces the other
_MS = 1_000_000  # nanoseconds

SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    trace_id BLOB NOT NULL, span_id BLOB NOT NULL, is_root INTEGER NOT NULL, name TEXT NOT NULL,
    service TEXT NOT NULL, status TEXT NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    custom_trace_id TEXT, attributes TEXT, tags TEXT, record BLOB NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_root_start ON spans (is_root, start_ns);
CREATE INDEX IF NOT EXISTS spans_custom ON spans (custom_trace_id) WHERE custom_trace_id IS NOT NULL;
"""
INSERT = "INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_log = logging.getLogger("tracebridge.store")
_encode_one = msgspec.msgpack.Encoder().encode
_decode_one = msgspec.msgpack.Decoder(SpanRecord).decode
_decode_many = msgspec.msgpack.Decoder(list[SpanRecord]).decode


class StoreDatabase:
    """Writes spans into SQLite and reads them back. Safe from several threads and processes. Opened with the first use.

    A span that comes again (a retry whose first answer was lost) replaces itself. A file that cannot be written can still be read. What goes
    wrong is raised in the adapter contract's terms.
    """

    def __init__(self, path: str, name: str, *, max_age_s: float, max_traces: int) -> None:
        self._path = path if path == ":memory:" else str(Path(path).expanduser().absolute())
        self._max_age_s, self._max_traces = max_age_s, max_traces
        self._name = name
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._reads_only = False
        self._last_retention = 0.0
        _databases.add(self)

    # ------------------------------------------------------------------ writing

    def write(self, body: bytes) -> None:
        """Write the spans in one transaction.

        Raises Retryable when the file is busy or the disk full, Misconfigured when it cannot be opened or is no database.
        """
        rows = [self._row(record) for record in _decode_many(body)]
        with self._translated(), self._transaction() as connection:
            connection.executemany(INSERT, rows)
        self._retain()

    @staticmethod
    def _row(record: SpanRecord) -> tuple[Any, ...]:
        return (
            record.trace_id,
            record.span_id + SHARED if record.shared else record.span_id,
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
                    connection.execute(
                        "DELETE FROM spans WHERE trace_id IN (SELECT trace_id FROM spans GROUP BY trace_id "
                        "HAVING max(start_ns + duration_ns) < ?)",
                        (oldest,),
                    )
                if self._max_traces:
                    connection.execute(
                        "DELETE FROM spans WHERE trace_id NOT IN (SELECT trace_id FROM spans GROUP BY trace_id "
                        "ORDER BY min(start_ns) DESC LIMIT ?)",
                        (self._max_traces,),
                    )
        except sqlite3.Error as error:  # forgetting later is fine; what was sent is stored
            _log.warning("%s: retention failed, will try again: %s", self._name, error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # ------------------------------------------------------------------ reading

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, roots first."""
        query = "SELECT record FROM spans WHERE trace_id = ? ORDER BY is_root DESC, start_ns"
        return [_decode_one(row[0]) for row in self._read(query, (trace_id,))]

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces that carry this custom ID, newest first."""
        query = "SELECT trace_id FROM spans WHERE custom_trace_id = ? GROUP BY trace_id ORDER BY max(start_ns) DESC LIMIT 100"
        return [row[0] for row in self._read(query, (custom_trace_id,))]

    def search(self, query: Query) -> Page:
        """Return one page of traces whose root (and, for attributes, any span) matches."""
        sql, values = build_search(query)
        rows = self._read(sql, values)
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
        deleted = 0
        with self._translated(), self._transaction() as connection:
            for trace_id in trace_ids:
                deleted += connection.execute("DELETE FROM spans WHERE trace_id = ?", (trace_id,)).rowcount > 0
        return deleted

    def _edit_tags(self, trace_id: bytes, edit: Any) -> bool:
        with self._translated(), self._transaction() as connection:
            row = connection.execute(
                "SELECT record FROM spans WHERE trace_id = ? ORDER BY is_root DESC, start_ns LIMIT 1", (trace_id,)
            ).fetchone()
            if row is None:
                return False
            record = _decode_one(row[0])
            tags = edit(record.tags)
            if tags is None:
                return False
            connection.execute(INSERT, self._row(msgspec.structs.replace(record, tags=tags)))
        return True

    # ------------------------------------------------------------------ the file

    def before_fork(self) -> bool:
        """Close the file, which is opened again with the next use, and hold the lock; False when a write does not end in time."""
        if not self._lock.acquire(timeout=FORK_WAIT_S):
            return False
        if self._path != ":memory:":
            with contextlib.suppress(sqlite3.Error):
                self.close()
        return True

    def after_fork(self) -> None:
        """Let go of what `before_fork` holds, in parent and child."""
        self._lock.release()

    def _open(self, *, writing: bool) -> sqlite3.Connection:
        if self._connection is None:
            self._reads_only = self._path != ":memory:" and not self._may_write(writing)
            self._connection = self._connected(self._uri() if self._reads_only else self._path)
        return self._connection

    def _may_write(self, must: bool) -> bool:
        """Make the file where there is none. Raises OSError where it cannot be written and must be, or cannot even be read."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # nobody else's business
        except OSError:
            if must:
                raise
            os.close(os.open(self._path, os.O_RDONLY))
            return False
        return True

    def _uri(self) -> str:
        """Return what opens the file for reading without leaving files beside it, which would stop those who may write.

        Without a log beside it nobody writes, and the file is all there is; with one, its writers have made what sharing needs.
        """
        shared = Path(f"{self._path}-wal").exists()
        return f"{Path(self._path).as_uri()}?{'mode=ro' if shared else 'immutable=1'}"

    def _connected(self, path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, uri=self._reads_only, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None
        )
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise Misconfigured(
                    f"{self._path} was written by a newer tracebridge (schema {version}); upgrade, or use another path"
                )
            if not self._reads_only:
                _share(connection)
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(SCHEMA)
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._open(writing=True)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _read(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._lock, self._translated():
            try:
                return self._open(writing=False).execute(sql, values).fetchall()
            finally:
                if self._reads_only:  # by the next time it may be written, by others or by us
                    self.close()

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
                f"{self._path} is no usable database ({error}); move it away, or use another path"
            ) from error
        except OSError as error:
            raise Misconfigured(
                f"{self._path}: {error.strerror or error}; is the folder there, and writable?"
            ) from error


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


def _json(value: dict[str, Any]) -> str | None:
    """Return attributes as JSON text to search in, or None; bytes and odd floats become what JSON has."""
    return msgspec.json.encode(value).decode() if value else None
