"""Time: one wall-clock reading per trace, then monotonic ticks from it.

Spans of one trace therefore never disagree about their order because somebody corrected the system's clock.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings in integer nanoseconds."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may jump."""
        ...

    def ticks_ns(self) -> int:
        """Nanoseconds since some fixed instant; never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    wall_ns = staticmethod(time.time_ns)
    ticks_ns = staticmethod(time.monotonic_ns)
