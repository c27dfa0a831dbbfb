"""At most so many traces a second, by a threshold that rises: what is let through knows how many it stands for.

A limiter that lets the first hundred of a second through and drops the rest leaves each of the hundred with a weight that is too small. Here the threshold
rises as a second fills, and what comes is judged by the one in force: a power of two, so that what one process keeps is a part of what
another keeps that is under less load.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tracebridge.sampling.threshold import BITS, WHOLE

FIRST_SHARE = 0.75  # of the limit, for the threshold that the last second asked for
HALVED_SHARE = 0.9  # up to here each threshold has half of what is left; behind it each trace that is kept raises it
NANOSECONDS = 1_000_000_000


class Limiter:
    """Counts traces by the second. Safe from any number of threads."""

    def __init__(self, most: int, ticks: Callable[[], int] = time.monotonic_ns) -> None:
        self._most = most
        self._ticks = ticks
        self._lock = threading.Lock()
        self._began = ticks()
        self._wanted = [0] * (BITS + 1)
        """How many traces came this second, by the largest power of two (its exponent) that would keep them."""
        self._exponent = BITS
        self._kept = 0
        self._room = self._share()

    def threshold(self, randomness: int) -> int | None:
        """Take note of a trace that ratio and rules would keep; return the threshold that it is judged by, None once the second is full."""
        exponent = (WHOLE - randomness - 1).bit_length()
        with self._lock:
            now = self._ticks()
            if now - self._began >= NANOSECONDS:
                self._begin(now)
            self._wanted[exponent] += 1
            if self._kept >= self._most:
                return None
            threshold = WHOLE - (1 << self._exponent)
            if exponent <= self._exponent:
                self._kept += 1
                self._room -= 1
                if self._room <= 0 and self._exponent:
                    self._exponent -= 1
                    self._room = max(1, (int(self._most * HALVED_SHARE) - self._kept) // 2)
            return threshold

    def _begin(self, now: int) -> None:
        """Begin a second, with the threshold that would have been right for the last one."""
        seconds = max(1.0, (now - self._began) / NANOSECONDS)
        most, total, exponent = self._share() * seconds, 0, 0
        for exponent, count in enumerate(self._wanted):  # noqa: B007 - the last one counts
            total += count
            if total > most:
                break
        self._exponent = exponent if total <= most else max(0, exponent - 1)
        self._began, self._kept, self._room = now, 0, self._share()
        self._wanted = [0] * (BITS + 1)

    def _share(self) -> int:
        return max(1, int(self._most * FIRST_SHARE))
