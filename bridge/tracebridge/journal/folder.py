"""The folder of one writing process within a journal directory, and the lock that says whether it lives.

    spans/
      00001764045000123456789-4711-9f3a61c2/    one writer: start time in ns, process ID, random
        lock                                    locked (flock) for as long as the writer lives
        00000001.seg 00000002.seg …
        adapters.json                           the names of its adapters, of which a segment has only hashes
        stats.json                              the writer's numbers, for `tracebridge stats`
      damaged/                                  stretches that could not be read, for a person to look at
      dead/                                     what destinations refused for good (`tracebridge.delivery.deadletters.letters`)

A folder whose lock can be taken has lost its owner, and who takes the lock owns it. `flock` is used directly because a
forked child must close its copy of the lock without unlocking it, which lock libraries do not offer. It closes every lock that
this process holds, and no fork comes between the opening of a lock and its entry in the list: a child with a copy that it does not
know of would make a dead writer look alive.

Symbolic links within the directory are not followed, and what is not a regular file is not opened; the directory itself may be a link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tracebridge.process import forks, system
from tracebridge.process.private_files import is_folder, open_regular, read_regular, write_private

LOCK, STATS, ADAPTERS = "lock", "stats.json", "adapters.json"
DAMAGED = "damaged"
_NAME = re.compile(r"\d{20}-\d+-[0-9a-f]{8}")
_is_segment = re.compile(r"\d+\.seg").fullmatch
_UNBORN = ".new-"
_PROBE = ".lock-"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
GLANCE_S = 0.01  # `is_alive` shares a dead writer's lock for a moment, which does not make it a living one's
GLANCES_S = 5.0  # how long that is waited for: on a machine that has no time for whoever looked
UNLOCKABLE = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL, errno.EBADF}
LAST_STAMP = 10**20 - 1
UNBORN_FOR_S = 60.0  # an unfinished folder older than this was left by a process that died in between


class Folder:
    """A writer's folder, locked by this process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._number = max((int(found.stem) for found in self.segments()), default=0)

    @classmethod
    def create(cls, directory: Path, adapters: Sequence[str] = ()) -> Folder:
        """Make a folder for this process, whose adapters these are. Raises OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{_next_stamp(directory):020d}-{os.getpid()}-{secrets.token_hex(4)}"
        unborn = directory / (_UNBORN + name)
        unborn.mkdir(mode=0o700)
        try:
            lock = _open_lock(unborn / LOCK)
            write_private(unborn / ADAPTERS, msgspec.json.encode(list(adapters)))
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
                lock = _open_lock(path / LOCK)
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

    def adapters(self) -> list[str]:
        """Return the adapters that its writer named, as far as it told any."""
        return adapters_of(self.path)

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted it under our feet."""
        return self._lock >= 0 and os.fstat(self._lock).st_nlink == 0

    def segments(self) -> list[Path]:
        """Return the segments' paths, oldest first; none when somebody has deleted the folder."""
        try:
            return [Path(entry.path) for entry in segments_in(self.path)]
        except FileNotFoundError:
            return []

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
        with contextlib.suppress(OSError):  # a failing disk: the next process looks at what is left
            if not self.segments():
                shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def forget_after_fork(self) -> None:
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


def _open_lock(path: Path, access: int = os.O_RDWR | os.O_CREAT, *, shared: bool = False) -> int:
    """Open and take a lock at once. Raises BlockingIOError when somebody else has it, OSError."""
    with _no_fork:
        lock = open_regular(path, access)
        try:
            system.lock(lock, shared=shared)
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
        lock = _open_lock(path / LOCK, os.O_RDONLY, shared=True)  # a new lock would keep it from being removed
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

    A full disk is another matter: it passes, and the journal waits for that in memory.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return "is not a folder"
    except OSError as error:
        return "" if error.errno in FULL else f"cannot be made ({error.strerror})"
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return "cannot be written by this user"
    return _unlockable(directory)


def _unlockable(directory: Path) -> str:
    """Return what is wrong with the locks of a file system, by trying them; empty when they work."""
    probe = directory / f"{_PROBE}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        lock = _open_lock(probe)
        try:
            _close_lock(_open_lock(probe))
        except BlockingIOError:
            return ""
        finally:
            _close_lock(lock)
    except OSError as error:
        if error.errno not in UNLOCKABLE:
            return ""  # full, most likely
        return (
            f"is on a file system without locks (flock: {error.strerror}), which tell a living process from a dead one"
        )
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return (
        "is on a file system that grants every lock (flock), so that processes would take over what others still write"
    )


def folders(directory: Path) -> Iterator[Path]:
    """Yield the folders of all writers, living or dead, oldest first. What else lies there is left alone."""
    for name in _names(directory):
        try:
            if _NAME.fullmatch(name) and is_folder(directory / name):
                yield directory / name
            elif name.startswith((_UNBORN, _PROBE)) and _is_old(directory / name):
                _remove(directory / name)
        except OSError:  # it may not even be looked at: nothing of ours
            continue


def segments_in(path: Path) -> list[os.DirEntry[str]]:
    """Return what stands as a segment in a folder, in order; nothing but plain files. Raises OSError, FileNotFoundError when the folder is gone."""
    with os.scandir(path) as entries:
        found = [entry for entry in entries if _is_segment(entry.name) and entry.is_file(follow_symlinks=False)]
    return sorted(found, key=lambda entry: entry.name)


def bytes_in(directory: Path) -> int:
    """Return how many bytes all segments in a directory take."""
    size = 0
    for path in folders(directory):
        with contextlib.suppress(OSError):  # gone, or delivered meanwhile
            size += sum(entry.stat(follow_symlinks=False).st_size for entry in segments_in(path))
    return size


def adapters_of(path: Path) -> list[str]:
    """Return the adapters that a folder's writer named: at its start, or with its numbers before that was written down."""
    try:
        return msgspec.json.decode(read_regular(path / ADAPTERS), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return list(numbers_of(path).get("adapters", {}))


def numbers_of(path: Path) -> dict[str, Any]:
    """Return what a folder's writer told last of itself (`Client.stats()`); nothing when it told none, or not in that form."""
    try:
        data = read_regular(path / STATS)
        _check_numbers(data)
        numbers: dict[str, Any] = msgspec.json.decode(data)
    except (OSError, msgspec.MsgspecError):
        return {}
    return numbers


class _Books(msgspec.Struct):
    exported: int
    sent: int
    queued: int
    dropped: dict[str, int]
    last_error: str
    retrying_since: float | None
    oldest_queued_age_s: float | None


class _Numbers(msgspec.Struct):
    """What has to be true of `stats.json` for anybody to use it."""

    time_unix_s: float
    service: str
    adapters: dict[str, _Books]
    journal: dict[str, Any]


_check_numbers = msgspec.json.Decoder(_Numbers).decode


def _names(directory: Path) -> list[str]:
    try:
        return sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return []


def _next_stamp(directory: Path) -> int:
    """Return Unix nanoseconds for a new folder's name, later than those of all that are there, even if the clock was set back."""
    stamps = [int(name[:20]) for name in _names(directory) if _NAME.fullmatch(name)]
    return min(max(time.time_ns(), 1 + max(stamps, default=0)), LAST_STAMP)


def _is_old(path: Path) -> bool:
    return time.time() - path.lstat().st_mtime > UNBORN_FOR_S


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
