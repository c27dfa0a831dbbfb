"""Nanoseconds in words."""

from __future__ import annotations

_SMALL = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_LARGE = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s"))
_MINUTE_NS = 60 * 10**9


def duration(ns: int) -> str:
    """Return nanoseconds as people say them, to three digits; eight characters at most up to a thousand years.

    >>> duration(1_234_567), duration(900), duration(2_000_000_000), duration(90 * 10**9), duration(500_000_000)
    ('1.23 ms', '900 ns', '2.00 s', '1m30s', '500 ms')
    """
    if ns >= _MINUTE_NS:
        seconds = ns // 10**9
        for size, unit, smaller, rest in _LARGE:
            if seconds >= size:
                return f"{seconds // size}{unit}{seconds % size // smaller:02d}{rest}"
    for size, unit in _SMALL:
        if ns >= size:
            value = ns / size
            return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f} {unit}"
    return f"{ns} ns"
