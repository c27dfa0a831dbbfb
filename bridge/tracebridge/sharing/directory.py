"""The engine `directory`: open spans in a folder, for all processes of one host. An SQLite file in WAL mode, so that readers never wait.

A killed process costs nothing that was acknowledged. A power loss costs what the system had not written since the last checkpoint
(`synchronous=NORMAL`); the file stays whole (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from tracebridge.plugins.examination import Found
from tracebridge.plugins.open_spans import REMEMBERED_S, Change, Entry, SpanKey
from tracebridge.process.system import NOT_A_LINK, open_file

FILE = "open-spans-1.db"
"""The number is the version of what stands in it: another version has a file of its own."""

OPEN, ENDED, GONE = 0, 1, 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
  trace_id BLOB, span_id BLOB, is_root INTEGER, state INTEGER, claim BLOB, due REAL, started REAL,
  PRIMARY KEY (trace_id, span_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_due ON spans (due);
CREATE TABLE IF NOT EXISTS parts (number INTEGER PRIMARY KEY AUTOINCREMENT, trace_id BLOB, span_id BLOB, part BLOB);
CREATE INDEX IF NOT EXISTS parts_of ON parts (trace_id, span_id);
"""


class DirectoryEngine:
    """Open spans in one SQLite file; one connection a process, used by one thread at a time."""

    def __init__(self, url: str | None, timeout_s: float) -> None:
        self._folder = os.path.abspath(os.path.expanduser(url or default_folder()))
        self._path = os.path.join(self._folder, FILE)
        self._opened = (0, 0)
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    def start(self, key: SpanKey, part: bytes, *, is_root: bool, max_open_s: float) -> bool:
        """See `Engine.start`."""
        now = time.time()
        with self._transaction() as run:
            made = run.execute(
                "INSERT OR IGNORE INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, is_root, OPEN, b"", now + max_open_s, now),
            )
            if made.rowcount:
                run.execute("INSERT INTO parts (trace_id, span_id, part) VALUES (?, ?, ?)", (*key, part))
                return True
            first = run.execute("SELECT part FROM parts WHERE trace_id=? AND span_id=? LIMIT 1", key).fetchone()
            return first is not None and bool(first[0] == part)  # our own, whose answer was lost

    def change(self, key: SpanKey, part: bytes) -> Change:
        """See `Engine.change`."""
        with self._transaction() as run:
            found = run.execute("SELECT state FROM spans WHERE trace_id=? AND span_id=?", key).fetchone()
            if found is None:
                return "unknown"
            if found[0] != OPEN:
                return "ended"
            run.execute("INSERT INTO parts (trace_id, span_id, part) VALUES (?, ?, ?)", (*key, part))
            return "open"

    def end(
        self, key: SpanKey, part: bytes, claim: bytes, lease_s: float, *, even_unknown: bool = True
    ) -> list[bytes] | None:
        """See `Engine.end`."""
        now = time.time()
        with self._transaction() as run:
            found = run.execute("SELECT state, claim FROM spans WHERE trace_id=? AND span_id=?", key).fetchone()
            if found is None and not even_unknown:
                return None
            if found is not None and found[0] != OPEN and not (claim and found[1] == claim and found[0] == ENDED):
                return None
            due = now + lease_s if claim else now
            if found is None:
                run.execute("INSERT INTO spans VALUES (?, ?, 0, ?, ?, ?, ?)", (*key, ENDED, claim, due, now))
            else:
                run.execute(
                    "UPDATE spans SET state=?, claim=?, due=? WHERE trace_id=? AND span_id=?",
                    (ENDED, claim, due, *key),
                )
            run.execute("INSERT INTO parts (trace_id, span_id, part) VALUES (?, ?, ?)", (*key, part))
            return self._parts(run, key)

    def take(self, claim: bytes, lease_s: float, most: int) -> list[Entry]:
        """See `Engine.take`."""
        now = time.time()
        with self._reading() as run:
            if run.execute("SELECT 1 FROM spans WHERE due<=? LIMIT 1", (now,)).fetchone() is None:
                return []
        with self._transaction() as run:
            run.execute("DELETE FROM spans WHERE state=? AND due<=?", (GONE, now))
            found = run.execute(
                "SELECT trace_id, span_id FROM spans WHERE due<=? AND state<>? ORDER BY due LIMIT ?", (now, GONE, most)
            ).fetchall()
            keys = [SpanKey(*each) for each in found]
            run.executemany(
                "UPDATE spans SET state=?, claim=?, due=? WHERE trace_id=? AND span_id=?",
                [(ENDED, claim, now + lease_s, *key) for key in keys],
            )
            return [Entry(key, self._parts(run, key)) for key in keys]

    def settle(self, keys: Sequence[SpanKey], claim: bytes) -> None:
        """See `Engine.settle`."""
        forget_at = time.time() + REMEMBERED_S
        with self._transaction() as run:
            for key in keys:
                done = run.execute(
                    "UPDATE spans SET state=?, due=? WHERE trace_id=? AND span_id=? AND state=? AND claim=?",
                    (GONE, forget_at, *key, ENDED, claim),
                )
                if done.rowcount:
                    run.execute("DELETE FROM parts WHERE trace_id=? AND span_id=?", key)

    def open(self, trace_id: bytes | None, most: int) -> list[Entry]:
        """See `Engine.open`."""
        chosen, value = ("is_root=?", 1) if trace_id is None else ("trace_id=?", trace_id)
        with self._reading() as run:
            found = run.execute(
                f"SELECT trace_id, span_id FROM spans WHERE {chosen} AND state=? ORDER BY started LIMIT ?",  # noqa: S608 - two constants
                (value, OPEN, most),
            ).fetchall()
            return [Entry(key, self._parts(run, key)) for key in (SpanKey(*each) for each in found)]

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        if self._lock.acquire(timeout=self._timeout_s):  # else whoever has it lets go of the connection
            try:
                self._forget()
            finally:
                self._lock.release()

    def examine(self) -> Iterator[Found]:
        """See `ExaminableEngine.examine`. The file is locked for a moment where there is one; else one is made beside its place, and deleted."""
        what = f"folder {self._folder}"
        first = self._folder
        while not os.path.lexists(first) and os.path.dirname(first) != first:
            first = os.path.dirname(first)
        trouble = _trouble_with(first, self._path)
        if trouble is not None:
            yield Found(what, "", *trouble)
            return
        try:
            if os.path.exists(self._path):
                with self._reading() as run:
                    run.execute("BEGIN IMMEDIATE")
                    run.execute("ROLLBACK")
            else:
                with tempfile.TemporaryDirectory(prefix=".tracebridge-doctor-", dir=first) as beside:
                    tried = DirectoryEngine(beside, self._timeout_s)
                    try:
                        tried.take(b"", 0.0, 1)
                    finally:
                        tried.close()
        except (OSError, sqlite3.Error) as error:
            yield Found(what, "", *_meaning(error, self._timeout_s))
            return
        yield Found(what, "can be written" if first == self._folder else "is made on first use")

    # ------------------------------------------------------------------ inside

    @staticmethod
    def _parts(run: sqlite3.Connection, key: SpanKey) -> list[bytes]:
        found = run.execute("SELECT part FROM parts WHERE trace_id=? AND span_id=? ORDER BY number", key)
        return [each[0] for each in found]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=self._timeout_s):
            raise TimeoutError(f"another thread has been at it for {self._timeout_s:g} s")
        try:
            if self._closed:
                raise ConnectionError("it has been closed")
            if self._connection is not None and self._is_replaced():
                self._forget()
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection
        except sqlite3.DatabaseError:
            self._forget()
            raise
        finally:
            if self._closed:
                self._forget()
            self._lock.release()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as run:
            run.execute("BEGIN IMMEDIATE")
            try:
                yield run
            except BaseException:
                run.rollback()
                raise
            run.execute("COMMIT")

    def _is_replaced(self) -> bool:
        """Return whether the file that is open is not the one that others would open: somebody has emptied the folder."""
        try:
            found = os.stat(self._path)
        except OSError:
            return True
        return (found.st_dev, found.st_ino) != self._opened

    def _forget(self) -> None:
        """Open the file anew next time."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        file = open_file(self._path, os.O_RDWR | os.O_CREAT | NOT_A_LINK)
        found = os.fstat(file)
        os.close(file)
        self._opened = found.st_dev, found.st_ino
        connection = sqlite3.connect(
            self._path, timeout=self._timeout_s, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        try:
            deadline = time.monotonic() + self._timeout_s
            while True:
                try:
                    connection.execute("PRAGMA journal_mode=WAL")
                    break
                except sqlite3.OperationalError:  # another process is at the same, for which SQLite does not wait
                    if time.monotonic() >= deadline:
                        raise
                    time.sleep(0.005)
            connection.execute("PRAGMA synchronous=NORMAL")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='parts_of'").fetchone():
                connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        except BaseException:
            connection.close()
            raise
        return connection


def default_folder() -> str:
    """Return the folder of open spans where none is named: `$TRACEBRIDGE_OPEN_SPANS`, else this user's, under `$XDG_STATE_HOME`."""
    return os.environ.get("TRACEBRIDGE_OPEN_SPANS") or os.path.join(
        os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "tracebridge", "open-spans"
    )


