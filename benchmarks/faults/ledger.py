"""What the workload knows to have happened: one byte a span, in a file that is mapped by every process of a run.

A store into a shared mapping is in the page cache at once and outlives `kill -9` of whoever stored it. It does not outlive a power
loss; no fault of this harness is one.
"""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

UNKNOWN, STARTED, ACKNOWLEDGED = 0, 1, 2


class Ledger:
    """`ledger[number]` is UNKNOWN, STARTED (about to be started, or open) or ACKNOWLEDGED (its end call has returned)."""

    def __init__(self, path: Path, capacity: int = 0) -> None:
        """Open a ledger, or make one when a capacity is given."""
        fd = os.open(path, os.O_RDWR | (os.O_CREAT if capacity else 0), 0o600)
        try:
            if capacity:
                os.ftruncate(fd, capacity)
            self._bytes = mmap.mmap(fd, 0)
        finally:
            os.close(fd)
        self.path = path

    def started(self, number: int) -> None:
        """Write down, before the call, that a span is about to be started."""
        self._bytes[number] = STARTED

    def acknowledged(self, number: int) -> None:
        """Write down that the call which ends a span has returned."""
        self._bytes[number] = ACKNOWLEDGED

    @property
    def capacity(self) -> int:
        """How many numbers there are."""
        return len(self._bytes)

    def state(self, number: int) -> int:
        """Return a span's state; UNKNOWN for a number that there is not."""
        return self._bytes[number] if 0 <= number < len(self._bytes) else UNKNOWN

    def all_acknowledged(self) -> set[int]:
        """Return the numbers of all spans whose end was acknowledged."""
        return {found.start() for found in re.finditer(bytes([ACKNOWLEDGED]), self._bytes)}
