"""Lines of files, directories and standard input: plain, gzip or zstd, finished or still growing.

A file's kind is told by its first bytes, never by its name. Files of a directory come oldest first, so that what was rotated
away is read before what is written now. Lines keep their number and the offset behind them, so that reading can be resumed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from tracebridge.errors import TracebridgeError

STDIN = "-"
MAX_LINE = 64 * 2**20  # bytes of one line that is looked at; what is longer is passed over and counted
_BUFFER = 2**20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class UnreadableError(TracebridgeError):
    """A file cannot be opened, or ends or breaks in the middle of its compression."""

    error_code = "INVALID_PARAMETER_VALUE"


class Line(NamedTuple):
    """One line without its newline."""

    text: bytes
    number: int
    """From 1."""
    end: int
    """Bytes of the (uncompressed) file up to and with its newline."""
    whole: bool = True
    """False for a line that is longer than `MAX_LINE`; `text` is its beginning then."""
    ended: bool = True
    """False for the last line of a file whose newline is not there: more of it may still come."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on in a file."""

    end: int = 0
    """Bytes of the (uncompressed) file that are done."""
    number: int = 0
    """Lines that are done."""


def expand(paths: Sequence[str]) -> list[str]:
    """Return the files that are meant: `-` and files as given, directories as the files below them, oldest first.

    Raises UnreadableError for a path that is not there.
    """
    out: list[str] = []
    for path in paths:
        if path != STDIN and not Path(path).exists():
            raise UnreadableError(f"{path}: there is no such file or directory")
        if path == STDIN or not Path(path).is_dir():
            out.append(path)
            continue
        found = [(_modified(name), name) for name in _below(path)]
        out.extend(name for _, name in sorted(found))
    return out


def _below(path: str) -> Iterator[str]:
    """Yield the files below a folder; `os.walk` takes one that is removed under it for empty, where a glob would raise."""
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if file.is_file():
                yield str(file)


def _modified(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:  # moved away by a rotation meanwhile; who opens it will find out
        return 0


@contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Open a file or standard input, unpacking gzip and zstd. Raises UnreadableError."""
    try:
        raw = sys.stdin.buffer if path == STDIN else Path(path).open("rb", buffering=_BUFFER)  # noqa: SIM115 - closed below
        file = raw if hasattr(raw, "peek") else io.BufferedReader(cast(io.RawIOBase, raw), _BUFFER)
        first = cast(io.BufferedReader, file).peek(4)[:4]
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}") from error
    try:
        if first.startswith(_GZIP):
            yield io.BufferedReader(gzip.GzipFile(fileobj=file), _BUFFER)
        elif first == _ZSTD:
            yield _unpack_zstd(path, file)
        else:
            yield file
    finally:
        if path != STDIN:
            raw.close()


def _unpack_zstd(path: str, file: BinaryIO) -> BinaryIO:
    try:
        import zstandard
    except ImportError:
        raise UnreadableError(f"{path} is zstd; pip install 'tracebridge[zstd]' to read it") from None
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
    return io.BufferedReader(reader, _BUFFER)


def identity(path: str) -> str:
    """Return what tells a file from others though it is renamed and grows: device, inode, and its first line.

    Empty for standard input, which cannot be read again, and for a file without a whole line. Raises UnreadableError.
    """
    if path == STDIN:
        return ""
    with open_input(path) as file, _told_as_unreadable(path):
        first = file.readline(MAX_LINE)
        status = Path(path).stat()
    if not first.endswith(b"\n"):
        return ""
    return f"{status.st_dev}-{status.st_ino}-{hashlib.sha256(first).hexdigest()[:32]}"


def read_lines(path: str, start: Position | None = None) -> Iterator[Line]:
    """Yield the lines of a file from a position to its end; the last may lack its newline.

    Raises UnreadableError when the file cannot be opened or its compression breaks off.
    """
    at = start or Position()
    with open_input(path) as file, _told_as_unreadable(path):
        if at.end:
            _go_to(file, at.end)
        yield from _lines(file, at)


@contextmanager
def _told_as_unreadable(path: str) -> Iterator[None]:
    """Tell of damage within a file in one way, whoever unpacks it."""
    try:
        yield
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableError(f"{path}: cannot be read further: {error}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "zstandard":
            raise
        raise UnreadableError(f"{path}: cannot be read further: {error}") from error


def _go_to(file: BinaryIO, end: int) -> None:
    """Skip so many bytes: what is packed cannot be entered in the middle."""
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO):
        file.seek(end)
        return
    while end > 0 and (passed := file.read(min(end, _BUFFER))):
        end -= len(passed)


def _lines(file: BinaryIO, at: Position) -> Iterator[Line]:
    end, number = at.end, at.number
    while text := file.readline(MAX_LINE):
        end += len(text)
        number += 1
        if text[-1:] == b"\n":
            yield Line(text[:-1], number, end)
            continue
        if len(text) < MAX_LINE:
            yield Line(text, number, end, ended=False)
        else:
            end += _pass_over(file)
            yield Line(text, number, end, whole=False)


def _pass_over(file: BinaryIO) -> int:
    """Read up to the next newline and return how many bytes that was."""
    passed = 0
    while text := file.readline(_BUFFER):
        passed += len(text)
        if text[-1:] == b"\n":
            break
    return passed


def follow(path: str, start: Position | None = None, *, stop: Callable[[], bool]) -> Iterator[Line | None]:
    """Yield a file's lines and go on as it grows, until `stop()`; None each time there is nothing new (the caller waits then).

    A file that is moved away by a logrotate is read to its end and its successor from the beginning; one that is truncated is read
    from the beginning too. A line counts once its newline is there. Compressed files do not grow: they are read to their end.
    Raises UnreadableError as `read_lines` does.
    """
    at = start or Position()
    while not stop():
        if path != STDIN and not Path(path).exists():  # between a rotation and the new file
            yield None
            continue
        with open_input(path) as file:
            if not isinstance(file, io.BufferedReader) or not isinstance(file.raw, io.FileIO) or path == STDIN:
                break
            yield from _follow_one(path, file, at, stop)
        at = Position()
    else:
        return
    yield from read_lines(path, at)


def _follow_one(path: str, file: BinaryIO, at: Position, stop: Callable[[], bool]) -> Iterator[Line | None]:
    """Yield the lines of one incarnation of a growing file: until it is moved away and read, or truncated."""
    end, number, pending = at.end, at.number, b""
    file.seek(end)
    gone = False
    while True:
        while text := file.readline(MAX_LINE):
            pending += text
            if pending[-1:] == b"\n" or len(pending) >= MAX_LINE:
                end, number = end + len(pending), number + 1
                whole = pending[-1:] == b"\n"
                yield Line(pending.removesuffix(b"\n"), number, end, whole)
                pending = b""
        if gone:
            if pending:
                yield Line(pending, number + 1, end + len(pending), ended=False)
            return
        if stop():
            return
        yield None
        here = os.fstat(file.fileno())
        if here.st_size < end + len(pending):
            return
        gone = _moved(path, here)


def _moved(path: str, here: os.stat_result) -> bool:
    """Whether the name stands for another file by now (or for none)."""
    try:
        there = Path(path).stat()
    except OSError:
        return True
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
