"""Jaeger's own headers: `uber-trace-id`, `uberctx-…`, `jaeger-debug-id`, `jaeger-baggage`.

The format is that of https://www.jaegertracing.io/docs/1.62/client-libraries/#propagation-format; the last two are what a person sets by
hand to have one request traced.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from urllib.parse import quote, unquote

from tracebridge.propagation import baggage
from tracebridge.propagation.context import SAMPLED, RemoteParent
from tracebridge.propagation.formats import OWS, HeaderFormat, Headers, padded, shortest

UBER, DEBUG_ID, MANUAL_BAGGAGE = "uber-trace-id", "jaeger-debug-id", "jaeger-baggage"
PREFIX = "uberctx-"
DEBUG = 2
MAX_DEBUG_ID = 512  # characters

_form = re.compile(r"([0-9a-fA-F]{1,32}):([0-9a-fA-F]{1,16}):([0-9a-fA-F]{1,16}):([0-9a-fA-F]{1,2})").fullmatch


def read(headers: Headers) -> RemoteParent | None:
    """Return the context in `uber-trace-id`; without one, a debug request in `jaeger-debug-id`. Baggage comes along with either."""
    text = headers.get(UBER)
    found = None if text is None or len(text) > 256 else _form(unquote(text.strip(OWS)))
    if found is not None:
        trace_id, span_id = padded(found[1], 32), padded(found[2], 16)
        if trace_id is not None and span_id is not None:
            given = int(found[4], 16)
            debug = bool(given & DEBUG)
            flags = SAMPLED if debug else given & SAMPLED
            return RemoteParent(
                trace_id, span_id, flags, debug=debug, baggage=_baggage(headers), parent_id=padded(found[3], 16), format="uber"
            )  # fmt: skip
    debug_id = headers.get(DEBUG_ID, "").strip(OWS)[:MAX_DEBUG_ID]
    if not debug_id:
        return None
    return RemoteParent(debug=True, debug_id=debug_id, baggage=_baggage(headers), format="uber")


def _baggage(headers: Headers) -> str:
    entries = {}
    for member in headers.get(MANUAL_BAGGAGE, "")[: baggage.MAX_HEADER].split(","):
        key, equals, value = member.partition("=")
        if equals:
            entries[key.strip(OWS)] = value.strip(OWS)
    for name, value in headers.items():
        if name.startswith(PREFIX):
            entries[name[len(PREFIX) :]] = unquote(value.strip(OWS))
    return baggage.put("", entries) if entries else ""


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `uber-trace-id`, and each entry of the baggage as a `uberctx-` header."""
    flags = SAMPLED | DEBUG if context.debug else context.flags & SAMPLED
    headers[UBER] = f"{shortest(context.trace_id or '')}:{context.span_id}:{context.parent_id or 0}:{flags}"
    if context.baggage:
        for key, value in baggage.decode(context.baggage).items():
            headers[f"{PREFIX}{key.lower()}"] = quote(value, safe="")


FORMAT = HeaderFormat("uber", (UBER, DEBUG_ID, MANUAL_BAGGAGE), read, write, PREFIX)
