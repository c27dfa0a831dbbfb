"""What a header format is: the headers that it owns, and two pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import NamedTuple

from tracebridge.propagation.context import RemoteParent

Headers = Mapping[str, str]
"""Header values by lower-case name. A header that came several times has its values joined by a comma, as HTTP has it (RFC 9110, 5.3), which
no format that allows one value takes for one."""

OWS = " \t"
"""Optional white space around a header's value (RFC 9110, 5.6.3)."""


class HeaderFormat(NamedTuple):
    """One header format."""

    name: str
    fields: tuple[str, ...]
    """The headers that it owns, in lower case."""
    read: Callable[[Headers], RemoteParent | None]
    """The context in the headers, or None where there is none of this format, or not a whole one. Never raises."""
    write: Callable[[RemoteParent, MutableMapping[str, str]], None]
    """Put the headers of a context that has both IDs into a mapping."""
    prefix: str = ""
    """The format also owns every header that starts with this."""


def padded(digits: str, width: int) -> str | None:
    """Return an ID of up to `width` hex digits in any case as `width` lower-case ones; None when it is zero."""
    whole = digits.lower().zfill(width)
    return whole if whole.strip("0") else None


def shortest(trace_id: str) -> str:
    """Return a trace ID as systems of 64 bits know it: 16 digits where the upper half is zero, else all 32."""
    return trace_id[16:] if trace_id.startswith("0000000000000000") else trace_id
