"""Bytes into files and standard streams: one write each, so that lines of several writers stay whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tracebridge.errors import Misconfigured, Retryable
from tracebridge.process import system

_LATER = {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EINTR, errno.EIO}

LOCK_WAIT_S = 1.0  # how long the lock of a file is waited for; whoever of us holds it does so for one write


class FileWire:
    """Appends to a file created 0600, and reopens it when an external logrotate has moved or removed it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._identity: tuple[int, int] | None = None
        self._torn = False

    def write(self, data: bytes) -> None:
        """Append in one write. Raises Retryable when the disk is full, Misconfigured when the file cannot be opened.

        What was written only in part, by us on a full disk or by a process that was killed, is ended with a line break before the next
        write, so that it spoils no other line.
        """
        with self._lock:
            fd = self._open()
            with _held(fd, shared=True):
                self._append(fd, data)

    def _append(self, fd: int, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        written = 0
        try:
            while written < len(data):  # more than once only when a disk that is nearly full takes a part
                written += os.write(fd, data[written:])
        except OSError as error:
            self._torn = self._torn or written > 0
            raise _translated(self._path, error) from error
        self._torn = False

    def _open(self) -> int:
        """Return the descriptor of the file that has the path now."""
        try:
            now = self._path.stat()
            there = (now.st_dev, now.st_ino)
        except OSError:
            there = None
        if self._fd is not None and there == self._identity:
            return self._fd
        self._drop()
        try:
            fd = system.open_file(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise _translated(self._path, error) from error
        opened = os.fstat(fd)
        self._torn = False
        self._fd, self._identity = fd, (opened.st_dev, opened.st_ino)
        if stat.S_ISREG(opened.st_mode):
            with _held(fd) as free:  # a line that another of us is just writing is not torn
                self._torn = free and _ends_within_a_line(self._path)
                if self._torn:
                    self._end_line(fd)
        return fd

    def _end_line(self, fd: int) -> None:
        """End a torn line at once, before another who opens the file does so too; when there is no room, with the next write."""
        with contextlib.suppress(OSError):
            os.write(fd, b"\n")
            self._torn = False

    def _drop(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = self._identity = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop()


class StandardStream:
    """stdout or stderr as they are at the moment of each write, replaced or captured ones too."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name

    def write(self, data: bytes) -> None:
        """Write and flush. Raises Misconfigured when the stream's reader has gone."""
        stream = getattr(sys, self._name)
        try:
            if stream is None:
                raise OSError(errno.EBADF, "the stream is closed in this process")
            binary = getattr(stream, "buffer", None)
            if binary is not None:
                stream.flush()
                binary.write(data)
                binary.flush()
            else:
                stream.write(data.decode("utf-8", "replace"))
                stream.flush()
        except BlockingIOError as error:  # a pipe that was made non-blocking, and is full
            raise Retryable(f"{self._name}: {error.strerror or error}") from error
        except (OSError, ValueError) as error:  # ValueError: closed
            raise Misconfigured(f"{self._name}: {error}") from error

    @property
    def is_terminal(self) -> bool:
        """Whether a person is looking."""
        stream = getattr(sys, self._name)
        return bool(stream is not None and not stream.closed and stream.isatty())

    def close(self) -> None:
        """Leave the stream to its owner."""


@contextlib.contextmanager
def _held(fd: int, *, shared: bool = False) -> Iterator[bool]:
    """Hold a lock of a file: many write at a time, and none while one looks how it ends.

    Yields False when others would not let go of it: whoever goes on writing has looked. A file system or a system without locks makes no writer wait.
    """
    until = time.monotonic() + LOCK_WAIT_S
    held, free = False, True
    while not held:
        try:
            system.lock(fd, shared=shared)
            held = True
        except BlockingIOError:
            if time.monotonic() > until:
                free = False
                break
            time.sleep(0.001)
        except OSError:
            break
    try:
        yield free
    finally:
        if held:
            system.unlock(fd)


def _ends_within_a_line(path: Path) -> bool:
    """Return whether the last line of a file has no end. One that may be written and not read counts as whole."""
    try:
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
    except OSError:
        return False


def _translated(path: Path, error: OSError) -> Exception:
    said = f"{path}: {error.strerror or error}"
    return Retryable(said) if error.errno in _LATER else Misconfigured(f"{said}; is the folder there, and writable?")
