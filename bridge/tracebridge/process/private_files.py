"""Files that we write for ourselves: for their owner alone, whole or absent, and no more of them than configured.

Where our files stand, other things may: a pipe would be waited for, and a symbolic link leads to somebody else's file. Neither is opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

from tracebridge.process.system import NOT_A_LINK, NOT_WAITING, open_file


def open_regular(path: Path, flags: int) -> int:
    """Open a file and nothing else; return its descriptor. A new one is of 0600. Raises OSError, for anything but a regular file too."""
    fd = open_file(path, flags | NOT_A_LINK | NOT_WAITING)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return fd


def read_regular(path: Path) -> bytes:
    """Return what stands in a file. Raises OSError, for anything but a regular file too."""
    with open(open_regular(path, os.O_RDONLY), "rb") as file:
        return file.read()


def is_plain_file(path: Path) -> bool:
    """Return whether it is a regular file, and no symbolic link to one; not when it may not be looked at."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether it is a folder, and no symbolic link to one. Raises OSError, but not when it is not there."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def make_folder(path: Path) -> None:
    """Make a folder of 0700 where there is none. Raises OSError, for a symbolic link too."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def write_private(path: Path, data: bytes) -> None:
    """Write a file of 0600, in place of what is there. Raises OSError and leaves what was there then."""
    unborn = path.with_name(path.name + ".new")
    try:
        with open(open_regular(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(data)
        unborn.replace(path)
    except OSError:
        unborn.unlink(missing_ok=True)
        raise


def prune(folder: Path, ours: re.Pattern[str], *, most_files: int, most_bytes: int) -> int:
    """Delete the oldest of our files in a folder, by name, until it holds no more of them than that; return how many went.

    What cannot be deleted stays. Raises OSError when the folder cannot be listed.
    """
    files = []
    for path in sorted(path for path in folder.iterdir() if ours.fullmatch(path.name)):
        with contextlib.suppress(OSError):  # somebody else was faster
            files.append((path, path.lstat().st_size))
    total, gone = sum(size for _, size in files), 0
    for path, size in files:
        if len(files) - gone <= most_files and total <= most_bytes:
            break
        try:
            path.unlink()
        except OSError:
            continue
        gone += 1
        total -= size
    return gone
