"""Files, directories and standard input: which are meant, and how each is opened: plain, gzip or zstd, in UTF-8 or UTF-16.

A file's kind is told by its first bytes, never by its name. Files of a directory come oldest first, so that what was rotated
away is read before what is written now.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from tracebridge.errors import TracebridgeError

STDIN = "-"
BUFFER = 2**20
MAX_FIRST_LINE = 64 * 2**20  # bytes that are looked at to know a file again
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class UnreadableError(TracebridgeError):
    """A file cannot be opened, or ends or breaks in the middle of its compression."""

    error_code = "INVALID_PARAMETER_VALUE"


def expand(paths: Sequence[str]) -> list[str]:
    """Return the files that are meant: `-` and files as given, directories as the files below them, oldest first.

    Raises UnreadableError for a path that is not there.
    """
    out: list[str] = []
    for path in paths:
        if path != STDIN and not Path(path).exists():
            raise UnreadableError(f"{path}: no such file or directory")
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
def open_input(path: str) -> Iterator[io.BufferedReader]:
    """Open a file or standard input, unpacking gzip and zstd. Raises UnreadableError."""
    try:
        raw = sys.stdin.buffer if path == STDIN else Path(path).open("rb", buffering=BUFFER)  # noqa: SIM115 - closed below
        file = raw if hasattr(raw, "peek") else io.BufferedReader(cast(io.RawIOBase, raw), BUFFER)
        first = cast(io.BufferedReader, file).peek(4)[:4]
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}") from error
    try:
        if first.startswith(_GZIP):
            yield _as_utf_8(io.BufferedReader(gzip.GzipFile(fileobj=file), BUFFER))
        elif first == _ZSTD:
            yield _as_utf_8(_unpack_zstd(path, file))
        else:
            yield _as_utf_8(cast(io.BufferedReader, file))
    finally:
        if path != STDIN:
            raw.close()


def _as_utf_8(file: io.BufferedReader) -> io.BufferedReader:
    """Return the file itself, or what turns UTF-16 (PowerShell's `>`) into UTF-8."""
    try:
        encoding = _UTF_16.get(file.peek(2)[:2])
    except Exception:  # damage is told by whoever reads on
        return file
    return file if encoding is None else io.BufferedReader(_Utf16(file, encoding), BUFFER)


class _Utf16(io.RawIOBase):
    """A file in UTF-16, read as UTF-8; what is not UTF-16 is shown as U+FFFD."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""
        file.read(2)  # the mark

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, into: Any) -> int:
        """Fill with UTF-8."""
        view = memoryview(into).cast("B")
        while not self._ready:
            given = self._file.read(BUFFER)
            self._ready = self._decoder.decode(given, final=not given).encode("utf-8", "surrogatepass")
            if not given:
                break
        size = min(len(view), len(self._ready))
        view[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def _unpack_zstd(path: str, file: BinaryIO) -> io.BufferedReader:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return io.BufferedReader(zstd.ZstdFile(file), BUFFER)
    try:
        import zstandard
    except ImportError:
        raise UnreadableError(f"{path} is zstd; pip install 'tracebridge[zstd]' to read it") from None
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
    return io.BufferedReader(reader, BUFFER)


def identity(path: str) -> str:
    """Return what tells a file from others though it is renamed and grows: device, inode, and its first line.

    Empty for standard input, which cannot be read again, and for a file without a whole line. Raises UnreadableError.
    """
    if path == STDIN:
        return ""
    digest, size, piece = hashlib.sha256(), 0, b""
    with open_input(path) as file, as_unreadable(path):
        while size < MAX_FIRST_LINE and not piece.endswith(b"\n") and (piece := file.readline(BUFFER)):
            digest.update(piece)
            size += len(piece)
        status = Path(path).stat()
    if not piece.endswith(b"\n"):
        return ""
    return f"{status.st_dev}-{status.st_ino}-{digest.hexdigest()[:32]}"


@contextmanager
def as_unreadable(path: str) -> Iterator[None]:
    """Tell of damage within a file in one way, whoever unpacks it."""
    try:
        yield
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableError(f"{path}: cannot be read further: {error}") from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # of the standard library or of zstandard
            raise
        raise UnreadableError(f"{path}: cannot be read further: {error}") from error


def go_to(file: io.BufferedReader, end: int) -> None:
    """Skip so many bytes: what is packed cannot be entered in the middle."""
    if isinstance(file.raw, io.FileIO):
        file.seek(end)
        return
    while end > 0 and (passed := file.read(min(end, BUFFER))):
        end -= len(passed)
