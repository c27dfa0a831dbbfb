"""SpanRecords to and from OTLP JSON: lowerCamelCase keys, IDs as hex, enums as numbers, 64-bit integers as text.

Decoding takes every form that the protobuf JSON mapping allows (enum names, numbers as text and text as numbers, snake_case keys) and
whole files of `TracesData` lines come back through `decode` line by line.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tracebridge.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.otlp_protobuf import (
    FLAG_IS_REMOTE,
    OWN_SCOPE,
    AttributesOf,
    group_by_source,
    span_flags,
)

Absorb = Callable[[dict[str, Value]], dict[str, Any]]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _any_value(value: Value) -> dict[str, Any]:
    kind = type(value)
    if kind is str:
        return {"stringValue": value}
    if kind is bool:
        return {"boolValue": value}
    if kind is int:
        return {"intValue": str(value)} if -(2**63) <= value < 2**63 else {"stringValue": str(value)}
    if kind is float:
        if math.isfinite(value):
            return {"doubleValue": value}
        return {"doubleValue": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if kind is bytes:
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes(value)}}
    return {} if value is None else {"stringValue": str(value)}


def _attributes(attributes: dict[str, Value]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(value)} for key, value in attributes.items()]


def _span(record: SpanRecord, attributes: dict[str, Value]) -> dict[str, Any]:
    out: dict[str, Any] = {"traceId": record.trace_id.hex(), "spanId": record.span_id.hex()}
    if record.trace_state:
        out["traceState"] = record.trace_state
    if record.parent_id is not None:
        out["parentSpanId"] = record.parent_id.hex()
    out["name"] = record.name
    out["kind"] = record.kind
    out["startTimeUnixNano"] = str(record.start_time_ns)
    out["endTimeUnixNano"] = str(max(record.start_time_ns, record.end_time_ns))
    if attributes:
        out["attributes"] = _attributes(attributes)
    if record.dropped_attributes:
        out["droppedAttributesCount"] = record.dropped_attributes
    if record.events:
        out["events"] = [_event(event) for event in record.events]
    if record.dropped_events:
        out["droppedEventsCount"] = record.dropped_events
    if record.links:
        out["links"] = [_link(link) for link in record.links]
    if record.dropped_links:
        out["droppedLinksCount"] = record.dropped_links
    status = {"message": record.status_message} if record.status_message else {}
    out["status"] = {**status, "code": record.status} if record.status else status
    out["flags"] = span_flags(record)
    return out


def _event(event: Event) -> dict[str, Any]:
    out: dict[str, Any] = {"timeUnixNano": str(event.time_ns), "name": event.name}
    if event.attributes:
        out["attributes"] = _attributes(event.attributes)
    if event.dropped_attributes:
        out["droppedAttributesCount"] = event.dropped_attributes
    return out


def _link(link: Link) -> dict[str, Any]:
    out: dict[str, Any] = {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()}
    if link.trace_state:
        out["traceState"] = link.trace_state
    if link.attributes:
        out["attributes"] = _attributes(link.attributes)
    if link.dropped_attributes:
        out["droppedAttributesCount"] = link.dropped_attributes
    if link.flags:
        out["flags"] = link.flags
    return out


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return one TracesData object as JSON, without a newline in it."""
    resource_spans = []
    for resource, scopes in group_by_source(records):
        attributes = resource.attributes
        if not attributes.get("service.name"):
            attributes = {**attributes, "service.name": resource.service_name}
        one: dict[str, Any] = {"resource": {"attributes": _attributes(attributes)}, "scopeSpans": []}
        for scope, members in scopes:
            shown: dict[str, Any] = (
                {"name": scope.name, "version": scope.version} if scope.version else {"name": scope.name}
            )
            if scope.attributes:
                shown["attributes"] = _attributes(scope.attributes)
            spans = [_span(record, attributes_of(record)) for record in members]
            one["scopeSpans"].append({"scope": shown, "spans": spans})
        if resource.schema_url:
            one["schemaUrl"] = resource.schema_url
        resource_spans.append(one)
    return _encode({"resourceSpans": resource_spans})


# ---------------------------------------------------------------------- reading


