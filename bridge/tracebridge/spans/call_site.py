"""Where a span was opened: kept as two numbers' worth, the line is looked up only when it is shown."""

from __future__ import annotations

from types import CodeType

CallSite = tuple[CodeType, int]
"""A code object and an instruction offset in it."""

CALL_SITES_REMEMBERED = 4096  # a program has few; a journal on disk asks for one with every start

_shown: dict[tuple[int, int], tuple[CodeType, str]] = {}
"""By identity, because the hash of a code object costs as much as looking the line up; the object itself keeps that from being reused."""


def shown(site: CallSite) -> str:
    """Return `file:line` of a call."""
    code, offset = site
    known = _shown.get((id(code), offset))
    return known[1] if known is not None else _show(code, offset)


def _show(code: CodeType, offset: int) -> str:
    text = code.co_filename
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            text = f"{code.co_filename}:{line}"
            break
    if len(_shown) >= CALL_SITES_REMEMBERED:
        _shown.clear()
    _shown[id(code), offset] = (code, text)
    return text
