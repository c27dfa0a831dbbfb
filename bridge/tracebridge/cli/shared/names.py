"""How names are asked for on the command line: exactly, or with % for any characters."""

from __future__ import annotations

import functools
import re

WILDCARD = "%"


def pattern_of(text: str) -> str:
    """Return the regular expression for a text in which only % is a wildcard; in any case, and in time linear in what it is tried on.

    >>> pattern_of("order%")
    '(?is)\\\\Aorder.*\\\\Z'
    """
    first, *others = map(re.escape, text.split(WILDCARD))
    between = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return rf"(?is)\A{first}{between}{f'.*{others[-1]}' if others else ''}\Z"


def is_named(name: str, text: str) -> bool:
    """Return whether a name is as somebody typed it.

    >>> is_named("order 1", "ORDER%"), is_named("order 1", "order")
    (True, False)
    """
    return _compiled(text).match(name) is not None if WILDCARD in text else name == text


@functools.lru_cache(maxsize=64)
def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(pattern_of(text))
