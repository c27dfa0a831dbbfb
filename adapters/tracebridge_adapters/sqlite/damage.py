"""A damaged database is set aside, whole, and a new one takes its place: tracing goes on, and what was there can still be looked at."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from pathlib import Path

from tracebridge.masking.loggers import logger
from tracebridge.process import system

MAGIC = b"SQLite format 3\0"
NAMES = (".db", ".sqlite", ".sqlite3")
"""What databases are called. A file of another name that is none is somebody's own, and is left where it is."""
BESIDE = ("", "-wal", "-shm")

_log = logger("tracebridge.store")


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether an error says that the file itself is damaged."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(path: str, inode: int, error: Exception) -> bool:
    """Move a damaged file, closed here, away; return whether the path is free or another process has begun a new file there.

    `inode` is that of the file that was found damaged, 0 where it was never opened. False for a file that was never a database of ours.
    """
    with contextlib.suppress(FileNotFoundError), Path(path).open("rb") as file:
        if system.HAS_LOCKS:
            system.lock(file.fileno(), wait=True)  # of several processes one moves it
        found = os.fstat(file.fileno()).st_ino
        if Path(path).stat().st_ino != found or (inode and found != inode):
            return True
        if file.read(len(MAGIC)) != MAGIC and not path.endswith(NAMES):
            return False
        if not system.HAS_LOCKS:
            file.close()  # Windows moves nothing that is open
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = f"{path}.damaged-{stamp}"
        for ending in BESIDE:
            with contextlib.suppress(FileNotFoundError):
                Path(path + ending).rename(aside + ending)
        _log.error("%s is damaged (%s); it was moved to %s, and a new file is begun", path, error, aside)
    return True
