"""SpanRecords to Zipkin v2 protobuf (zipkin-api 1.0.0, `zipkin.proto`: ListOfSpans)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Sequence
from typing import Any

from tracebridge.record import Kind, Resource, SpanRecord, Value
from tracebridge_adapters.formats import zipkin_tags as z
from tracebridge_adapters.formats.pair_cache import MAX_TEXT, Remembered, Write
from tracebridge_adapters.formats.zipkin_pairs import Pairs, Source

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

_KIND_NUMBERS = {int(Kind.CLIENT): 1, int(Kind.SERVER): 2, int(Kind.PRODUCER): 3, int(Kind.CONSUMER): 4}
_fixed64 = struct.Struct("<Q").pack
_ONE_BYTE = [bytes((number,)) for number in range(0x80)]
_TAGS = [bytes((tag << 3 | 2,)) for tag in range(16)]  # of the fields that have a length


def _varint(number: int) -> bytes:
    if number <= 0x7F:
        return _ONE_BYTE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes(tag: int, body: bytes) -> bytes:
    return _TAGS[tag] + _varint(len(body)) + body


def _text(tag: int, text: str) -> bytes:
    return _bytes(tag, text.encode("utf-8", "replace"))


def _endpoint(tag: int, endpoint: dict[str, Any]) -> bytes:
    body = _text(1, endpoint["serviceName"]) if "serviceName" in endpoint else b""
    if "ipv4" in endpoint:
        body += _bytes(2, ipaddress.IPv4Address(endpoint["ipv4"]).packed)
    if "ipv6" in endpoint:
        body += _bytes(3, ipaddress.IPv6Address(endpoint["ipv6"]).packed)
    if "port" in endpoint:
        body += b"\x20" + _varint(endpoint["port"])
    return _bytes(tag, body) if body else b""


def _writer_of(key: str) -> Write[bytes]:
    head = _text(1, str(key))
    return lambda value: _bytes(11, head + _text(2, value))


_pairs = Pairs(_writer_of)
_names = Remembered(lambda name: _text(5, name))


def _span(record: SpanRecord, attributes: dict[str, Value], source: Source, local: bytes) -> bytes:
    timestamp, duration = z.microseconds(record)
    parts = [_bytes(1, record.trace_id)]
    if record.parent_id is not None and record.parent_id != record.span_id:
        parts.append(_bytes(2, record.parent_id))
    parts.append(_bytes(3, record.span_id))
    kind = _KIND_NUMBERS.get(record.kind)
    if kind:
        parts.append(b"\x20" + _varint(kind))
    name = record.name
    parts.append(_names[name] if len(name) <= MAX_TEXT else _names.write(name))
    if timestamp:
        parts.append(b"\x31" + _fixed64(timestamp))
    if duration:
        parts.append(b"\x38" + _varint(duration))
    parts.append(local)
    if (record.kind in z.CALLERS or source.own) and (remote := z.remote_endpoint(record)):
        parts.append(_endpoint(9, remote))
    parts += [
        _bytes(10, b"\x09" + _fixed64(z.instant(event)) + _text(2, z.annotation_text(event))) for event in record.events
    ]
    parts += _pairs.of(record, attributes, source)
    if record.debug:
        parts.append(b"\x60\x01")
    if record.shared:
        parts.append(b"\x68\x01")
    return b"".join(parts)


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return a ListOfSpans. `attributes_of` gives the attributes that each span shows."""
    spans = []
    resource: Resource | None = None
    source: Source | None = None
    local = b""
    for record in records:
        if record.resource is not resource or source is None:
            resource = record.resource
            source, local = _pairs.source(resource), _endpoint(8, z.local_endpoint(record))
        spans.append(_bytes(1, _span(record, attributes_of(record), source, local)))
    return b"".join(spans)
