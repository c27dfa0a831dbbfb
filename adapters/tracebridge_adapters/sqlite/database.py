"""The store's SQLite file: spans in and out, searched, edited and forgotten."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tracebridge.errors import DeliveryError, Misconfigured, Rejected, Retryable
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Bounds, Looked, Pruned
from tracebridge.process import forks
from tracebridge.process.system import open_file
from tracebridge.reading.search import Page, Query
from tracebridge.reading.sought import Near, Sought
from tracebridge.records.record import SpanRecord
from tracebridge.records.span_identity import in_order
from tracebridge_adapters.sqlite import SCHEMA_VERSION, finding, retention
from tracebridge_adapters.sqlite.damage import is_damage, set_aside
from tracebridge_adapters.sqlite.opening import open_store, refuse_newer_file
from tracebridge_adapters.sqlite.rows import Origin, origin_of, record_of
from tracebridge_adapters.sqlite.schema import SPAN_COLUMNS
from tracebridge_adapters.sqlite.search import (
    build_bounds,
    build_piece,
    build_search,
    is_walked,
    read_token,
    write_token,
)
from tracebridge_adapters.sqlite.writing import SpanWriter

RETENTION_CHECK_S = 60.0  # how often old traces are looked for
FORK_WAIT_S = 1.0  # the longest that a fork waits for a write to end
PIECE = 2_000  # traces that are looked through at once
_TOP = (2**63 - 1, 2**63 - 1)  # above every start and number

_log = logger("tracebridge.store")
_encode = msgspec.msgpack.Encoder().encode
_decode_many = msgspec.msgpack.Decoder(list[SpanRecord]).decode
_SPANS = f"""SELECT {SPAN_COLUMNS} FROM spans s WHERE s.trace = ? ORDER BY s.is_root DESC, s.start_ns, s.id"""


class StoreDatabase:
    """Writes spans into SQLite and reads them back. Safe from several threads and processes. Opened with the first use.

    A span that comes again (a retry whose first answer was lost) replaces itself. A file that cannot be written can still be read. Whoever reads has a
    connection of their own, so that a long search holds up no delivery. What goes wrong is raised in the adapter contract's terms.
    """

    def __init__(self, path: str, name: str, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - a value
        self._path = path if path == ":memory:" else str(Path(path).expanduser().absolute())
        self._bounds = bounds
        self._name = name
        self._writing = _Slot()
        self._reading = self._writing if path == ":memory:" else _Slot()  # what is in memory only one connection sees
        self._last_retention = 0.0
        self._told = False
        _databases.add(self)

    # ------------------------------------------------------------------ writing

    def write(self, body: bytes) -> None:
        """Write the spans in one transaction.

        A damaged file is set aside, and a new one begun. Raises Retryable when the file is busy or the disk full, Misconfigured when it cannot be
        opened or is no database.
        """
        records = _decode_many(body)
        with self._translated():
            try:
                self._add(records)
            except sqlite3.DatabaseError as error:
                if not is_damage(error) or not self._set_aside(error):
                    raise
                self._add(records)
        self._retain()

    def _add(self, records: Sequence[SpanRecord]) -> None:
        with self._transaction():
            self._writing.writer.add(records)

    def _set_aside(self, error: sqlite3.DatabaseError) -> bool:
        with self._reading.lock, self._writing.lock:  # in the order of `close`
            inode = self._writing.inode
            self.close()
            return self._path != ":memory:" and set_aside(self._path, inode, error)

    def _retain(self) -> None:
        now = time.monotonic()
        due = not self._last_retention or now - self._last_retention >= RETENTION_CHECK_S
        try:
            with self._writing.lock:
                connection = self._writing.connection
                if connection is None or not (due or retention.is_too_large(connection, self._writing.bounds)):
                    return
            self._last_retention = now
            pruned = self.prune(self._bounds)
        except (sqlite3.Error, DeliveryError) as error:  # forgetting later is fine; what was sent is stored
            _log.warning("%s: retention failed, will try again: %s", self._name, error)
            return
        if pruned.traces:
            say = _log.info if self._told else _log.warning
            self._told = True
            say(
                "%s: the %d oldest traces (%d spans) were deleted to keep within `retention`",
                self._name,
                pruned.traces,
                pruned.spans,
            )

    def prune(self, bounds: Bounds) -> Pruned:
        """Forget the oldest traces until the file is within these bounds; return what went. Raises what `write` raises."""
        with self._translated():
            return retention.prune(self._transaction, bounds)

    def vacuum(self) -> tuple[int, int]:
        """Write the file anew, without holes, and let it give space back from now on; return its bytes before and after.

        Raises Retryable when the file is busy or the disk full.
        """
        with self._translated(), self._writing.lock:
            connection = self._writable()
            before = _bytes(self._path)
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a file of earlier versions
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return before, _bytes(self._path)

    def info(self) -> dict[str, Any]:
        """Return what is to be known of the file: numbers of traces and spans, times, bytes, bounds and what was forgotten."""
        facts = "SELECT count(*), min(start_ns), max(start_ns) FROM traces"
        traces, oldest, newest = self._read(facts)[0]
        told = dict(self._read("SELECT key, value FROM store"))
        pages, free, size = (
            self._read(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        asked = self._bounds
        default = retention.DEFAULT_MAX_BYTES if told.get("bounded") else 0
        return {
            "path": self._path,
            "schema": SCHEMA_VERSION,
            "traces": traces,
            "spans": self._read("SELECT count(*) FROM spans")[0][0],
            "oldest_unix_nano": oldest,
            "newest_unix_nano": newest,
            "bytes": pages * size,
            "free_bytes": free * size,
            "log_bytes": _bytes(f"{self._path}-wal"),
            "max_age_s": asked.max_age_s,
            "max_traces": asked.max_traces,
            "max_bytes": default if asked.max_bytes is None else asked.max_bytes,
            "pruned_traces": told.get("pruned_traces", 0),
            "pruned_spans": told.get("pruned_spans", 0),
        }

    def close(self) -> None:
        """Close the file."""
        for slot in (self._reading, self._writing):
            with slot.lock:
                slot.close()

    # ------------------------------------------------------------------ reading

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, roots first."""
        found = self._read("SELECT id, custom_trace_id FROM traces WHERE trace_id = ?", (trace_id,))
        return self._spans(found[0][0], trace_id, found[0][1]) if found else []

    def first(self, trace_id: bytes, limit: int) -> tuple[list[SpanRecord], int]:
        """Return at most so many of a trace's spans, those that started first, and how many there are."""
        found = self._read("SELECT id, custom_trace_id FROM traces WHERE trace_id = ?", (trace_id,))
        if not found:
            return [], 0
        spans = self._read("SELECT count(*) FROM spans WHERE trace = ?", (found[0][0],))[0][0]
        return self._spans(found[0][0], trace_id, found[0][1], limit), spans

    def _spans(self, number: int, trace_id: bytes, custom: str | None, limit: int = -1) -> list[SpanRecord]:
        rows = self._read(f"{_SPANS} LIMIT ?", (number, limit))
        origins = self._origins({row[12] for row in rows})
        return in_order([record_of(row, trace_id, custom, origins[row[12]]) for row in rows])

    def _origins(self, numbers: set[int]) -> dict[int, Origin]:
        known = self._reading.origins
        for each in numbers - known.keys():
            known[each] = origin_of(self._read("SELECT exact FROM origins WHERE id = ?", (each,))[0][0])
        return known

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces that carry this custom ID, newest first."""
        return [row[0] for row in self._read(*finding.by_custom_id(custom_trace_id))]

    def near(self, sought: Sought, limit: int) -> list[Near]:
        """Return traces that a text may mean: by half of an ID, a span's ID, part of an ID."""
        return finding.near(self._read, sought, limit)

    def similar(self, text: str, limit: int) -> list[Near]:
        """Return recent traces whose custom ID is like a text."""
        return finding.similar(self._read, text, limit)

    def search(self, query: Query) -> Page:
        """Return one page of traces whose root (and, for attributes, any span) matches."""
        rows = self._read(*build_search(query))
        traces = [self.get(row[1]) for row in rows[: query.max_results]]
        more = len(rows) > query.max_results
        return Page(traces, write_token(read_token(query.page_token) + query.max_results) if more else None)

    def stream(self, query: Query, looked: Callable[[Looked], None]) -> Iterator[list[SpanRecord]]:
        """Yield traces that match as they are found; `looked` is told how far the search is where it has to look at each."""
        page = Page(token=query.page_token)
        while not is_walked(query):
            page = self.search(msgspec.structs.replace(query, page_token=page.token))
            yield from page.traces
            if page.token is None:
                return
        below, seen = _TOP, 0
        while True:
            piece = self._read(*build_bounds(query.conditions, below, PIECE))
            if not piece:
                return
            for _, trace_id in self._read(*build_piece(query.conditions, below, PIECE)):
                yield self.get(trace_id)
            below, seen = piece[-1], seen + len(piece)
            looked(Looked(seen, below[0]))

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
            ids = [(trace_id,) for trace_id in trace_ids]
            found = [connection.execute("SELECT id FROM traces WHERE trace_id = ?", each).fetchone() for each in ids]
            numbers = list(dict.fromkeys(row[0] for row in found if row is not None))
            retention.delete(connection, numbers)
        return len(numbers)

    def _edit_tags(self, trace_id: bytes, edit: Any) -> bool:
        with self._translated(), self._transaction() as connection:
            writer = self._writing.writer
            found = writer.first(trace_id)
            if found is None:
                return False
            trace, key, record = found
            tags = edit(record.tags)
            if tags is None:
                return False
            writer.replace(trace, key, msgspec.structs.replace(record, tags=tags))
            gone = [(trace.id, name, value) for name, value in record.tags.items()]
            connection.executemany("DELETE FROM tags WHERE trace = ? AND key = ? AND value = ?", gone)
            connection.executemany(
                "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", [(trace.id, *tag) for tag in tags.items()]
            )
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
            os.close(open_file(self._path, os.O_RDWR | os.O_CREAT))  # for its owner alone
        except OSError:
            if must:
                raise
            os.close(open_file(self._path, os.O_RDONLY))
            return False
        return True

    def _writable(self) -> sqlite3.Connection:
        """Return the connection that writes. Called with its lock held."""
        slot = self._writing
        if slot.connection is None:
            self._may_write(must=True)
            slot.use(open_store(self._path, reads_only=False), self._path)
            assert slot.connection is not None  # noqa: S101 - it was just opened
            slot.bounds = retention.bounds_of(slot.connection, self._bounds)
        return slot.connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        slot = self._writing
        with slot.lock:
            connection = self._writable()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                slot.writer.forget()
                with contextlib.suppress(sqlite3.Error):  # of a damaged file; the first error counts
                    connection.rollback()
                raise
            connection.commit()

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        slot, only_once = self._reading, False
        with slot.lock, self._translated():
            try:
                if slot.connection is None:
                    only_once = not self._may_write(must=False)
                    slot.use(open_store(self._path, reads_only=only_once), self._path)
                assert slot.connection is not None  # noqa: S101 - it was just opened
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
            self.close()  # it is looked at anew: a newer tracebridge may have brought it to its own tables
            refuse_newer_file(self._path)
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
    """A connection, opened with the first use, what goes with it, and the lock of whoever uses it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.writer: SpanWriter
        self.bounds = Bounds()
        self.origins: dict[int, Origin] = {}
        self.inode = 0
        """Of the file that is open: another may take its place."""

    def use(self, connection: sqlite3.Connection, path: str) -> None:
        """Take a connection into use. Called with the lock held."""
        self.connection, self.writer, self.origins = connection, SpanWriter(connection), {}
        self.inode = 0 if path == ":memory:" else Path(path).stat().st_ino

    def close(self) -> None:
        """Close the connection, if there is one. Called with the lock held."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def _bytes(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


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
    """Return records as MessagePack."""
    return _encode(list(records))
