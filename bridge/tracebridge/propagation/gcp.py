"""Google Cloud: `X-Cloud-Trace-Context: TRACE_ID/SPAN_ID;o=OPTIONS`, 32 hex digits, a decimal number of 64 bits, 1 for traced.

As https://cloud.google.com/trace/docs/trace-context#legacy-http-header has it; Google's load balancers leave the options out.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from tracebridge.propagation.context import SAMPLED, RemoteParent
from tracebridge.propagation.formats import OWS, HeaderFormat, Headers, padded

TRACE_CONTEXT = "x-cloud-trace-context"

_form = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]{1,3}))?").fullmatch


def read(headers: Headers) -> RemoteParent | None:
    """Return the context; without a span ID (or with 0 for it) it names a trace to join, and no span."""
    text = headers.get(TRACE_CONTEXT, "")
    found = _form(text.strip(OWS)) if len(text) <= 128 else None
    if found is None:
        return None
    trace_id, span, options = padded(found[1], 32), int(found[2] or 0), found[3]
    if trace_id is None or span >= 2**64:
        return None
    flags = SAMPLED if options is None else int(options) & SAMPLED
    return RemoteParent(trace_id, f"{span:016x}" if span else None, flags, deferred=options is None, format="gcp")


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `X-Cloud-Trace-Context`."""
    headers[TRACE_CONTEXT] = f"{context.trace_id}/{int(context.span_id or '', 16)};o={context.flags & SAMPLED}"


FORMAT = HeaderFormat("gcp", (TRACE_CONTEXT,), read, write)
