"""Dead letters on disk: what destinations refused for good, for a person to look at, mend and send again.

    dead/01764045000123456789-9f3a61c2.otlp.jsonl     the spans, as OTLP JSON lines: a Collector's otlpjsonfile receiver reads them
    dead/01764045000123456789-9f3a61c2.json           whose they were, and what the destination said

One pair of files for each refusal: a single span as a rule, a whole batch where retries ran out. Files of 0600, the oldest going first when
there are too many. Their names are numbered by time, and always above those that are there: the clock may have been set back. Symbolic links
and whatever else is not a regular file are not ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import WritableFormat
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.process import system
from tracebridge.process.private_files import (
    is_plain_file,
    make_folder,
    open_regular,
    prune,
    read_regular,
    write_private,
)
from tracebridge.records.record import SpanRecord

FOLDER = "dead"  # within the journal's directory
FORMAT = "otlp_json"
MOST_FILES = 20_000  # two for each refusal
MOST_BYTES = 64 * 2**20
LAST_STAMP = 10**20 - 1
PRUNE_EVERY = 64  # refusals between two looks at the whole folder
_SPANS, _REASON = ".otlp.jsonl", ".json"
_ID = re.compile(r"\d{20}-[0-9a-f]{8}")
_OURS = re.compile(rf"{_ID.pattern}\.(json|otlp\.jsonl)(\.new)?")


class Refusal(msgspec.Struct, frozen=True):
    """Why some spans are dead letters."""

    id: str
    """Under which the files stand; older ones sort first."""
    adapter: str
    """The destination's key in the configuration."""
    reason: str
    """`rejected`, `too_large` or `retries_exhausted`."""
    message: str
    """What the destination said."""
    time_unix_s: float
    spans: int


class DeadFiles:
    """The dead letters in one directory. Safe from several threads and processes.

    Raises ConfigError when the format is not installed.
    """

    def __init__(self, folder: Path, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self.folder = folder
        self._format: WritableFormat = load(FORMATS, FORMAT)(
            trace_id_attribute
        )  # now: a worker must not import, see `Adapter`
        self._written = 0
        self._last = 0

    def write(self, adapter: str, reason: str, message: str, records: Sequence[SpanRecord]) -> Refusal:
        """Keep the spans of one refusal. Raises OSError."""
        make_folder(self.folder)
        now_ns = time.time_ns()
        name = f"{self._next_stamp(now_ns):020d}-{secrets.token_hex(4)}"
        refusal = Refusal(name, adapter, reason, message, now_ns / 1e9, len(records))
        lines = b"".join(self._format.encode([record]) for record in records)
        write_private(self.folder / (name + _REASON), msgspec.json.encode(refusal) + b"\n")
        write_private(self.folder / (name + _SPANS), lines)
        if self._written % PRUNE_EVERY == 0:
            prune(self.folder, _OURS, most_files=MOST_FILES, most_bytes=MOST_BYTES)
        self._written += 1
        return refusal

    def _next_stamp(self, now_ns: int) -> int:
        """Return the time of a new name: now, or just after the last one that is there. Looks at the folder now and then."""
        if self._written % PRUNE_EVERY == 0:
            last = max(self._names(), default="")
            self._last = max(self._last, int(last[:20] or 0))
        self._last = min(max(now_ns, self._last + 1), LAST_STAMP)
        return self._last

    def _names(self) -> list[str]:
        """Return the names of what is there, oldest first. Raises OSError."""
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = (name.removesuffix(_SPANS) for name in names if name.endswith(_SPANS))
        return sorted(name for name in found if _ID.fullmatch(name))

    def all(self) -> list[Refusal]:
        """Return what is there, oldest first; empty when nothing was ever refused. Raises OSError."""
        if self.folder.is_symlink():
            return []
        return [refusal for name in self._names() if (refusal := self.find(name)) is not None]

    def find(self, name: str) -> Refusal | None:
        """Return one refusal by its ID, or None."""
        if _ID.fullmatch(name) is None or not is_plain_file(self.folder / (name + _SPANS)):
            return None
        try:
            return msgspec.json.decode(read_regular(self.folder / (name + _REASON)), type=Refusal)
        except (OSError, msgspec.MsgspecError):  # half deleted, or edited by hand: the spans are what counts
            pass
        try:
            return Refusal(name, "?", "?", "", int(name[:20]) / 1e9, len(self.lines(name)))
        except FileNotFoundError:  # somebody is just deleting it
            return None
        except OSError as error:
            return Refusal(name, "?", "?", f"the file cannot be read: {error.strerror}", int(name[:20]) / 1e9, 0)

    def lines(self, name: str) -> list[bytes]:
        """Return the spans of a refusal as they stand in the file. Raises OSError."""
        return read_regular(self.folder / (name + _SPANS)).splitlines()

    def records(self, name: str) -> list[SpanRecord]:
        """Return the spans of a refusal. Raises OSError, and ValueError for a line that is not OTLP JSON."""
        return [record for line in self.lines(name) for record in self._format.decode(line).records]

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Keep a refusal to oneself while it is sent; yields False when somebody else does. Raises OSError, FileNotFoundError when it is gone."""
        fd = open_regular(self.folder / (name + _SPANS), os.O_RDWR)
        try:
            try:
                system.lock(fd)
            except BlockingIOError:
                yield False
                return
            if os.fstat(fd).st_nlink == 0:  # sent and removed between the two calls
                raise FileNotFoundError(name)
            yield True
        finally:
            os.close(fd)

    def remove(self, name: str) -> None:
        """Forget one refusal. Raises OSError."""
        for ending in (_SPANS, _REASON):
            (self.folder / (name + ending)).unlink(missing_ok=True)
