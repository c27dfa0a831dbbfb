"""How the store's file is opened: by whoever may write it, and by whoever may only read."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tracebridge.errors import Misconfigured
from tracebridge_adapters.sqlite import SCHEMA_VERSION
from tracebridge_adapters.sqlite.migration import brought_from, migrate
from tracebridge_adapters.sqlite.schema import make_tables

BUSY_TIMEOUT_S = 5.0  # how long a write waits for another process
SHARE_EVERY_S = 0.01  # how often a file that another process is making is tried again
CACHE_KIB = 16_384  # of pages, a connection: the index of trace IDs stays in memory while spans come
LOG_PAGES = 16_000  # after which the log beside the file (64 MiB) is put into it: a page that many spans change is so written once, not for each
LOG_BYTES = 64 * 2**20  # what the log shrinks to after a burst


def open_store(path: str, *, reads_only: bool, bounded: bool = True) -> sqlite3.Connection:
    """Connect to a file, or `:memory:`, and bring its tables up to date; one that is only read, and is older, is brought into a temporary one.

    Raises Misconfigured for a file of a newer version, sqlite3.Error for what SQLite cannot do.
    """
    connection = _connected(_uri(path) if reads_only else path, uri=reads_only)
    try:
        version = _version(connection)
        _refuse_newer(path, version)
        if reads_only:
            if version == SCHEMA_VERSION:
                return connection
            older, connection = connection, _connected("")
            older.close()
            brought_from(connection, _uri(path), version)
            return connection
        if version == 0:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # heeded only before the first table
        _share(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
        if version < SCHEMA_VERSION:
            _bring_up_to_date(connection, path, bounded)
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_newer_file(path: str) -> None:
    """Raise Misconfigured where a file is of a newer version; a file that cannot be asked is not."""
    if path != ":memory:":
        with suppress(sqlite3.Error), closing(_connected(_uri(path), uri=True)) as connection:
            _refuse_newer(path, _version(connection))


def _refuse_newer(path: str, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise Misconfigured(
            f"{path} was written by a newer tracebridge (schema {version}; this one reads 1 to {SCHEMA_VERSION}); "
            "upgrade, or use another path"
        )


def _connected(path: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, uri=uri or not path, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None
    )
    try:
        connection.create_function("regexp", 2, _matches, deterministic=True)  # what `X REGEXP Y` calls, Y first
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")  # which a damaged file does not get past
    except BaseException:
        connection.close()
        raise
    return connection


def _matches(pattern: str, text: Any) -> bool:
    return text is not None and re.search(pattern, str(text)) is not None  # `re` remembers what it has compiled


def _version(connection: sqlite3.Connection) -> Any:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _uri(path: str) -> str:
    """Return what opens a file for reading without leaving files beside it, which would stop those who may write.

    Without a log beside it nobody writes, and the file is all there is; with one, its writers have made what sharing needs.
    """
    shared = Path(f"{path}-wal").exists()
    return f"{Path(path).as_uri()}?{'mode=ro' if shared else 'immutable=1'}"


def _bring_up_to_date(connection: sqlite3.Connection, path: str, bounded: bool) -> None:
    """Make the tables, or bring over those of an older version; in one transaction, whoever else is at it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version < SCHEMA_VERSION:
            if version == 0:
                make_tables(connection)
                connection.execute("INSERT INTO store VALUES ('bounded', ?)", (bounded,))
            else:
                migrate(connection, path, version)
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
