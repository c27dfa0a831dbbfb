"""SpanRecords from the JSON of Jaeger's query API, `/api/traces` (read in Jaeger 1.62 and 2, `model/json` and `internal/converter/json`).

What Jaeger did not keep cannot come back: times are whole microseconds, lists and mappings are JSON text, links have no attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tracebridge.records.record import Event, Link, Resource, SpanRecord, Value
from tracebridge_adapters.formats.jaeger import names as n

Absorb = Callable[[dict[str, Value]], dict[str, Any]]

_BOOKKEEPING = ("internal.span.format",)
_decode = msgspec.json.Decoder().decode


def decode(data: bytes | str, absorb: Absorb) -> list[list[SpanRecord]]:
    """Return the traces of one answer. Raises ValueError for what is no answer of Jaeger's query API.

    `absorb` splits a span's tags into record fields.
    """
    try:
        return [_trace(trace, absorb) for trace in _decode(data)["data"] or ()]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an answer of Jaeger's query API: {error}") from error


def services(data: bytes | str) -> list[str]:
    """Return the names in an answer of `/api/services`. Raises ValueError for what is none."""
    try:
        return [name for name in _decode(data)["data"] or () if isinstance(name, str)]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an answer of Jaeger's query API: {error}") from error


def _trace(trace: Mapping[str, Any], absorb: Absorb) -> list[SpanRecord]:
    resources = {key: _resource(process) for key, process in trace["processes"].items()}
    return [_span(span, resources[span["processID"]], absorb) for span in trace["spans"]]


def _resource(process: Mapping[str, Any]) -> Resource:
    return Resource({"service.name": process["serviceName"], **_values(process.get("tags"))})


def _values(pairs: Any) -> dict[str, Value]:
    return {pair["key"]: _value(pair) for pair in pairs or ()}


def _value(pair: Mapping[str, Any]) -> Value:
    """Return a tag's value by its declared type: an integer beyond 53 bits comes as text, a whole float without its point."""
    kind, value = pair.get("type"), pair["value"]
    if kind == "int64":
        return int(value)
    return float(value) if kind == "float64" else value


def _span(span: Mapping[str, Any], resource: Resource, absorb: Absorb) -> SpanRecord:
    tags = _values(span.get("tags"))
    for key in _BOOKKEEPING:
        tags.pop(key, None)
    parent, links = _references(span)
    status, message = n.status_of(tags)
    start_ns = int(span["startTime"]) * 1000
    scope, kind, trace_state = n.scope_of(tags), n.kind_of(tags), n.text_of(tags, n.TRACE_STATE_KEY)
    dropped = n.dropped_of(tags)
    absorbed = absorb(tags)
    return SpanRecord(
        trace_id=_trace_id(span["traceID"]),
        span_id=bytes.fromhex(span["spanID"].zfill(16)),
        parent_id=parent,
        name="" if span["operationName"] == n.UNKNOWN_OPERATION else span["operationName"],
        start_time_ns=start_ns,
        end_time_ns=absorbed.pop("end_time_ns", start_ns + int(span["duration"]) * 1000),
        kind=kind,
        status=status,
        status_message=message,
        events=tuple([_event(log) for log in span.get("logs") or ()]),
        links=tuple(links),
        trace_state=trace_state,
        debug=bool(int(span.get("flags") or 0) & n.DEBUG),
        scope=scope,
        resource=resource,
        **dropped,
        **absorbed,
    )


def _trace_id(text: str) -> bytes:
    return bytes.fromhex(text.zfill(32))  # a 64-bit ID is shown with 16 digits


def _references(span: Mapping[str, Any]) -> tuple[bytes | None, list[Link]]:
    """Return the parent (the first CHILD_OF within the trace) and the links (every other reference)."""
    parent: bytes | None = None
    links: list[Link] = []
    for reference in span.get("references") or ():
        trace_id, span_id = _trace_id(reference["traceID"]), bytes.fromhex(reference["spanID"].zfill(16))
        if parent is None and reference["refType"] == "CHILD_OF" and trace_id == _trace_id(span["traceID"]):
            parent = span_id
        else:
            links.append(Link(trace_id, span_id))
    return parent, links


def _event(log: Mapping[str, Any]) -> Event:
    fields = _values(log.get("fields"))
    return Event(str(fields.pop(n.EVENT_KEY, "")), int(log["timestamp"]) * 1000, fields)
