"""The engine `postgresql`: open spans in two tables, for teams that have PostgreSQL and want every start on its disk.

The tables, `tracebridge_open_spans_1` and `tracebridge_open_span_parts_1`, are made on first use in the first schema of the user's search path; their number is the
version of this layout. Each call is one transaction; rows are locked in it, so that of two ends one waits for the other. Times are the server's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, ClassVar

from tracebridge.errors import ConfigError
from tracebridge.plugins.adapter import Needs
from tracebridge.plugins.examination import Found
from tracebridge.plugins.open_spans import REMEMBERED_S, Change, Entry, SpanKey

SCHEMES = ("postgresql://", "postgres://")
OPEN, ENDED, GONE = 0, 1, 2
_SETUP = """
CREATE TABLE IF NOT EXISTS tracebridge_open_spans_1 (
  trace_id bytea, span_id bytea, is_root boolean, state smallint, claim bytea, due timestamptz, started timestamptz,
  PRIMARY KEY (trace_id, span_id));
CREATE INDEX IF NOT EXISTS tracebridge_open_spans_1_due ON tracebridge_open_spans_1 (due);
CREATE TABLE IF NOT EXISTS tracebridge_open_span_parts_1 (number bigserial PRIMARY KEY, trace_id bytea, span_id bytea, part bytea);
CREATE INDEX IF NOT EXISTS tracebridge_open_span_parts_1_of ON tracebridge_open_span_parts_1 (trace_id, span_id);
"""
_SETUP_LOCK = 0x7472_6163_6501  # of this layout: `IF NOT EXISTS` alone fails when two do it at once
_ADD = "INSERT INTO tracebridge_open_span_parts_1 (trace_id, span_id, part) VALUES (%s, %s, %s)"
_PARTS = "SELECT part FROM tracebridge_open_span_parts_1 WHERE trace_id=%s AND span_id=%s ORDER BY number"
_STATE = "SELECT state, claim FROM tracebridge_open_spans_1 WHERE trace_id=%s AND span_id=%s FOR UPDATE"
_NEWER = "SELECT relname FROM pg_class WHERE relname ~ '^tracebridge_open_spans_([2-9]|[1-9][0-9]+)$' AND pg_table_is_visible(oid) LIMIT 1"
_LACKING = """
SELECT name FROM unnest(ARRAY['tracebridge_open_spans_1', 'tracebridge_open_span_parts_1']) AS name,
  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS a_right
