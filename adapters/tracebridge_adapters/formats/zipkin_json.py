"""SpanRecords to Zipkin v2 JSON (zipkin-api 1.0.0, `zipkin2-api.yaml`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tracebridge.record import Resource, SpanRecord, Value
from tracebridge_adapters.dialects import spelled
from tracebridge_adapters.formats import zipkin_tags as z

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

_encode = msgspec.json.Encoder().encode


def _span(record: SpanRecord, attributes: dict[str, Value], local: dict[str, Any]) -> dict[str, Any]:
    timestamp, duration = z.microseconds(record)
    out: dict[str, Any] = {"traceId": record.trace_id.hex(), "id": record.span_id.hex()}
    if record.parent_id is not None and record.parent_id != record.span_id:
        out["parentId"] = record.parent_id.hex()
    out["name"] = record.name
    if timestamp:
        out["timestamp"] = timestamp
    if duration:
        out["duration"] = duration
    out["localEndpoint"] = local
    kind = z.KIND_NAMES.get(record.kind)
    if kind:
        out["kind"] = kind
    remote = z.remote_endpoint(record)
    if remote:
        out["remoteEndpoint"] = remote
    tags = z.tags_of(record, attributes)
    if tags:
        out["tags"] = tags
    if record.events:
        out["annotations"] = [
            {"timestamp": z.instant(event), "value": z.annotation_text(event)} for event in record.events
        ]
    if record.debug:
        out["debug"] = True
    if record.shared:
        out["shared"] = True
    return out


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return a JSON array of spans. `attributes_of` gives the attributes that each span shows."""
    spans = []
    resource: Resource | None = None
    local: dict[str, Any] = {}
    for record in records:
        if record.resource is not resource or not local:
            resource, local = record.resource, z.local_endpoint(record)
        spans.append(_span(record, attributes_of(record), local))
    try:
        body = _encode(spans)
    except UnicodeEncodeError:  # a lone surrogate
        body = _encode(spelled(spans))
    return z.not_v1(body)
