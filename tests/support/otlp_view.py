"""OTLP messages as opentelemetry-proto reads them, and what they must say of a record."""

from __future__ import annotations

import base64
from typing import Any

from tracebridge.records.record import SpanRecord
from tracebridge_adapters.dialects import attributes_for

ATTRIBUTES = attributes_for("openinference", "tracebridge.trace_id")


def plain(value: Any) -> Any:
    """An AnyValue as Python values."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind)


def attributes(holder: Any) -> dict[str, Any]:
    """Repeated KeyValue as a mapping."""
    return {pair.key: plain(pair.value) for pair in holder.attributes}


def expected(record: SpanRecord) -> dict[str, Any]:
    """What OTLP must say of a record."""
    return {
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent": record.parent_id or b"",
        "name": record.name,
        "kind": record.kind,
        "start": record.start_time_ns,
        "end": max(record.start_time_ns, record.end_time_ns),
        "attributes": ATTRIBUTES(record),
        "events": [(e.name, e.time_ns, dict(e.attributes)) for e in record.events],
        "links": [(k.trace_id, k.span_id, k.trace_state, dict(k.attributes)) for k in record.links],
        "status": (record.status, record.status_message),
        "trace_state": record.trace_state,
        "dropped": (record.dropped_attributes, record.dropped_events, record.dropped_links),
        "flags": record.flags | 0x100 | (0x200 if record.parent_is_remote else 0),
        "service": record.resource.service_name if record.resource else None,
        "scope": record.scope.name if record.scope else "tracebridge",
    }


def said(message: Any) -> list[dict[str, Any]]:
    """What a decoded message says, span by span."""
    out = []
    for resource_spans in message.resource_spans:
        service = attributes(resource_spans.resource)["service.name"]
        for scope_spans in resource_spans.scope_spans:
            out += [
                {
                    "trace_id": span.trace_id,
                    "span_id": span.span_id,
                    "parent": span.parent_span_id,
                    "name": span.name,
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span),
                    "events": [(e.name, e.time_unix_nano, attributes(e)) for e in span.events],
                    "links": [(k.trace_id, k.span_id, k.trace_state, attributes(k)) for k in span.links],
                    "status": (span.status.code, span.status.message),
                    "trace_state": span.trace_state,
                    "dropped": (
                        span.dropped_attributes_count,
                        span.dropped_events_count,
                        span.dropped_links_count,
                    ),
                    "flags": span.flags,
                    "service": service,
                    "scope": scope_spans.scope.name,
                }
                for span in scope_spans.spans
            ]
    return sorted(out, key=lambda span: span["span_id"])


def by_id(records: list[SpanRecord]) -> list[dict[str, Any]]:
    """Expected values in the order of `said`."""
    return sorted(map(expected, records), key=lambda span: span["span_id"])


def hex_ids_to_base64(document: Any) -> Any:
    """OTLP JSON has IDs in hex where protobuf's JSON mapping has base64: the specification's one deviation."""
    if isinstance(document, list):
        return [hex_ids_to_base64(item) for item in document]
    if isinstance(document, dict):
        return {
            key: base64.b64encode(bytes.fromhex(value)).decode()
            if key in {"traceId", "spanId", "parentSpanId"}
            else hex_ids_to_base64(value)
            for key, value in document.items()
        }
    return document
