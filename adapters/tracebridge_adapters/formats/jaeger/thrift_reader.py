"""Jaeger's Thrift to SpanRecords: bodies of the collector's `/api/traces` and datagrams of the agent's ports.

Jaeger keeps typed scalars and microseconds; what was an array or a map when it was sent is JSON text, and stays text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Event, Link, Resource, SpanRecord, Value
from tracebridge.records.values import Tally
from tracebridge_adapters.formats.jaeger import names as n
from tracebridge_adapters.formats.jaeger import structs as j
from tracebridge_adapters.formats.jaeger.thrift import MAX_US
from tracebridge_adapters.formats.shared import non_otlp

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]
"""Splits a span's tags into fields of the record."""

REF_TYPES = {j.CHILD_OF: n.REF_CHILD_OF, j.FOLLOWS_FROM: n.REF_FOLLOWS_FROM}
VALUE_FIELDS = ("vStr", "vDouble", "vBool", "vLong", "vBinary")  # by TagType


def decode(data: bytes, take_apart: TakeApart, protocol: j.Protocol = "binary", *, as_message: bool = False) -> Decoded:
    """Return the records of a bare Batch, or of an agent's `emitBatch` call.

    `take_apart` splits a span's tags into record fields. A span whose IDs are zero is left out and named; what else is broken is
    repaired and counted in the record. Raises ValueError for bytes that are not such a batch.
    """
    batch = j.read_message(data, protocol) if as_message else j.read(j.Batch(), data, protocol)
    if batch is None or batch.process is None:
        raise ValueError("not a Jaeger batch: its process is missing")
    resource = _resource(batch.process)
    out = Decoded([])
    for number, span in enumerate(batch.spans or [], 1):
        try:
            out.records.append(_record(span, resource, take_apart))
        except ValueError as error:
            out.damage.append(f"span {number}: {error}")
    return out


def _resource(process: j.Process) -> Resource:
    name = {"service.name": process.serviceName} if process.serviceName else {}
    return Resource({**name, **_attributes(process.tags, Tally())})


def _record(span: j.Span, resource: Resource, take_apart: TakeApart) -> SpanRecord:
    trace_id = _bytes(span.traceIdHigh) + _bytes(span.traceIdLow)
    span_id = _bytes(span.spanId)
    if not any(trace_id) or not any(span_id):
        raise ValueError("its trace ID or its span ID is zero")
    tally = Tally()
    tags = _attributes(span.tags, tally)
    parent, links = _references(span, trace_id, span_id, tally)
    status, message = n.status_of(tags)
    start_ns = _nanos(span.startTime, tally)
    own = {
        "kind": n.kind_of(tags),
        "trace_state": n.text_of(tags, non_otlp.TRACE_STATE_KEY),
        "scope": n.scope_of(tags),
        **n.dropped_of(tags),
    }
    fields: dict[str, Any] = {
        "end_time_ns": start_ns + _nanos(span.duration, tally),
        **own,
        **take_apart(tags),
    }
    fields["repaired"] = fields.get("repaired", 0) + tally.repaired
    flags = span.flags or 0
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent,
        name="" if span.operationName == n.UNKNOWN_OPERATION else span.operationName or "",
        start_time_ns=start_ns,
        status=status,
        status_message=message,
        events=tuple([_event(log, tally) for log in span.logs or []]),
        links=tuple(links),
        flags=flags & n.SAMPLED,
        debug=bool(flags & n.DEBUG),
        resource=resource,
        **fields,
    )


def _bytes(half: int | None) -> bytes:
    return (half or 0).to_bytes(8, "big", signed=True)


def _nanos(micros: int | None, tally: Tally) -> int:
    """Return a time in nanoseconds; one that 64 bits cannot say is the nearest, and counted."""
    given = micros or 0
    within = max(-MAX_US // 2, min(given, MAX_US // 2)) if abs(given) > MAX_US // 2 else given
    tally.repaired += within != given
    return within * 1000


def _references(span: j.Span, trace_id: bytes, span_id: bytes, tally: Tally) -> tuple[bytes | None, list[Link]]:
    """Return the parent and the links. The parent is `parentSpanId`, else the first CHILD_OF of the same trace."""
    parent = _bytes(span.parentSpanId)
    links = []
    for reference in span.references or []:
        trace, referred = _bytes(reference.traceIdHigh) + _bytes(reference.traceIdLow), _bytes(reference.spanId)
        if not any(trace) or not any(referred):
            tally.repaired += 1
        elif reference.refType == j.CHILD_OF and trace == trace_id and (not any(parent) or parent == referred):
            parent = referred
        else:
            links.append(Link(trace, referred, "", {n.REF_TYPE: REF_TYPES.get(reference.refType, n.REF_FOLLOWS_FROM)}))
    if parent == span_id:
        tally.repaired += 1
        return None, links
    return parent if any(parent) else None, links


def _attributes(tags: list[j.Tag] | None, tally: Tally) -> dict[str, Value]:
    """Return tags as attributes; of a key that stands twice the last one counts, as in Jaeger's own translation to OTLP."""
    out: dict[str, Value] = {}
    for tag in tags or []:
        value = None
        if tag.vType is not None and 0 <= tag.vType < len(VALUE_FIELDS):
            value = getattr(tag, VALUE_FIELDS[tag.vType])
        if value is None:
            tally.repaired += 1
            value = next((found for name in VALUE_FIELDS if (found := getattr(tag, name)) is not None), "")
        out[tag.key or ""] = value
    return out


def _event(log: j.Log, tally: Tally) -> Event:
    fields = _attributes(log.fields, tally)
    name = fields.pop(n.EVENT_KEY) if isinstance(fields.get(n.EVENT_KEY), str) else ""
    key = non_otlp.DROPPED["dropped_attributes"]
    dropped = fields.pop(key) if n.is_count(fields.get(key)) else 0
    return Event(name, max(0, _nanos(log.timestamp, tally)), fields, dropped)
