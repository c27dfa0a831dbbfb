"""Where a span was opened, looked up only when it is shown."""

from __future__ import annotations

from types import CodeType

Place = tuple[CodeType, int]
"""A code object and an instruction offset in it."""

PLACES_REMEMBERED = 4096  # a program has few; a journal on disk asks for one with every start

_shown_places: dict[tuple[int, int], tuple[CodeType, str]] = {}
"""By identity, because the hash of a code object costs as much as looking the line up; the object itself keeps that from being reused."""


def show_place(place: Place) -> str:
    """Return `file:line` of a place."""
    code, offset = place
    known = _shown_places.get((id(code), offset))
    return known[1] if known is not None else _look_up(code, offset)


def _look_up(code: CodeType, offset: int) -> str:
    shown = code.co_filename
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            shown = f"{code.co_filename}:{line}"
            break
    if len(_shown_places) >= PLACES_REMEMBERED:
        _shown_places.clear()
    _shown_places[id(code), offset] = (code, shown)
    return shown
