"""SpanRecords to Zipkin v2 JSON (zipkin-api 1.0.0, `zipkin2-api.yaml`).

Put together from bytes, as `otlp_json` does it and for the same reason. Every text goes through the encoder.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tracebridge.record import Event, Resource, SpanRecord, Value
from tracebridge_adapters.dialects import spelled
from tracebridge_adapters.formats import zipkin_tags as z
from tracebridge_adapters.formats.pair_cache import MAX_TEXT, Remembered, Write
from tracebridge_adapters.formats.zipkin_pairs import Pairs, Source

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

_encode = msgspec.json.Encoder().encode


def _json(value: Any) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return _encode(spelled(value))


def _writer_of(key: str) -> Write[bytes]:
    head = _json(str(key)) + b":"

    def write(value: Value) -> bytes:
        try:
            return head + _encode(value)
        except UnicodeEncodeError:
            return head + _json(value)

    return write


_pairs = Pairs(_writer_of)
_names = Remembered(lambda name: b'","name":' + _json(name))
_kinds = {number: b',"kind":"%b"' % name.encode() for number, name in z.KIND_NAMES.items()}


def _annotation(event: Event) -> bytes:
    return b'{"timestamp":%d,"value":%b}' % (z.instant(event), _json(z.annotation_text(event)))


def _span(record: SpanRecord, attributes: dict[str, Value], source: Source, local: bytes) -> bytes:
    timestamp, duration = z.microseconds(record)
    parts = [b'{"traceId":"', hexlify(record.trace_id), b'","id":"', hexlify(record.span_id)]
    if record.parent_id is not None and record.parent_id != record.span_id:
        parts += (b'","parentId":"', hexlify(record.parent_id))
    name = record.name
    parts.append(_names[name] if len(name) <= MAX_TEXT else _names.write(name))
    if timestamp and duration:
        parts.append(b',"timestamp":%d,"duration":%d' % (timestamp, duration))
    elif timestamp:
        parts.append(b',"timestamp":%d' % timestamp)
    elif duration:
        parts.append(b',"duration":%d' % duration)
    parts.append(local)
    kind = _kinds.get(record.kind)
    if kind is not None:
        parts.append(kind)
    if (record.kind in z.CALLERS or source.own) and (remote := z.remote_endpoint(record)):
        parts += (b',"remoteEndpoint":', _json(remote))
    tags = _pairs.of(record, attributes, source)
    if tags:
        parts += (b',"tags":{', b",".join(tags), b"}")
    if record.events:
        parts += (b',"annotations":[', b",".join([_annotation(event) for event in record.events]), b"]")
    if record.debug:
        parts.append(b',"debug":true')
    parts.append(b',"shared":true}' if record.shared else b"}")
    return b"".join(parts)


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return a JSON array of spans. `attributes_of` gives the attributes that each span shows."""
    spans = []
    resource: Resource | None = None
    source: Source | None = None
    local = b""
    for record in records:
        if record.resource is not resource or source is None:
            resource = record.resource
            source, local = _pairs.source(resource), b',"localEndpoint":' + _json(z.local_endpoint(record))
        spans.append(_span(record, attributes_of(record), source, local))
    return z.not_v1(b"[" + b",".join(spans) + b"]")
