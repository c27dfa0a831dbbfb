"""The clock by which things are deleted for their age: a jump forward does not make everything old at once.

What is deleted cannot be had back, and a clock that is wrong is mostly set right soon. So a jump of more than an hour, of a process that runs, is believed only when it
has held for a day. A clock that is set back is believed at once: then less is deleted. Everything else that waits or takes time here goes by a monotonic clock.
"""

from __future__ import annotations

import time

JUMP_NS = 3600 * 10**9
BELIEVED_AFTER_NS = 24 * 3600 * 10**9


class AgeClock:
    """Tells the time for one process. Safe from any thread."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - _steady_ns()
        self._ahead_since: int | None = None

    def now_ns(self) -> int:
        """Return Unix nanoseconds, or what they would be without a jump forward that may be an error."""
        wall, steady = time.time_ns(), _steady_ns()
        believed = steady + self._offset
        if wall - believed < JUMP_NS:
            self._ahead_since = None
        else:
            if self._ahead_since is None:
                self._ahead_since = steady
            if steady - self._ahead_since < BELIEVED_AFTER_NS:
                return believed
        self._offset = wall - steady
        return wall


def _steady_ns() -> int:
    """Return nanoseconds since some instant, of a clock that goes on while the machine sleeps where there is such a one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)  # Linux has it
    read = getattr(time, "clock_gettime_ns", None)  # Windows has none
    return time.monotonic_ns() if boot is None or read is None else int(read(boot))


_clock = AgeClock()
now_ns = _clock.now_ns
