"""W3C Trace Context, level 2: `traceparent` and `tracestate` (https://www.w3.org/TR/trace-context-2/)."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Final

from tracebridge.ids.parent import RANDOM, SAMPLED, RemoteParent
from tracebridge.propagation import tracestate
from tracebridge.propagation.formats import OWS, Format, Headers

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"

_form = re.compile(
    r"([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
).fullmatch
_FLAGS: Final = {f"{flags:02x}": flags & (SAMPLED | RANDOM) for flags in range(256)}  # unknown bits are set to zero
_DIGITS: Final = [f"{flags:02x}" for flags in range(4)]


def read(headers: Headers) -> RemoteParent | None:
    """Return the context in `traceparent`, with `tracestate` where that is valid; tracestate never stands alone."""
    text = headers.get(TRACEPARENT)
    if text is None:
        return None
    found = _form(text) or _form(text.strip(OWS))
    if found is None:
        return None
    version, trace_id, span_id, digits, more = found.groups()
    flags = _FLAGS[digits]
    if version != "00":  # a version after ours: what we know of it is the sampled bit, and that more may follow
        if version == "ff":
            return None
        flags &= SAMPLED
    elif more is not None:
        return None
    state = headers.get(TRACESTATE)
    if state:
        return RemoteParent(trace_id, span_id, flags, tracestate.read(state), format="tracecontext")
    return RemoteParent(trace_id, span_id, flags, format="tracecontext")


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `traceparent` (version 00), and `tracestate` where there is one."""
    headers[TRACEPARENT] = f"00-{context.trace_id}-{context.span_id}-{_DIGITS[context.flags & 3]}"
    if context.trace_state:
        headers[TRACESTATE] = context.trace_state


FORMAT = Format("tracecontext", (TRACEPARENT, TRACESTATE), read, write)
