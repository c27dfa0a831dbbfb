"""SpanRecords to OTLP JSON: lowerCamelCase keys, IDs as hex, enums as numbers, 64-bit integers as text.

That is protobuf's JSON mapping with the deviations of the OTLP specification, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from tracebridge.record import Event, Link, SpanRecord, Value
from tracebridge_adapters.dialects import spelled
from tracebridge_adapters.formats.otlp_json_reader import decode
from tracebridge_adapters.formats.otlp_protobuf import AttributesOf, group_by_source, span_flags, within_64_bits

__all__ = ["decode", "encode"]

_encode = msgspec.json.Encoder().encode


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
    for base in (int, float):  # a subclass, such as an enum's member
        if isinstance(value, base):
            return _any_value(base(value))
    return {} if value is None else {"stringValue": str(value)}


def _attributes(attributes: dict[str, Value]) -> list[dict[str, Any]]:
    return [{"key": str(key), "value": _any_value(value)} for key, value in attributes.items()]


def _span(record: SpanRecord, attributes: dict[str, Value]) -> dict[str, Any]:
    out: dict[str, Any] = {"traceId": record.trace_id.hex(), "spanId": record.span_id.hex()}
    if record.trace_state:
        out["traceState"] = record.trace_state
    if record.parent_id is not None:
        out["parentSpanId"] = record.parent_id.hex()
    out["name"] = record.name
    out["kind"] = record.kind
    out["startTimeUnixNano"] = str(within_64_bits(record.start_time_ns))
    out["endTimeUnixNano"] = str(within_64_bits(max(record.start_time_ns, record.end_time_ns)))
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
    out: dict[str, Any] = {"timeUnixNano": str(within_64_bits(event.time_ns)), "name": event.name}
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
        out["flags"] = link.flags & 0xFFFFFFFF
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
    try:
        return _encode({"resourceSpans": resource_spans})
    except UnicodeEncodeError:  # lone surrogates: rare enough to look for them only now
        return _encode(spelled({"resourceSpans": resource_spans}))
