"""Whether names and attributes are those that a setting describes; in text, * stands for any text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.record import Kind
from tracebridge.settings.sampling import MatchSettings

Fits = Callable[[Any], bool]


@functools.lru_cache(maxsize=1024)
def text_fits(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text is like a pattern. Each * takes as little as it can and never gives back: linear time.

    >>> text_fits("GET /health*")("GET /healthz"), text_fits("*a*b")("xaxbx")
    (True, False)
    """
    if "*" not in pattern:
        return pattern.__eq__
    first, *middle, last = pattern.split("*")
    least = len(first) + len(last)
    parts = [part for part in middle if part]

    def fits(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in parts:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return fits


def value_fits(wanted: Any) -> Fits:
    """Return a function that tells whether a value is the one wanted, or one of those."""
    if isinstance(wanted, list):
        each = [value_fits(one) for one in wanted]
        return lambda value: any(fits(value) for fits in each)
    if isinstance(wanted, str):
        like = text_fits(wanted)
        return lambda value: isinstance(value, str) and like(str.__str__(value))
    if isinstance(wanted, bool):
        return lambda value: value is wanted
    return lambda value: type(value) in {int, float} and value == wanted


class AttributesFit:
    """Whether attributes are as described: all of them (`every`), or one of them at least (`some`)."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self._wanted = [(key, value_fits(value)) for key, value in wanted.items()]

    def every(self, attributes: Any) -> bool:
        """Return whether all that is wanted is there. Attributes may be whatever a caller gave; what cannot be asked has none."""
        try:
            return all(fits(attributes.get(key)) for key, fits in self._wanted)
        except BaseException as error:
            raise_interrupt(error)
            return not self._wanted

    def some(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether one that is wanted is there."""
        return any(key in attributes and fits(attributes[key]) for key, fits in self._wanted)


class RootFits:
    """Whether a root is the one that a rule describes."""

    def __init__(self, match: MatchSettings) -> None:
        self._name = None if match.name is None else text_fits(match.name)
        self._kind = None if match.kind is None else int(Kind[match.kind.upper()])
        self._service = None if match.service is None else text_fits(match.service)
        self._attributes = AttributesFit(match.attributes) if match.attributes else None

    def __call__(self, name: Any, kind: int, attributes: Any, service: str) -> bool:
        """Return whether all that is given fits."""
        return (
            (self._name is None or (isinstance(name, str) and self._name(str.__str__(name))))
            and (self._kind is None or kind == self._kind)
            and (self._service is None or self._service(service))
            and (self._attributes is None or self._attributes.every(attributes))
        )
