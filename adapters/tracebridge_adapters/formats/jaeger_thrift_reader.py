"""Jaeger's Thrift to SpanRecords: bodies of the collector's `/api/traces` and datagrams of the agent's ports.

Jaeger keeps typed scalars and microseconds; what was an array or a map when it was sent is JSON text, and stays text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracebridge.format import Decoded
from tracebridge.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge.values import Tally
from tracebridge_adapters.dialects import DISPLACED
from tracebridge_adapters.formats import jaeger_structs as j
from tracebridge_adapters.formats import jaeger_thrift as t

Absorb = Callable[[dict[str, Value]], dict[str, Any]]
"""Splits a span's tags into fields of the record."""

KINDS_BY_NAME = {name: kind for kind, name in t.KINDS.items()}
REF_TYPES = {j.CHILD_OF: t.REF_CHILD_OF, j.FOLLOWS_FROM: "follows_from"}
VALUE_FIELDS = ("vStr", "vDouble", "vBool", "vLong", "vBinary")  # by TagType


def decode(data: bytes, absorb: Absorb, protocol: j.Protocol = "binary", *, as_message: bool = False) -> Decoded:
    """Return the records of a bare Batch, or of an agent's `emitBatch` call.

    `absorb` splits a span's tags into record fields. A span whose IDs are zero is left out with a note; what else is broken is
    repaired and counted in the record. Raises ValueError for bytes that are no such batch.
    """
    batch = j.read_message(data, protocol) if as_message else j.read(j.Batch(), data, protocol)
    if batch is None or batch.process is None:
        raise ValueError("no Jaeger batch: it names no process")
    resource = _resource(batch.process)
    out = Decoded([])
    for number, span in enumerate(batch.spans or [], 1):
        try:
            out.records.append(_record(span, resource, absorb))
        except ValueError as error:
            out.notes.append(f"span {number} was left out: {error}")
    return out


def _resource(process: j.Process) -> Resource:
    name = {"service.name": process.serviceName} if process.serviceName else {}
    return Resource({**name, **_attributes(process.tags, Tally())})


def _record(span: j.Span, resource: Resource, absorb: Absorb) -> SpanRecord:
    trace_id = _bytes(span.traceIdHigh) + _bytes(span.traceIdLow)
    span_id = _bytes(span.spanId)
    if not any(trace_id) or not any(span_id):
        raise ValueError("its trace ID or its span ID is zero")
    tally = Tally()
    tags = _attributes(span.tags, tally)
    parent, links = _references(span, trace_id, span_id, tally)
    kind = KINDS_BY_NAME.get(str(tags.get(t.KIND_KEY)).lower())
    if kind is not None:
        _take(tags, t.KIND_KEY)
    status, message = _status(tags)
    start_ns = _nanos(span.startTime, tally)
    own = {
        "trace_state": _take_text(tags, t.TRACE_STATE_KEY),
        "scope": _scope(tags),
        **{field: _take(tags, key) for field, key in t.DROPPED.items() if _is_count(tags.get(key))},
    }
    fields: dict[str, Any] = {
        "end_time_ns": start_ns + _nanos(span.duration, tally),
        **own,
        **absorb(tags),
    }
    fields["repaired"] = fields.get("repaired", 0) + tally.repaired
    flags = span.flags or 0
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent,
        name="" if span.operationName == t.UNKNOWN_OPERATION else span.operationName or "",
        start_time_ns=start_ns,
        kind=int(Kind.INTERNAL) if kind is None else kind,
        status=status,
        status_message=message,
        events=[_event(log, tally) for log in span.logs or []],
        links=links,
        flags=flags & t.SAMPLED,
        debug=bool(flags & t.DEBUG),
        resource=resource,
        **fields,
    )


def _bytes(half: int | None) -> bytes:
    return (half or 0).to_bytes(8, "big", signed=True)


def _nanos(micros: int | None, tally: Tally) -> int:
    """Return a time in nanoseconds; one that 64 bits cannot say is the nearest, and counted."""
    given = micros or 0
    within = max(-t.MAX_US // 2, min(given, t.MAX_US // 2)) if abs(given) > t.MAX_US // 2 else given
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
            links.append(Link(trace, referred, "", {t.REF_TYPE: REF_TYPES.get(reference.refType, "follows_from")}))
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
    name = fields.pop(t.EVENT_KEY) if isinstance(fields.get(t.EVENT_KEY), str) else ""
    key = t.DROPPED["dropped_attributes"]
    dropped = fields.pop(key) if _is_count(fields.get(key)) else 0
    return Event(name, max(0, _nanos(log.timestamp, tally)), fields, dropped)


def _status(tags: dict[str, Value]) -> tuple[int, str]:
    """Take the status out of tags: OK/ERROR in any spelling, or `error` as true, "true" or any text but "false"."""
    said = str(tags.pop(t.STATUS_KEY, "")).removeprefix("STATUS_CODE_").upper()
    error = tags.get(t.ERROR_KEY)
    is_error = error is not None and str(error).lower() not in {"false", ""}
    if said != "ERROR" and (said == "OK" or not is_error):
        return int(StatusCode.OK if said == "OK" else StatusCode.UNSET), ""
    message = _take_text(tags, t.STATUS_MESSAGE_KEY)
    if error is not None:
        _take(tags, t.ERROR_KEY)
        if not message and str(error).lower() != "true":
            message = str(error)
    return int(StatusCode.ERROR), message


def _scope(tags: dict[str, Value]) -> Scope | None:
    name = _take_text(tags, t.SCOPE_NAME)
    return Scope(name, _take_text(tags, t.SCOPE_VERSION)) if name and name != t.OWN_SCOPE_NAME else None


def _take(tags: dict[str, Value], key: str) -> Value:
    """Take what stands under a key of the format's; a value of the user's that had to give way returns to it."""
    value = tags.pop(key)
    if DISPLACED + key in tags:
        tags[key] = tags.pop(DISPLACED + key)
    return value


def _take_text(tags: dict[str, Value], key: str) -> str:
    return str(_take(tags, key)) if key in tags else ""


def _is_count(value: Value) -> bool:
    return type(value) is int and 0 <= value < 2**63