WHERE NOT has_table_privilege(name, a_right) GROUP BY name
UNION SELECT 'tracebridge_open_span_parts_1_number_seq' WHERE NOT has_sequence_privilege('tracebridge_open_span_parts_1_number_seq', 'USAGE')
"""


class PostgresqlEngine:
    """Open spans in one database; one connection a process, used by one thread at a time."""

    needs: ClassVar[Needs] = Needs(("psycopg",), "tracebridge[postgresql]")

    def __init__(self, url: str | None, timeout_s: float) -> None:
        if url is None or not url.startswith(SCHEMES):
            raise ConfigError(
                "open_spans.url: the engine postgresql needs an address such as postgresql://user@host/database"
            )
        try:
            import psycopg
        except ImportError:
            raise ConfigError("the engine postgresql needs a package: pip install 'tracebridge[postgresql]'") from None
        self._psycopg = psycopg
        self._url = str.__str__(url)
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._connection: Any = None
        self._closed = False

    def start(self, key: SpanKey, part: bytes, *, is_root: bool, max_open_s: float) -> bool:
        """See `Engine.start`."""
        with self._transaction() as run:
            made = run.execute(
                "INSERT INTO tracebridge_open_spans_1 VALUES (%s, %s, %s, 0, '', clock_timestamp() + make_interval(secs => %s), clock_timestamp()) "
                "ON CONFLICT DO NOTHING",
                (*key, is_root, max_open_s),
            )
            if made.rowcount:
                run.execute(_ADD, (*key, part))
                return True
            first = run.execute(_PARTS + " LIMIT 1", key).fetchone()
            return first is not None and bytes(first[0]) == part  # our own, whose answer was lost

    def change(self, key: SpanKey, part: bytes) -> Change:
        """See `Engine.change`."""
        with self._transaction() as run:
            found = run.execute(_STATE, key).fetchone()
            if found is None:
                return "unknown"
            if found[0] != OPEN:
                return "ended"
            run.execute(_ADD, (*key, part))
            return "open"

    def end(
        self, key: SpanKey, part: bytes, claim: bytes, lease_s: float, *, even_unknown: bool = True
    ) -> list[bytes] | None:
        """See `Engine.end`."""
        lease_s = lease_s if claim else 0.0
        with self._transaction() as run:
            found = run.execute(_STATE, key).fetchone()
            if found is None:
                if not even_unknown:
                    return None
                made = run.execute(
                    "INSERT INTO tracebridge_open_spans_1 VALUES (%s, %s, false, 1, %s, clock_timestamp() + make_interval(secs => %s), clock_timestamp()) "
                    "ON CONFLICT DO NOTHING",
                    (*key, claim, lease_s),
                )
                if not made.rowcount:  # another one has begun it meanwhile; it is there now
                    found = run.execute(_STATE, key).fetchone()
            if found is not None:
                if found[0] != OPEN and not (claim and found[0] == ENDED and bytes(found[1]) == claim):
                    return None
                run.execute(
                    "UPDATE tracebridge_open_spans_1 SET state=1, claim=%s, due=clock_timestamp() + make_interval(secs => %s) "
                    "WHERE trace_id=%s AND span_id=%s",
                    (claim, lease_s, *key),
                )
            run.execute(_ADD, (*key, part))
            return self._parts(run, key)

    def take(self, claim: bytes, lease_s: float, most: int) -> list[Entry]:
        """See `Engine.take`."""
        with self._transaction() as run:
            run.execute("DELETE FROM tracebridge_open_spans_1 WHERE state=2 AND due<=clock_timestamp()")
            found = run.execute(
                "UPDATE tracebridge_open_spans_1 SET state=1, claim=%s, due=clock_timestamp() + make_interval(secs => %s) WHERE (trace_id, span_id) IN ("
                "SELECT trace_id, span_id FROM tracebridge_open_spans_1 WHERE state<>2 AND due<=clock_timestamp() ORDER BY due LIMIT %s FOR UPDATE SKIP LOCKED) "
                "RETURNING trace_id, span_id",
                (claim, lease_s, most),
            ).fetchall()
            return self._entries(run, found)

    def settle(self, keys: Sequence[SpanKey], claim: bytes) -> None:
        """See `Engine.settle`."""
        with self._transaction() as run:
            for key in keys:
                done = run.execute(
                    "UPDATE tracebridge_open_spans_1 SET state=2, due=clock_timestamp() + make_interval(secs => %s) "
                    "WHERE trace_id=%s AND span_id=%s AND state=1 AND claim=%s",
                    (REMEMBERED_S, *key, claim),
                )
                if done.rowcount:
                    run.execute("DELETE FROM tracebridge_open_span_parts_1 WHERE trace_id=%s AND span_id=%s", key)

    def open(self, trace_id: bytes | None, most: int) -> list[Entry]:
        """See `Engine.open`."""
        chosen, values = ("is_root", ()) if trace_id is None else ("trace_id=%s", (trace_id,))
        with self._transaction() as run:
            found = run.execute(
                f"SELECT trace_id, span_id FROM tracebridge_open_spans_1 WHERE {chosen} AND state=0 ORDER BY started LIMIT %s",  # noqa: S608 - two constants
                (*values, most),
            ).fetchall()
            return self._entries(run, found)

    def examine(self) -> Iterator[Found]:
        """See `ExaminableEngine.examine`. Tables that are missing are made in a transaction that is rolled back."""
        try:
            connection = self._dial()
        except Exception as error:
            yield _trouble("server", error)
            return
        try:
            with connection.transaction(force_rollback=True):
                yield _looked_at(connection)
        except Exception as error:
            yield _trouble("tables", error)
        finally:
            connection.close()

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        if self._lock.acquire(timeout=self._timeout_s):  # else whoever has it lets go of the connection
            try:
                self._forget()
            finally:
                self._lock.release()

    # ------------------------------------------------------------------ inside

    @classmethod
    def _entries(cls, run: Any, rows: Sequence[Any]) -> list[Entry]:
        keys = [SpanKey(bytes(row[0]), bytes(row[1])) for row in rows]
        return [Entry(key, cls._parts(run, key)) for key in keys]

    @staticmethod
    def _parts(run: Any, key: SpanKey) -> list[bytes]:
        return [bytes(row[0]) for row in run.execute(_PARTS, key, binary=True)]

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        if not self._lock.acquire(timeout=self._timeout_s):
            raise TimeoutError(f"another thread has been at it for {self._timeout_s:g} s")
        try:
            if self._closed:
                raise ConnectionError("it has been closed")
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            with self._connection.transaction():
                yield self._connection
        except Exception:
            self._forget()
            raise
        finally:
            if self._closed:
                self._forget()
            self._lock.release()

    def _forget(self) -> None:
        """Connect anew next time."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _dial(self) -> Any:
        milliseconds = int(self._timeout_s * 1000)
        return _bounded(self._psycopg, self._timeout_s).connect(
            self._url,
            autocommit=True,
            connect_timeout=max(2, round(self._timeout_s)),  # seconds; libpq takes no less
            options=f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
            tcp_user_timeout=milliseconds,
            application_name="tracebridge",
        )

    def _connect(self) -> Any:
        connection = self._dial()
        try:
            with connection.transaction():
                _set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _set_up(connection: Any) -> bool:
    """Make the tables, and return True, where they are missing."""
    if connection.execute("SELECT to_regclass('tracebridge_open_span_parts_1_of')").fetchone()[0] is not None:
        return False
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
    connection.execute(_SETUP)
    return True


