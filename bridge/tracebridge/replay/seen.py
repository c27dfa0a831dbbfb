"""Which spans have been taken already: a window in memory, or a state file that also knows how far each input was read.

A span is known by its trace, its ID, its side and service (`records.span_identity`), and why it ended: an unfinished span and the real end that came
late are two things, and so are the client's and the server's half of a Zipkin RPC. Of a span that comes in pieces each piece is one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Protocol

from tracebridge.errors import InvalidParameterError
from tracebridge.process.system import open_file
from tracebridge.records import span_identity
from tracebridge.records.record import SpanRecord
from tracebridge.replay.line import Position

WINDOW = 200_000  # spans that are remembered without a state file, at least; some 40 MB
KEY_BYTES = 12


def key_of(record: SpanRecord) -> bytes:
    """Return what a span is known by."""
    span_id, side, service = span_identity.key_of(record)
    text = f"{side} {record.end_cause} {service}"
    if span_identity.is_piece(record):
        text += f" {record.start_time_ns // 1000} {record.duration_ns // 1000} {len(record.attributes)} {len(record.events)}"
    return blake2b(record.trace_id + span_id + text.encode("utf-8", "replace"), digest_size=KEY_BYTES).digest()


class Seen(Protocol):
    """Remembers spans and positions."""

    def first_time(self, key: bytes) -> bool:
        """Remember a span; return whether it is new."""
        ...

    def position(self, file: str) -> Position:
        """Return how far the file of this identity was read and delivered."""
        ...

    def checkpoint(self, positions: Mapping[str, Position]) -> None:
        """Everything up to these positions has arrived: keep that."""
        ...

    def close(self) -> None:
        """Let go of what is open; what came after the last checkpoint is forgotten."""
        ...


class Window:
    """The last spans, in memory: a double further back than `size` spans is not noticed."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def first_time(self, key: bytes) -> bool:
        """Remember a span; return whether it is new within the window."""
        if key in self._young or key in self._old:
            return False
        if len(self._young) >= self._size:
            self._old, self._young = self._young, set()
        self._young.add(key)
        return True

    def position(self, file: str) -> Position:  # noqa: ARG002 - nothing is kept
        """Return the beginning."""
        return Position()

    def checkpoint(self, positions: Mapping[str, Position]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


class StateFile:
    """Every span and position, in a SQLite file (0600): exact over any number of runs, flat in memory.

    Raises InvalidParameterError for a file that is not ours or that another replay has open.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            os.close(open_file(path, os.O_RDWR | os.O_CREAT))
            self._db = _opened(path)
        except sqlite3.OperationalError as error:
            raise InvalidParameterError(f"--state {path}: {error}; is another replay using it?") from error
        except (sqlite3.DatabaseError, OSError) as error:
            raise InvalidParameterError(f"--state {path}: {error}; name a file that replay may make") from error

    def first_time(self, key: bytes) -> bool:
        """Remember a span; return whether it is new."""
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount > 0

    def position(self, file: str) -> Position:
        """Return how far the file of this identity was read and delivered."""
        found = self._db.execute("SELECT end, number FROM read WHERE file = ?", (file,)).fetchone() if file else None
        return Position(*found) if found else Position()

    def checkpoint(self, positions: Mapping[str, Position]) -> None:
        """Keep, on disk, the spans so far and these positions, together."""
        rows = [(file, at.end, at.number) for file, at in positions.items() if file]
        self._db.executemany("INSERT OR REPLACE INTO read VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")
        self._db.execute("BEGIN EXCLUSIVE")

    def close(self) -> None:
        """Forget what came after the last checkpoint, and close the file, also where SQLite has ended the transaction itself (a full disk)."""
        self._db.close()


def _opened(path: str) -> sqlite3.Connection:
    """Return the state's database, held for this process alone; one that cannot be is closed again."""
    db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY) WITHOUT ROWID")
        db.execute("CREATE TABLE IF NOT EXISTS read (file TEXT PRIMARY KEY, end INTEGER, number INTEGER)")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def open_seen(state: str | None) -> Iterator[Seen]:
    """Give the memory for one replay: a state file when one is named. Raises InvalidParameterError."""
    seen = Window() if state is None else StateFile(state)
    try:
        yield seen
    finally:
        seen.close()
