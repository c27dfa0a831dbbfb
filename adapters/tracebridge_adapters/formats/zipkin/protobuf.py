"""SpanRecords to Zipkin v2 protobuf (zipkin-api 1.0.0, `zipkin.proto`: ListOfSpans)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Sequence
from typing import Any

from tracebridge.records.record import Event, Kind, Resource, SpanRecord, Value
from tracebridge_adapters.formats.shared.pair_cache import MAX_TEXT, Remembered, Write
from tracebridge_adapters.formats.shared.protobuf_bytes import length, message, utf8, varint
from tracebridge_adapters.formats.zipkin import tags as z
from tracebridge_adapters.formats.zipkin.pairs import BlockOf, Pairs, Source

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

_KINDS = {
    int(kind): bytes((0x20, number))
    for number, kind in enumerate((Kind.CLIENT, Kind.SERVER, Kind.PRODUCER, Kind.CONSUMER), start=1)
}
_fixed64 = struct.Struct("<Q").pack


def _endpoint(tag: bytes, endpoint: dict[str, Any]) -> bytes:
    body = message(b"\x0a", utf8(endpoint["serviceName"])) if "serviceName" in endpoint else b""
    if "ipv4" in endpoint:
        body += message(b"\x12", ipaddress.IPv4Address(endpoint["ipv4"]).packed)
    if "ipv6" in endpoint:
        body += message(b"\x1a", ipaddress.IPv6Address(endpoint["ipv6"]).packed)
    if "port" in endpoint:
        body += b"\x20" + varint(endpoint["port"])
    return message(tag, body) if body else b""


def _writer_of(key: str) -> Write[bytes]:
    head = message(b"\x0a", utf8(str(key))) + b"\x12"

    def write(value: str) -> bytes:
        text = utf8(value)
        size = length(len(text))
        return b"\x5a" + length(len(head) + len(size) + len(text)) + head + size + text

    return write


_pairs = Pairs(_writer_of)
_names = Remembered(lambda name: message(b"\x2a", utf8(name)))


def _annotation(event: Event) -> bytes:
    return message(b"\x52", b"\x09" + _fixed64(z.instant(event)) + message(b"\x12", utf8(z.annotation_text(event))))


def _span(record: SpanRecord, attributes: dict[str, Value], source: Source, local: bytes, block_of: BlockOf) -> bytes:
    timestamp, duration = z.microseconds(record)
    span_id, parent_id, name = record.span_id, record.parent_id, record.name
    parts = [b"\x0a\x10", record.trace_id]
    if parent_id is not None and parent_id != span_id:
        parts += (b"\x12\x08", parent_id)
    parts += (
        b"\x1a\x08",
        span_id,
        _KINDS.get(record.kind, b""),
        _names[name] if len(name) <= MAX_TEXT else _names.write(name),
    )
    if timestamp:
        parts += (b"\x31", _fixed64(timestamp))
    if duration:
        parts += (b"\x38", length(duration))
    parts.append(local)
    if (record.kind in z.CALLERS or source.own) and (remote := z.remote_endpoint(record)):
        parts.append(_endpoint(b"\x4a", remote))
    if record.events:
        parts += [_annotation(event) for event in record.events]
    parts.append(_pairs.of(record, attributes, source, block_of))
    if record.debug:
        parts.append(b"\x60\x01")
    if record.shared:
        parts.append(b"\x68\x01")
    return b"".join(parts)


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return a ListOfSpans. `attributes_of` gives the attributes that each span shows."""
    spans = []
    block_of = _pairs.for_batch()
    resource: Resource | None = None
    source: Source | None = None
    local = b""
    for record in records:
        if record.resource is not resource or source is None:
            resource = record.resource
            source, local = _pairs.source(resource), _endpoint(b"\x42", z.local_endpoint(resource))
        spans.append(message(b"\x0a", _span(record, attributes_of(record), source, local, block_of)))
    return b"".join(spans)
