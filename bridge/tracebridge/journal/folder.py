"""The folder of one writing process within a journal directory, and the lock that says whether it lives.

    spans/
      00001764045000123456789-4711-9f3a61c2/    one writer: start time in ns, process ID, random
        lock                                    locked (flock) for as long as the writer lives
        00000001.seg 00000002.seg …
        stats.json                              the writer's numbers, for `tracebridge stats`
      damaged/                                  stretches that could not be read, for a person to look at
      dead/                                     what destinations refused for good (`tracebridge.delivery.deadletters.letters`)

A folder whose lock can be taken belongs to nobody any more, and who takes the lock owns it. `flock` is used directly because a
forked child must close its copy of the lock without unlocking it, which lock libraries do not offer. It closes every lock that
this process holds, and no fork comes between the opening of a lock and its entry in the list: a child with a copy that it does not
know of would make a dead writer look alive.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tracebridge.process import forks

LOCK, STATS = "lock", "stats.json"
DAMAGED = "damaged"
_NAME = re.compile(r"\d{20}-\d+-[0-9a-f]{8}")
_UNBORN = ".new-"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
GLANCE_S = 0.01  # `is_alive` shares a dead writer's lock for a moment, which does not make it a living one's
GLANCES_S = 5.0  # how long that is waited for: on a machine that has no time for whoever looked
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
        try:
            lock = _open_lock(unborn / LOCK, fcntl.LOCK_EX)
            unborn.rename(directory / name)  # locked before anybody can see it
        except OSError:
            shutil.rmtree(unborn, ignore_errors=True)
            raise
        return cls(directory / name, lock)

    @classmethod
    def take(cls, path: Path) -> Folder | None:
        """Return a folder whose writer is dead, now ours; None when its writer lives or somebody else was faster.

        Raises OSError.
        """
        until = time.monotonic() + GLANCES_S
        while True:
            try:
                lock = _open_lock(path / LOCK, fcntl.LOCK_EX)
                break
            except FileNotFoundError:
                return None
            except BlockingIOError:
                if _is_taken(path) or time.monotonic() > until:
                    return None
            time.sleep(GLANCE_S)
        if os.fstat(lock).st_nlink == 0:  # it was delivered and removed between the two calls
            _close_lock(lock)
            return None
        return cls(path, lock)

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted it under our feet."""
        return self._lock >= 0 and os.fstat(self._lock).st_nlink == 0

    def segments(self) -> list[Path]:
        """Return the segments' paths, oldest first; none when somebody has deleted the folder."""
        try:
            found = sorted(self.path.iterdir())
        except FileNotFoundError:
            return []
        return [path for path in found if path.suffix == ".seg" and path.stem.isdigit()]

    def next_path(self) -> Path:
        """Return a path for one more segment."""
        self._number += 1
        return self.path_of(self._number)

    def path_of(self, number: int) -> Path:
        """Return the path of the segment of this number."""
        return self.path / f"{number:08d}.seg"

    def release(self) -> None:
        """Give the folder up; remove it when it holds no segments any more."""
        if self._lock < 0:
            return
        with contextlib.suppress(OSError):  # an ill disk: the next process looks at what is left
            if not self.segments():
                shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def let_go(self) -> None:
        """In a forked child: forget the parent's lock, whose copy here is closed by itself."""
        self._lock = -1

    def close(self) -> None:
        """Give the lock up."""
        if self._lock >= 0:
            _close_lock(self._lock)
            self._lock = -1


# ---------------------------------------------------------------------- locks

_held: dict[int, int] = {}
"""The file descriptors of all locks that are open here, with the process that opened them."""
_no_fork = threading.RLock()  # not a Lock: in a child another hook may trace, and come here, before ours has run
"""Held while `_held` and the open locks disagree; a fork waits for it."""


def _open_lock(path: Path, how: int, access: int = os.O_RDWR | os.O_CREAT) -> int:
    """Open and take a lock at once. Raises BlockingIOError when somebody else has it, OSError."""
    with _no_fork:
        lock = os.open(path, access | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BaseException:
            os.close(lock)
            raise
        _held[lock] = os.getpid()
        return lock


def _close_lock(lock: int) -> None:
    with _no_fork:
        if _held.pop(lock, None) is not None:
            os.close(lock)


def _close_the_parents_locks() -> None:
    """In a forked child: closing, never unlocking, because the parent goes on holding them."""
    for lock, owner in list(_held.items()):
        if owner != os.getpid():
            del _held[lock]
            os.close(lock)
    _no_fork.release()


forks.guard(_no_fork.acquire, _no_fork.release, _close_the_parents_locks)


def is_alive(path: Path) -> bool:
    """Return whether the process whose folder this is still runs. Raises OSError, FileNotFoundError when the folder is being removed."""
    try:
        lock = _open_lock(path / LOCK, fcntl.LOCK_SH, os.O_RDONLY)  # a new lock would keep it from being removed
        _close_lock(lock)
    except BlockingIOError:
        return True
    return False


def _is_taken(path: Path) -> bool:
    try:
        return is_alive(path)
    except FileNotFoundError:
        return True


# ---------------------------------------------------------------------- the directory


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
