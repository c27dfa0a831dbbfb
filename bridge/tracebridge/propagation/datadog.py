"""Datadog: `x-datadog-trace-id`, `-parent-id`, `-sampling-priority` and, for traces of 128 bits, `_dd.p.tid` in `x-datadog-tags`.

As https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/ has it: decimal numbers of 64 bits, the upper half of the trace
ID as 16 hex digits in the tags.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from tracebridge.ids.parent import SAMPLED, RemoteParent
from tracebridge.propagation.formats import OWS, Format, Headers

TRACE_ID, PARENT_ID, PRIORITY, TAGS = (
    f"x-datadog-{name}" for name in ("trace-id", "parent-id", "sampling-priority", "tags")
)
UPPER_HALF = "_dd.p.tid"
KEPT, USER_KEPT = "1", "2"
MAX_TAGS = 4096  # characters that we look at; Datadog's own are below 512

_decimal = re.compile(r"[0-9]{1,20}").fullmatch
_priority = re.compile(r"-?[0-9]{1,3}").fullmatch
_upper_half = re.compile(r"[0-9a-f]{16}").fullmatch


def read(headers: Headers) -> RemoteParent | None:
    """Return the context; an upper half that is malformed is left out, as Datadog's own libraries do."""
    low, parent = _u64(headers.get(TRACE_ID)), _u64(headers.get(PARENT_ID))
    if not low or not parent:
        return None
    priority = headers.get(PRIORITY, "").strip(OWS)
    deferred = _priority(priority) is None
    flags = SAMPLED if deferred or int(priority) > 0 else 0
    trace_id = _upper(headers.get(TAGS, "")) + f"{low:016x}"
    return RemoteParent(trace_id, f"{parent:016x}", flags, deferred=deferred, format="datadog")


def _u64(text: str | None) -> int:
    """Return an unsigned number of 64 bits, 0 for what is none."""
    text = "" if text is None else text.strip(OWS)
    number = int(text) if _decimal(text) else 0
    return number if number < 2**64 else 0


def _upper(tags: str) -> str:
    found = [
        value
        for key, _, value in (tag.strip(OWS).partition("=") for tag in tags[:MAX_TAGS].split(","))
        if key == UPPER_HALF
    ]
    return found[0] if len(found) == 1 and _upper_half(found[0]) else "0" * 16


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put the IDs as decimal numbers, the decision as a priority (2 where a person asked), and the upper half where there is one."""
    trace_id = context.trace_id or ""
    low = int(trace_id[16:], 16)
    if not low:
        return  # Datadog takes 0 for "no trace"
    headers[TRACE_ID] = str(low)
    headers[PARENT_ID] = str(int(context.span_id or "", 16))
    headers[PRIORITY] = USER_KEPT if context.debug else KEPT if context.flags & SAMPLED else "0"
    if trace_id[:16].strip("0"):
        headers[TAGS] = f"{UPPER_HALF}={trace_id[:16]}"


FORMAT = Format("datadog", (TRACE_ID, PARENT_ID, PRIORITY, TAGS), read, write)
