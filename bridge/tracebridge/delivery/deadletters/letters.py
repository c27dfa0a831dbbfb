"""Dead letters: the spans that a destination refused for good, kept for a person to look at."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tracebridge.masking.loggers import logger
from tracebridge.records.record import SpanRecord

if TYPE_CHECKING:
    from tracebridge.delivery.deadletters.files import DeadFiles

MAX_DEAD_LETTERS = 1000  # kept in memory; older ones are forgotten there, though they stay counted
MAX_DEAD_BYTES = 16 * 2**20  # and no more than this, as the journal counts

_log = logger("tracebridge.delivery")


class DeadLetter(msgspec.Struct, frozen=True):
    """One span that one adapter could not deliver."""

    adapter: str
    record: SpanRecord
    reason: str
    """`rejected`, `too_large` or `retries_exhausted`: the key under which it is counted as dropped."""
    message: str
    """What the destination said."""
    time_unix_s: float


class DeadLetters:
    """The newest dead letters of one client, oldest first, and all of them in files where it has a directory.

    Safe from any thread.
    """

    def __init__(
        self, files: DeadFiles | None = None, *, most: int = MAX_DEAD_LETTERS, most_bytes: int = MAX_DEAD_BYTES
    ) -> None:
        self._files = files
        self._most = most
        self._most_bytes = most_bytes
        self._letters: deque[tuple[DeadLetter, int]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._told = False

    def add(self, adapter: str, records: Sequence[SpanRecord], reason: str, message: str) -> None:
        """Keep the spans of one refusal. Never raises for a failing disk: then they are in memory only, which is logged."""
        now = time.time()
        with self._lock:
            for record in records:
                size = len(msgspec.msgpack.encode(record))
                self._letters.append((DeadLetter(adapter, record, reason, message, now), size))
                self._bytes += size
            while len(self._letters) > self._most or (self._bytes > self._most_bytes and len(self._letters) > 1):
                self._bytes -= self._letters.popleft()[1]
        if self._files is None:
            return
        try:
            self._files.write(adapter, reason, message, records)
        except Exception as error:
            if not self._told:
                self._told = True
                _log.warning("dead letters cannot be written in %s: %s", self._files.folder, error)

    def list(self) -> list[DeadLetter]:
        """Return what is kept in memory."""
        with self._lock:
            return [letter for letter, _ in self._letters]
