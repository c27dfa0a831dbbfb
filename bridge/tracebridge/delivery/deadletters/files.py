"""Dead letters on disk: what destinations refused for good, for a person to look at, mend and send again.

    dead/01764045000123456789-9f3a61c2.otlp.jsonl     the spans, as OTLP JSON lines: a Collector's otlpjsonfile receiver reads them
    dead/01764045000123456789-9f3a61c2.json           whose they were, and what the destination said

One pair of files for each refusal: a single span as a rule, a whole batch where retries ran out. Files of 0600, the oldest going first when
there are too many.
"""

from __future__ import annotations

import contextlib
import fcntl
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
from tracebridge.process.private_files import prune, write_private
from tracebridge.records.record import SpanRecord

FOLDER = "dead"  # within the journal's directory
FORMAT = "otlp_json"
MOST_FILES = 20_000  # two for each refusal
MOST_BYTES = 64 * 2**20
PRUNE_EVERY = 64  # refusals between two looks at the whole folder
_SPANS, _REASON = ".otlp.jsonl", ".json"
_ID = re.compile(r"\d{20}-[0-9a-f]{8}")


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

    def write(self, adapter: str, reason: str, message: str, records: Sequence[SpanRecord]) -> Refusal:
        """Keep the spans of one refusal. Raises OSError."""
        now_ns = time.time_ns()
        name = f"{now_ns:020d}-{secrets.token_hex(4)}"
        refusal = Refusal(name, adapter, reason, message, now_ns / 1e9, len(records))
        lines = b"".join(self._format.encode([record]) for record in records)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.folder / (name + _REASON), msgspec.json.encode(refusal) + b"\n")
        write_private(self.folder / (name + _SPANS), lines)
        if self._written % PRUNE_EVERY == 0:
            prune(self.folder, most_files=MOST_FILES, most_bytes=MOST_BYTES)
        self._written += 1
        return refusal

    def all(self) -> list[Refusal]:
        """Return what is there, oldest first; empty when nothing was ever refused. Raises OSError."""
        try:
            names = sorted(path.name.removesuffix(_SPANS) for path in self.folder.glob("*" + _SPANS))
        except FileNotFoundError:
            return []
        return [refusal for name in names if (refusal := self.find(name)) is not None]

    def find(self, name: str) -> Refusal | None:
        """Return one refusal by its ID, or None."""
        if _ID.fullmatch(name) is None or not (self.folder / (name + _SPANS)).exists():
            return None
        try:
            return msgspec.json.decode((self.folder / (name + _REASON)).read_bytes(), type=Refusal)
        except (OSError, msgspec.MsgspecError):  # half deleted, or edited by hand: the spans are what counts
            pass
        try:
            return Refusal(name, "?", "?", "", int(name[:20]) / 1e9, len(self.lines(name)))
        except FileNotFoundError:  # somebody is just deleting it
            return None

    def lines(self, name: str) -> list[bytes]:
        """Return the spans of a refusal as they stand in the file. Raises OSError."""
        return (self.folder / (name + _SPANS)).read_bytes().splitlines()

    def records(self, name: str) -> list[SpanRecord]:
        """Return the spans of a refusal. Raises OSError, and ValueError for a line that is no OTLP JSON."""
        return [record for line in self.lines(name) for record in self._format.decode(line).records]

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Keep a refusal to oneself while it is sent; yields False when somebody else does. Raises OSError, FileNotFoundError when it is gone."""
        fd = os.open(self.folder / (name + _SPANS), os.O_RDWR | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
