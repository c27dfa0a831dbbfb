"""Time and IDs that a test knows beforehand, and a source's client that only collects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tracebridge.ids.random_ids import BLOCK, shared_ids
from tracebridge.plugins.source import Intake
from tracebridge.records.record import SpanRecord

EPOCH_NS = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z, when a stepping clock starts


class SteppingClock:
    """A clock that goes on by one step (ns) with every reading of its ticks, and otherwise stands still: `Client(clock=SteppingClock())`."""

    def __init__(self, start_ns: int = EPOCH_NS, step_ns: int = 1_000_000) -> None:
        self.now_ns = start_ns
        """Nanoseconds since the Unix epoch: what the next reading tells, less one step."""
        self.step_ns = step_ns

    def wall_ns(self) -> int:
        """Return the time without going on."""
        return self.now_ns

    def ticks_ns(self) -> int:
        """Go on by one step, and return the time."""
        self.now_ns += self.step_ns
        return self.now_ns

    def advance(self, seconds: float) -> None:
        """Go on by so many seconds."""
        self.now_ns += round(seconds * 1e9)


class _Counter:
    """In the place of a random generator: numbers in their order."""

    def __init__(self) -> None:
        self._traces = self._spans = 0

    def getrandbits(self, bits: int) -> int:
        """Return the next trace ID, or a block of span IDs, the first one last, because they are taken from the end."""
        if bits != 64 * BLOCK:
            self._traces += 1
            return self._traces
        first, self._spans = self._spans + 1, self._spans + BLOCK
        return int.from_bytes(b"".join(n.to_bytes(8, "big") for n in range(self._spans, first - 1, -1)), "big")


@contextmanager
def counting_ids() -> Iterator[None]:
    """Within this block the IDs that every client of the process makes are 1, 2, 3, …: traces and spans each for themselves."""
    with shared_ids.replaced(_Counter()):
        yield


class Collected:
    """What a source hands over and refuses: `MySource(collected.intake)` needs no client."""

    def __init__(self) -> None:
        self.records: list[SpanRecord] = []
        self.rejected: list[tuple[str, Any]] = []
        """The reason, and the thing, of each span that was refused."""
        self.intake = Intake(
            self.records.append, lambda reason, foreign: self.rejected.append((reason, foreign)), lambda _: True
        )
        """What the client would give the source."""
