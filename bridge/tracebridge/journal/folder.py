"""The folder of one writing process within a journal directory, and the lock that says whether it lives.

    spans/
      00001764045000123456789-4711-9f3a61c2/    one writer: start time in ns, process ID, random
        lock                                    locked (flock) for as long as the writer lives
        00000001.seg 00000002.seg …
        stats.json                              the writer's numbers, for `tracebridge stats`
      damaged/                                  stretches that could not be read, for a person to look at
      dead/                                     what destinations refused for good, one file for each

A folder whose lock can be taken belongs to nobody any more, and who takes the lock owns it. `flock` is used directly because a
forked child must close its copy of the lock without unlocking it, which lock libraries do not offer.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

LOCK, STATS = "lock", "stats.json"
DAMAGED, DEAD = "damaged", "dead"
_NAME = re.compile(r"\d{20}-\d+-[0-9a-f]{8}")
_UNBORN = ".new-"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
UNBORN_FOR_S = 60.0  # an unfinished folder older than this was left by a process that died in between


class Folder:
    """A writer's folder, locked by this process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.pending = 0
        """For a folder that was taken over: segments that are not settled yet."""
        self._lock = lock
        self._number = max((int(found.stem) for found in self.segments()), default=0)

    @classmethod
    def create(cls, directory: Path) -> Folder:
        """Make a folder for this process. Raises OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        unborn = directory / (_UNBORN + name)
        unborn.mkdir(mode=0o700)
        lock = os.open(unborn / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        unborn.rename(directory / name)  # locked before anybody can see it
        return cls(directory / name, lock)

    @classmethod
    def take(cls, path: Path) -> Folder | None:
        """Return a folder whose writer is dead, now ours; None when its writer lives or somebody else was faster."""
        try:
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return None
            raise
        if os.fstat(lock).st_nlink == 0:  # it was delivered and removed between the two calls
            os.close(lock)
            return None
        return cls(path, lock)

    def segments(self) -> list[Path]:
        """Return the segments' paths, oldest first."""
        return sorted(found for found in self.path.glob("*.seg") if found.stem.isdigit())

    def next_path(self) -> Path:
        """Return a path for one more segment."""
        self._number += 1
        return self.path / f"{self._number:08d}.seg"

    def release(self) -> None:
        """Give the folder up; remove it when it holds no segments any more."""
        if self._lock < 0:
            return
        if not self.segments():
            shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Close this process's copy of the lock: in a forked child the parent goes on holding it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def unusable(directory: Path) -> str:
    """Return what a person has to change before a journal can live here; empty when nothing has to be.

    A full disk is no such thing: it passes, and the journal waits for that in memory.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return "is not a folder"
    except OSError as error:
        return "" if error.errno in FULL else f"cannot be made ({error.strerror})"
    return "" if os.access(directory, os.R_OK | os.W_OK | os.X_OK) else "cannot be written by this user"


def folders(directory: Path) -> Iterator[Path]:
    """Yield the folders of all writers, living or dead, oldest first. What else lies there is left alone."""
    try:
        names = sorted(found.name for found in directory.iterdir())
    except FileNotFoundError:
        return
    for name in names:
        if _NAME.fullmatch(name) and (directory / name).is_dir():
            yield directory / name
        elif name.startswith(_UNBORN) and _is_old(directory / name):
            shutil.rmtree(directory / name, ignore_errors=True)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > UNBORN_FOR_S
    except OSError:
        return False
