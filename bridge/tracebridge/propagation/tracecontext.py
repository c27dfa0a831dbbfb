"""W3C Trace Context, level 2: `traceparent` and `tracestate` (https://www.w3.org/TR/trace-context-2/)."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Final

from tracebridge.propagation import tracestate
from tracebridge.propagation.context import RANDOM, SAMPLED, RemoteParent
from tracebridge.propagation.formats import OWS, HeaderFormat, Headers

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
ZERO_TRACE_ID, ZERO_SPAN_ID = "0" * 32, "0" * 16

_current = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_later = re.compile(r"(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.DOTALL).fullmatch
_FLAGS: Final = {f"{flags:02x}": flags & (SAMPLED | RANDOM) for flags in range(256)}  # unknown bits are set to zero
_DIGITS: Final = [f"{flags:02x}" for flags in range(4)]


def read(headers: Headers) -> RemoteParent | None:
    """Return the context in `traceparent`, with `tracestate` where that is valid; tracestate never stands alone."""
    text = headers.get(TRACEPARENT)
    if text is None:
        return None
    found = _current(text)
    if found is None:
        return _read_odd(text.strip(OWS), headers.get(TRACESTATE, ""))
    trace_id, span_id, flags = found.groups()
    if trace_id == ZERO_TRACE_ID or span_id == ZERO_SPAN_ID:
        return None
    state = headers.get(TRACESTATE)
    return RemoteParent(
        trace_id, span_id, _FLAGS[flags], tracestate.read(state) if state else "", format="tracecontext"
    )


def _read_odd(text: str, state: str) -> RemoteParent | None:
    """Read what does not look like version 00 at once: with blanks around it, or of a version after ours.

    What is known of a later version is its first 55 characters, that `-` comes before more, and the sampled bit.
    """
    current, later = _current(text), _later(text)
    found = current or later
    if found is None:
        return None
    trace_id, span_id, flags = found.groups()
    if trace_id == ZERO_TRACE_ID or span_id == ZERO_SPAN_ID:
        return None
    known = _FLAGS[flags] if current else _FLAGS[flags] & SAMPLED
    return RemoteParent(trace_id, span_id, known, tracestate.read(state), format="tracecontext")


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `traceparent` (version 00), and `tracestate` where there is one."""
    headers[TRACEPARENT] = f"00-{context.trace_id}-{context.span_id}-{_DIGITS[context.flags & 3]}"
    if context.trace_state:
        headers[TRACESTATE] = context.trace_state


FORMAT = HeaderFormat("tracecontext", (TRACEPARENT, TRACESTATE), read, write)