def _looked_at(connection: Any) -> Found:
    if connection.execute("SHOW transaction_read_only").fetchone()[0] == "on":
        return Found(
            "server", "", "it refuses writes: a standby, or set to read only", "name the primary in open_spans.url"
        )
    newer = connection.execute(_NEWER).fetchone()
    if newer is not None:
        advice = "update tracebridge here; processes of two layouts do not share spans"
        return Found("tables", "", f"a newer layout is in use: {newer[0]}", advice)
    if _set_up(connection):
        return Found("tables", "are made on first use")
    lacking = [row[0] for row in connection.execute(_LACKING)]
    if lacking:
        advice = "grant SELECT, INSERT, UPDATE, DELETE on the tables, USAGE on the sequence"
        return Found("tables", "", f"this user lacks rights on {', '.join(lacking)}", advice, "credentials")
    return Found("tables", "may be read and written")


def _trouble(what: str, error: Exception) -> Found:
    """Return what an error means: by its SQLSTATE, or by its words, since one at connecting has no code."""
    said = f"{type(error).__name__}: {error}"
    if getattr(error, "sqlstate", None) in {"42501", "3F000"}:
        advice = "grant CREATE and USAGE on the schema, or have its owner make the tables"
        return Found(what, "", f"this user may not make the tables: {said}", advice, "credentials")
    if isinstance(error, TimeoutError) or "timeout" in said:
        return Found(what, "", said, "is this a PostgreSQL, and is it busy?", "no-answer")
    if "does not support SSL" in said:
        return Found(what, "", said, "leave sslmode out, or switch TLS on in the server", "tls-not-spoken")
    if "certificate" in said:
        return Found(what, "", said, "check sslrootcert in open_spans.url", "tls-failed")
    if "database" in said and "does not exist" in said:
        return Found(what, "", said, "create the database, or check its name in open_spans.url")
    if any(word in said for word in ("authentication failed", "no password", "pg_hba.conf", "role")):
        return Found(what, "", said, "check the user and password in open_spans.url", "credentials")
    return Found(what, "", said, "is this the port of a PostgreSQL?", "foreign-answer")


def _bounded(psycopg: Any, timeout_s: float) -> Any:
    """Return a class of connections that wait at most so long for one answer: a server that stands still keeps none of its own limits."""

    class Bounded(psycopg.Connection):  # type: ignore[misc]  # a module that is handed over
        _has_failed = False

        def wait(self, gen: Any, *rest: Any, **more: Any) -> Any:
            return super().wait(self._until(gen, time.monotonic() + timeout_s), *rest, **more)

        def _until(self, gen: Any, end: float) -> Any:
            """Do what a generator of psycopg's does, which is resumed every tenth of a second, with nothing where nothing has come."""
            try:
                state = next(gen)
                while True:
                    ready = yield state
                    if not ready and (self._has_failed or time.monotonic() >= end):
                        self._has_failed = True
                        raise TimeoutError(f"no answer within {timeout_s:g} s")
                    state = gen.send(ready)
            except StopIteration as done:
                return done.value

    return Bounded
