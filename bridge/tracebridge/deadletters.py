"""Dead letters: the spans that a destination refused for good, kept for a person to look at."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tracebridge.record import SpanRecord

MAX_DEAD_LETTERS = 1000  # kept in memory; older ones are forgotten, though they stay counted


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One span that one adapter could not deliver."""

    adapter: str
    record: SpanRecord
    reason: str
    """`rejected`, `too_large` or `retries_exhausted`: the key under which it is counted as dropped."""
    message: str
    """What the destination said."""
    time_unix_s: float


class DeadLetters:
    """The newest dead letters of one client, oldest first. Safe from any thread."""

    def __init__(self, most: int = MAX_DEAD_LETTERS) -> None:
        self._letters: deque[DeadLetter] = deque(maxlen=most)

    def add(self, letter: DeadLetter) -> None:
        """Keep one."""
        self._letters.append(letter)

    def list(self) -> list[DeadLetter]:
        """Return what is kept."""
        return list(self._letters)
