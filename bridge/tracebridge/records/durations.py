"""Nanoseconds in words."""

from __future__ import annotations

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def duration(ns: int) -> str:
    """Return nanoseconds as people say them.

    >>> duration(1_234_567), duration(900), duration(2_000_000_000)
    ('1.23 ms', '900 ns', '2.00 s')
    """
    for size, unit in _UNITS:
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns} ns"