def _trouble_with(first: str, path: str) -> tuple[str, str] | None:
    """Return what is wrong with the folder, or the nearest one above it that is there, and with the file; and what to do."""
    if not os.path.isdir(first):
        return f"{first} is not a folder", "name a folder in open_spans.url"
    if not os.access(first, os.W_OK | os.X_OK):
        return f"{first} may not be written by this user", "let this user write there, or name another folder"
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is not a regular file", "move it away, or name another folder"
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        message = f"{path} belongs to the user {found.st_uid}; this process is the user {os.geteuid()}"
        return message, "run all processes that share spans as one user, or name another folder"
    if os.name == "posix" and found.st_mode & 0o077:
        return f"{path} may be used by other users (mode {found.st_mode & 0o777:04o})", f"chmod 600 {path}"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{path} may not be read and written", f"chmod 600 {path}"
    return None


def _meaning(error: Exception, timeout_s: float) -> tuple[str, str]:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return f"the file was locked for {timeout_s:g} s", "another process holds it, or the file system has no locks"
    if name.startswith(("SQLITE_IOERR", "SQLITE_PROTOCOL")):
        return (
            f"{name}: {error}",
            "use a local file system: this one lacks the locks or shared memory that SQLite needs",
        )
    if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
        return f"{name}: {error}", "move the file away; spans that were open in it are lost"
    return f"{type(error).__name__}: {error}", "let this user write there, or name another folder"