def decode(data: bytes | str, absorb: Absorb) -> list[SpanRecord]:
    """Return the records of one TracesData (or ExportTraceServiceRequest) object.

    `absorb` splits a span's attributes into record fields. Raises ValueError for what is no OTLP JSON.
    """
    try:
        document = _decode(data)
        records = []
        for resource_spans in _get(document, "resourceSpans", []):
            given = _get(resource_spans, "resource", {})
            resource = Resource(_read_attributes(given), _get(resource_spans, "schemaUrl", ""))
            for scope_spans in _get(resource_spans, "scopeSpans", []):
                shown = _get(scope_spans, "scope", {})
                scope = Scope(shown.get("name", ""), shown.get("version", ""), _read_attributes(shown))
                own = None if scope == OWN_SCOPE else scope
                records += [_read_span(span, resource, own, absorb) for span in _get(scope_spans, "spans", [])]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not OTLP JSON: {error}") from error
    return records


def _get(given: Any, key: str, default: Any) -> Any:
    """Return a field under its lowerCamelCase or its original snake_case name; null means absent."""
    value = given.get(key)
    if value is None:
        value = given.get("".join(f"_{char.lower()}" if char.isupper() else char for char in key))
    return default if value is None else value


def _enum(value: Any, kind: type[Kind] | type[StatusCode], prefix: str) -> int:
    return int(kind[value.removeprefix(prefix)]) if isinstance(value, str) and not value.isdigit() else int(value)


def _read_span(span: Any, resource: Resource, scope: Scope | None, absorb: Absorb) -> SpanRecord:
    parent = _get(span, "parentSpanId", "")
    status = _get(span, "status", {})
    flags = int(_get(span, "flags", 1))
    fields = absorb(_read_attributes(span))
    return SpanRecord(
        trace_id=bytes.fromhex(_get(span, "traceId", "")),
        span_id=bytes.fromhex(_get(span, "spanId", "")),
        parent_id=bytes.fromhex(parent) if parent and parent != "0" * 16 else None,
        name=span.get("name", ""),
        start_time_ns=int(_get(span, "startTimeUnixNano", 0)),
        end_time_ns=int(_get(span, "endTimeUnixNano", 0)),
        kind=_enum(span.get("kind", 0), Kind, "SPAN_KIND_"),
        status=_enum(status.get("code", 0), StatusCode, "STATUS_CODE_"),
        status_message=status.get("message", ""),
        events=[
            Event(
                event.get("name", ""),
                int(_get(event, "timeUnixNano", 0)),
                _read_attributes(event),
                int(_get(event, "droppedAttributesCount", 0)),
            )
            for event in _get(span, "events", [])
        ],
        links=[
            Link(
                bytes.fromhex(_get(link, "traceId", "")),
                bytes.fromhex(_get(link, "spanId", "")),
                _get(link, "traceState", ""),
                _read_attributes(link),
                int(_get(link, "droppedAttributesCount", 0)),
                int(_get(link, "flags", 0)),
            )
            for link in _get(span, "links", [])
        ],
        trace_state=_get(span, "traceState", ""),
        flags=flags & 0xFF,
        parent_is_remote=bool(flags & FLAG_IS_REMOTE),
        dropped_attributes=int(_get(span, "droppedAttributesCount", 0)),
        dropped_events=int(_get(span, "droppedEventsCount", 0)),
        dropped_links=int(_get(span, "droppedLinksCount", 0)),
        scope=scope,
        resource=resource,
        **fields,
    )


def _read_attributes(holder: Any) -> dict[str, Value]:
    return {pair["key"]: _read_value(pair.get("value")) for pair in holder.get("attributes") or []}


def _read_value(given: Any) -> Value:
    if not given:
        return None
    key, value = next(iter(given.items()))
    kind = key.replace("_v", "V")
    if kind == "intValue":
        return int(value)
    if kind == "doubleValue":
        return _SPECIAL[value] if value in _SPECIAL else float(value)
    if kind == "bytesValue":
        return base64.b64decode(value)
    if kind == "arrayValue":
        return [_read_value(item) for item in value.get("values") or []]
    if kind == "kvlistValue":
        return {pair["key"]: _read_value(pair.get("value")) for pair in value.get("values") or []}
    return value
