"""AWS X-Ray: `X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.

The form is that of https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader; a load balancer writes
`Root` alone, or with a `Self` of its own, which names no span.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from tracebridge.propagation.context import SAMPLED, RemoteParent
from tracebridge.propagation.formats import OWS, HeaderFormat, Headers, padded

TRACE_ID = "x-amzn-trace-id"
MAX_HEADER = 1024  # characters that we look at; AWS's own are below 256

_root = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})").fullmatch
_parent = re.compile(r"[0-9a-fA-F]{16}").fullmatch


def read(headers: Headers) -> RemoteParent | None:
    """Return the context; without `Parent` it names a trace to join, and no span. A part that comes twice makes it none."""
    text = headers.get(TRACE_ID, "")
    if not text or len(text) > MAX_HEADER:
        return None
    parts = [part.partition("=") for part in text.split(";") if part.strip(OWS)]
    said = {key.strip(OWS).lower(): value.strip(OWS) for key, _, value in parts}
    root = _root(said.get("root", ""))
    if len(said) < len(parts) or root is None:
        return None
    trace_id, parent, sampled = padded(root[1] + root[2], 32), said.get("parent", ""), said.get("sampled", "")
    span_id = padded(parent, 16) if _parent(parent) else None
    if trace_id is None or (parent and span_id is None):
        return None
    flags = 0 if sampled == "0" else SAMPLED
    return RemoteParent(trace_id, span_id, flags, deferred=sampled not in {"0", "1"}, format="xray")


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `X-Amzn-Trace-Id`."""
    trace_id = context.trace_id or ""
    headers[TRACE_ID] = (
        f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={context.span_id};Sampled={context.flags & SAMPLED}"
    )


FORMAT = HeaderFormat("xray", (TRACE_ID,), read, write)
