"""What wraps lines, and only the user knows of: a formatter's prefix, a shipper's field, forms that applications write as well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tracebridge.masking.patterns import Pattern
from tracebridge.replay.envelopes.prefixes import NAMED
from tracebridge.replay.envelopes.unwrapping import NO_JSON, as_line, decode

GLUED = "glued"
NAMES = (*NAMED, GLUED)
"""What `--envelope` takes."""
MAX_GLUED = 10_000  # objects on one line
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class OwnEnvelope:
    """What the user says of the lines: nothing, by default."""

    prefix: Pattern | None = None
    """What stands in front of each line."""
    field: str | None = None
    """The field, of a JSON object a line, that holds the line: a name, or names with dots between, through objects, lists (each of their
    elements) and JSON text. Nothing else tells such an object from an application's own words."""
    names: frozenset[str] = frozenset()
    """Forms, by their names in `NAMES`."""

    def without_prefix(self, text: bytes) -> bytes:
        """Return what stands behind the prefix; all of it where there is none."""
        found = self.prefix.match(text) if self.prefix is not None else None
        return text[found.end() :].lstrip() if found is not None else text

    def out_of_field(self, text: bytes) -> list[bytes]:
        """Return the line that the field holds, or each of several; none where there is no such field."""
        if self.field is None or text[:1] != b"{":
            return []
        return [line for held in _at(parsed(text), self.field) if (line := as_line(held)) is not None]

    def lines_in(self, text: bytes) -> list[bytes]:
        """Return the lines inside the first named form that this text has; none where it has none of them."""
        for name, prefix in NAMED.items():
            if name in self.names and (found := prefix.match(text)) is not None:
                return [text[found.end() :]]
        if GLUED in self.names and text[:1] == b"{":
            parts = list(glued(text))
            return parts if len(parts) > 1 else []
        return []


def _at(given: Any, path: str) -> Iterator[Any]:
    """Yield what stands under a name, or under names with dots between."""
    if isinstance(given, list):
        for each in given[:MAX_GLUED]:
            yield from _at(each, path)
        return
    given = parsed(given)
    if not isinstance(given, dict):
        return
    if path in given:
        yield from _each(given[path])
        return
    first, dot, rest = path.partition(".")
    if dot and first in given:
        yield from _at(given[first], rest)


def _each(held: Any) -> Iterator[Any]:
    """Yield a value, or what a list has in it."""
    if not isinstance(held, list):
        yield held
        return
    for each in held:
        yield from _each(each)


def parsed(held: Any) -> Any:
    """Return the object that a text is; anything else as it is."""
    if not isinstance(held, (str, bytes)) or held.lstrip()[:1] not in ("{", b"{"):
        return held
    try:
        return decode(held)
    except NO_JSON:
        return held


def glued(text: bytes) -> Iterator[bytes]:
    """Yield the objects that stand behind each other on one line; what follows the last whole one comes last."""
    shown = text.decode("utf-8", "surrogateescape")
    read, at = json.JSONDecoder().raw_decode, 0
    for _ in range(MAX_GLUED):
        try:
            _, end = read(shown, at)
        except (ValueError, RecursionError):
            break
        yield shown[at:end].encode("utf-8", "surrogateescape")
        at = _SPACE.match(shown, end).end()  # type: ignore[union-attr]  # matches everywhere
        if shown[at : at + 1] != "{":
            break
    if at < len(shown):
        yield shown[at:].encode("utf-8", "surrogateescape")
