"""SpanRecords to and from Zipkin v2 JSON (zipkin-api 1.0.0, `zipkin2-api.yaml`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tracebridge.record import Kind, Resource, Scope, SpanRecord, Value
from tracebridge_adapters.formats import zipkin_tags as z

AttributesOf = Callable[[SpanRecord], dict[str, Value]]
Absorb = Callable[[dict[str, Value]], dict[str, Any]]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def _span(record: SpanRecord, attributes: dict[str, Value], local: dict[str, Any]) -> dict[str, Any]:
    timestamp, duration = z.microseconds(record)
    out: dict[str, Any] = {"traceId": record.trace_id.hex(), "id": record.span_id.hex()}
    if record.parent_id is not None and record.parent_id != record.span_id:
        out["parentId"] = record.parent_id.hex()
    out["name"] = record.name
    out["timestamp"] = timestamp
    out["duration"] = duration
    out["localEndpoint"] = local
    if record.kind > Kind.INTERNAL:
        out["kind"] = z.KIND_NAMES[Kind(record.kind)]
        remote = z.remote_endpoint(record)
        if remote:
            out["remoteEndpoint"] = remote
    tags = z.tags_of(record, attributes)
    if tags:
        out["tags"] = tags
    if record.events:
        out["annotations"] = [
            {"timestamp": event.time_ns // 1000, "value": z.annotation_text(event)} for event in record.events
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
    return z.not_v1(_encode(spans))


def decode(data: bytes | str, absorb: Absorb) -> list[SpanRecord]:
    """Return the records of a JSON array of spans (or of one span). Raises ValueError for what is no Zipkin v2 JSON.

    `absorb` splits a span's tags into record fields. Zipkin keeps text only: numbers and truth values come back as text.
    """
    try:
        document = _decode(data)
        return [_read(span, absorb) for span in (document if isinstance(document, list) else [document])]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not Zipkin v2 JSON: {error}") from error


def _read(span: dict[str, Any], absorb: Absorb) -> SpanRecord:
    tags = dict(span.get("tags") or {})
    status, message = z.status_of(tags)
    links = z.links_from(tags)
    dropped = z.dropped_from(tags)
    trace_state = tags.pop(z.TRACE_STATE_KEY, "")
    scope = Scope(tags.pop(z.SCOPE_NAME), tags.pop(z.SCOPE_VERSION, "")) if z.SCOPE_NAME in tags else None
    start_ns = int(span.get("timestamp") or 0) * 1000
    parent = span.get("parentId")
    service = (span.get("localEndpoint") or {}).get("serviceName")
    absorbed = absorb(tags)
    return SpanRecord(
        trace_id=bytes.fromhex(span["traceId"].zfill(32)),
        span_id=bytes.fromhex(span["id"].zfill(16)),
        parent_id=bytes.fromhex(parent.zfill(16)) if parent else None,
        name=span.get("name") or "",
        start_time_ns=start_ns,
        end_time_ns=absorbed.pop("end_time_ns", start_ns + int(span.get("duration") or 0) * 1000),
        kind=z.KINDS_BY_NAME.get(span.get("kind") or "", int(Kind.INTERNAL)),
        status=status,
        status_message=message,
        events=[z.event_from(a["value"], int(a["timestamp"])) for a in span.get("annotations") or []],
        links=links,
        trace_state=trace_state,
        debug=bool(span.get("debug")),
        shared=bool(span.get("shared")),
        scope=scope,
        resource=Resource({"service.name": service} if service else {}),
        **dropped,
        **absorbed,
    )
