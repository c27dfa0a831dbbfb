"""Durations and sizes as people write them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_duration = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ns|us|µs|ms|s|m|h|d)").match
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_size = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)?").fullmatch
_ratio = re.compile(r"(?P<number>-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:e-?[0-9]{1,3})?)\s*(?P<percent>%?)").fullmatch
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip


def parse_duration(value: object) -> float | None:
    """Return seconds for `10s`, `250ms`, `1h30m` or 0, else None.

    >>> parse_duration("250ms"), parse_duration("1h30m"), parse_duration(0), parse_duration(5)
    (0.25, 5400.0, 0.0, None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return 0.0
    if not isinstance(value, str) or not value:
        return None
    total, rest = 0.0, value.strip()
    while rest:
        found = _duration(rest)
        if found is None:
            return None
        total += float(found["number"]) * _SECONDS[found["unit"]]
        rest = rest[found.end() :].lstrip()
    return total


def parse_size(value: object) -> int | None:
    """Return bytes for `512MiB`, `1.5GB` or a bare number, else None.

    >>> parse_size("64KiB"), parse_size(10), parse_size("1.5kB"), parse_size("many")
    (65536, 10, 1500, None)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    found = _size(value.strip()) if isinstance(value, str) else None
    if found is None or len(found["number"]) > 30:
        return None
    return int(float(found["number"]) * _BYTES[found["unit"] or "B"])


def parse_ratio(value: object) -> float | None:
    """Return a number for `0.1` or `10%`, else None; whether it is between 0 and 1 is not looked at.

    >>> parse_ratio(0.1), parse_ratio("2.5%"), parse_ratio("1"), parse_ratio("1/3")
    (0.1, 0.025, 1.0, None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    found = _ratio(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    number = float(Fraction(found["number"]) / 100) if found["percent"] else float(found["number"])
    return number if math.isfinite(number) else None


def show_duration(seconds: float) -> str:
    """Return seconds as they would be written in YAML.

    >>> show_duration(0.25), show_duration(3600.0), show_duration(90.0), show_duration(0.0), show_duration(1e-07)
    ('250ms', '1h', '90s', '0s', '100ns')
    """
    if seconds and seconds % 3600 == 0:
        return f"{seconds / 3600:.0f}h"
    unit = "s" if seconds >= 1 or not seconds else "ms" if seconds >= 1e-3 else "us" if seconds >= 1e-6 else "ns"
    return f"{seconds / _SECONDS[unit]:.12f}".rstrip("0").rstrip(".") + unit


def show_size(size: int) -> str:
    """Return bytes as they would be written in YAML.

    >>> show_size(65536), show_size(1000)
    ('64KiB', '1000')
    """
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)
