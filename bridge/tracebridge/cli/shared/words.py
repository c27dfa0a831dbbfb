"""Numbers in words."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """Return a number with its noun.

    >>> count(2000, "damaged stretch"), count(1, "span")
    ('2,000 damaged stretches', '1 span')
    """
    ending = "" if number == 1 else "es" if what.endswith(("ch", "ss")) else "s"
    return f"{number:,} {what}{ending}"
