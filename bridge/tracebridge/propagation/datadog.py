"""Datadog: `x-datadog-trace-id`, `-parent-id`, `-sampling-priority`, `-origin` and `-tags`, which hold `_dd.p.tid` for traces of 128 bits.

As https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/ has it: decimal numbers of 64 bits, the upper half of the trace
ID as 16 hex digits in the tags. What the headers say beside (who decided, where the trace began, tags of the whole trace) is
Datadog's own business: it is passed on.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from tracebridge.propagation.context import SAMPLED, DatadogContext, RemoteParent
from tracebridge.propagation.formats import OWS, HeaderFormat, Headers

TRACE_ID, PARENT_ID, PRIORITY, ORIGIN, TAGS = (
    f"x-datadog-{name}" for name in ("trace-id", "parent-id", "sampling-priority", "origin", "tags")
)
UPPER_HALF = "_dd.p.tid="
NOT_PASSED_ON = (UPPER_HALF, "_dd.p.upstream_services=")  # the latter was given up, and their libraries drop it
NO_PARENT = "0"
KEPT, USER_KEPT, DROPPED = "1", "2", "0"
MAX_TAGS = 4096  # characters that we look at; Datadog's own are at most 512
MAX_PASSED_ON = 512 - len(UPPER_HALF) - 17  # characters of tags; with the upper half their libraries read 512

_decimal = re.compile(r"[0-9]{1,20}").fullmatch
_priority = re.compile(r"-?[0-9]{1,3}").fullmatch
_upper_half = re.compile(r"[0-9a-f]{16}").fullmatch
_origin = re.compile(r"[!-~]{1,128}").fullmatch
_tag = re.compile(
    r"_dd\.p\.[!-+\--<>-~]+=[ -+\--~]+"
).fullmatch  # printable ASCII: a key without =, both without commas


def read(headers: Headers) -> RemoteParent | None:
    """Return the context; with a parent of 0, which Synthetics sends, it names a trace to join, and no span. An upper half that is malformed is left out, as Datadog's own libraries do."""
    low, parent = _u64(headers.get(TRACE_ID)), _u64(headers.get(PARENT_ID))
    if not low or not (parent or headers.get(PARENT_ID, "").strip(OWS) == NO_PARENT):
        return None
    priority = headers.get(PRIORITY, "").strip(OWS)
    deferred = _priority(priority) is None
    flags = SAMPLED if deferred or int(priority) > 0 else 0
    text = headers.get(TAGS, "")
    tags = [tag.strip(OWS) for tag in text.split(",")] if text and len(text) <= MAX_TAGS else []
    trace_id = _upper(tags) + f"{low:016x}"
    told = _told("" if deferred else priority, headers.get(ORIGIN, "").strip(OWS), tags)
    span_id = f"{parent:016x}" if parent else None
    return RemoteParent(trace_id, span_id, flags, deferred=deferred, format="datadog", datadog=told)


def _told(priority: str, origin: str, tags: list[str]) -> DatadogContext | None:
    """Return what goes on beside the IDs; tags that are too long together are left out, as their libraries do."""
    passed_on = ",".join(tag for tag in tags if _tag(tag) and not tag.startswith(NOT_PASSED_ON))
    if len(passed_on) > MAX_PASSED_ON:
        passed_on = ""
    told = DatadogContext(priority, origin if _origin(origin) else "", passed_on)
    return None if told in _NOTHING else told


_NOTHING = {DatadogContext(priority) for priority in ("", KEPT, DROPPED)}  # what is written anyway


def _u64(text: str | None) -> int:
    """Return an unsigned number of 64 bits, 0 for anything else."""
    text = "" if text is None else text.strip(OWS)
    number = int(text) if _decimal(text) else 0
    return number if number < 2**64 else 0


def _upper(tags: list[str]) -> str:
    found = [tag.removeprefix(UPPER_HALF) for tag in tags if tag.startswith(UPPER_HALF)]
    return found[0] if len(found) == 1 and _upper_half(found[0]) else "0" * 16


def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put the IDs as decimal numbers, the decision as a priority (2 where a person asked), the upper half where there is one, and what came."""
    trace_id = context.trace_id or ""
    low = int(trace_id[16:], 16)
    if not low:
        return  # Datadog takes 0 for "no trace"
    told = context.datadog or DatadogContext()
    headers[TRACE_ID] = str(low)
    headers[PARENT_ID] = str(int(context.span_id or "", 16))
    decided = USER_KEPT if context.debug else KEPT if context.flags & SAMPLED else DROPPED
    headers[PRIORITY] = told.priority or decided
    if told.origin:
        headers[ORIGIN] = told.origin
    tags = [UPPER_HALF + trace_id[:16]] if trace_id[:16].strip("0") else []
    if told.tags:
        tags.append(told.tags)
    if tags:
        headers[TAGS] = ",".join(tags)


FORMAT = HeaderFormat("datadog", (TRACE_ID, PARENT_ID, PRIORITY, ORIGIN, TAGS), read, write)
