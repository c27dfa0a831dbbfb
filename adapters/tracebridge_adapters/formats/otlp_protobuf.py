"""SpanRecords to OTLP protobuf (opentelemetry-proto 1.x: `ExportTraceServiceRequest`, which is `TracesData`).

Written by hand because it is what every span costs: protobuf's own objects take seven times as long. Three tricks, each
measured on six-attribute spans: the bytes of a key with a small value are cached by type and value (spans repeat
themselves), lengths below 16,384 come from a table, and fixed fields are one `struct.pack` each. The plain reader in
`otlp_protobuf_reader` and `opentelemetry-proto` in the tests check every byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence

import msgspec

from tracebridge.record import Event, Link, Resource, Scope, SpanRecord, Value

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

CACHED_PAIRS = 16_384  # most key/value pairs remembered; then the cache starts over
MAX_CACHED_TEXT = 64  # characters of a value worth remembering
MAX_CACHED_BYTES = 512  # of an encoded pair: keys may be long too
MAX_TIME_NS = 2**64 - 1  # fixed64
FLAG_HAS_IS_REMOTE, FLAG_IS_REMOTE = 0x100, 0x200  # opentelemetry-proto SpanFlags
OWN_SCOPE, NO_RESOURCE = Scope(), Resource()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_TABLE = [_varint(n) for n in range(16_384)]
_times = struct.Struct("<BQBQ").pack  # start_time_unix_nano = 7, end_time_unix_nano = 8, both fixed64
_double = struct.Struct("<d").pack
_fixed32 = struct.Struct("<I").pack
_fixed64 = struct.Struct("<Q").pack
_source_key = msgspec.msgpack.Encoder(enc_hook=str).encode


def _length(size: int) -> bytes:
    return _TABLE[size] if size < 16_384 else _varint(size)


def _message(tag: bytes, body: bytes) -> bytes:
    return tag + _length(len(body)) + body


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _any_value(value: Value) -> bytes:
    """Return the body of an AnyValue. An integer beyond 64 bits becomes text; None the empty value."""
    kind = type(value)
    if kind is str:
        return _message(b"\x0a", _text(value))
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        if -(2**63) <= value < 2**63:
            return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
        return _message(b"\x0a", str(value).encode())
    if kind is float:
        return b"\x21" + _double(value)
    if kind is bytes:
        return _message(b"\x3a", value)
    if isinstance(value, (list, tuple)):
        return _message(b"\x2a", b"".join([_message(b"\x0a", _any_value(item)) for item in value]))
    if isinstance(value, dict):
        return _message(b"\x32", b"".join([_message(b"\x0a", _key_value(str(k), v)) for k, v in value.items()]))
    for base in (int, float):  # a subclass, such as an enum's member
        if isinstance(value, base):
            return _any_value(base(value))
    return b"" if value is None else _message(b"\x0a", _text(str(value)))


def _key_value(key: str, value: Value) -> bytes:
    return _message(b"\x0a", _text(key)) + _message(b"\x12", _any_value(value))


_pairs: dict[tuple[bytes, type, str, Value], bytes] = {}


def _attributes(tag: bytes, attributes: dict[str, Value]) -> bytes:
    """Return repeated KeyValue fields under a tag. 1, 1.0 and True are equal in Python, so the type is in the cache's key."""
    out = []
    for key, value in attributes.items():
        kind = type(value)
        if (kind is str and len(value) <= MAX_CACHED_TEXT) or kind is int or kind is bool:
            cache_key = (tag, kind, key, value)
            encoded = _pairs.get(cache_key)
            if encoded is None:
                encoded = _message(tag, _key_value(key, value))
                if len(_pairs) >= CACHED_PAIRS:
                    _pairs.clear()
                if len(encoded) <= MAX_CACHED_BYTES:
                    _pairs[cache_key] = encoded
            out.append(encoded)
        else:
            out.append(_message(tag, _key_value(key, value)))
    return b"".join(out)


def _event(event: Event) -> bytes:
    body = (
        b"\x09"
        + _fixed64(within_64_bits(event.time_ns))
        + _message(b"\x12", _text(event.name))
        + _attributes(b"\x1a", event.attributes)
    )
    return body + (b"\x20" + _varint(event.dropped_attributes) if event.dropped_attributes else b"")


def _link(link: Link) -> bytes:
    body = _message(b"\x0a", link.trace_id) + _message(b"\x12", link.span_id)
    if link.trace_state:
        body += _message(b"\x1a", _text(link.trace_state))
    body += _attributes(b"\x22", link.attributes)
    if link.dropped_attributes:
        body += b"\x28" + _varint(link.dropped_attributes)
    return body + (b"\x35" + _fixed32(link.flags & 0xFFFFFFFF) if link.flags else b"")


def within_64_bits(time_ns: int) -> int:
    """Return the instant, or the nearest one that OTLP's fixed64 can say: times are the user's, and data never raises."""
    return min(max(time_ns, 0), MAX_TIME_NS)


def span_flags(record: SpanRecord) -> int:
    """Return OTLP's span flags: W3C's in the low byte, and whether the parent is remote."""
    remote = FLAG_IS_REMOTE if record.parent_is_remote else 0
    return (record.flags & 0xFF) | FLAG_HAS_IS_REMOTE | remote


def _span(record: SpanRecord, attributes: dict[str, Value]) -> bytes:
    start = record.start_time_ns
    end = record.end_time_ns if record.end_time_ns >= start else start
    if not 0 <= start <= end <= MAX_TIME_NS:
        start, end = within_64_bits(start), within_64_bits(end)
    name = record.name.encode("utf-8", "replace")
    parts = [b"\x0a\x10", record.trace_id, b"\x12\x08", record.span_id]
    if record.trace_state:
        parts.append(_message(b"\x1a", _text(record.trace_state)))
    if record.parent_id is not None:
        parts += (b"\x22\x08", record.parent_id)
    if name:
        parts += (b"\x2a", _length(len(name)), name)
    parts += (b"\x30", _TABLE[record.kind], _times(0x39, start, 0x41, end))
    if attributes:
        parts.append(_attributes(b"\x4a", attributes))
    if record.dropped_attributes:
        parts.append(b"\x50" + _varint(record.dropped_attributes))
    if record.events:
        parts += [_message(b"\x5a", _event(event)) for event in record.events]
    if record.dropped_events:
        parts.append(b"\x60" + _varint(record.dropped_events))
    if record.links:
        parts += [_message(b"\x6a", _link(link)) for link in record.links]
    if record.dropped_links:
        parts.append(b"\x70" + _varint(record.dropped_links))
    if record.status or record.status_message:
        message = _message(b"\x12", _text(record.status_message)) if record.status_message else b""
        parts.append(_message(b"\x7a", message + (b"\x18" + _TABLE[record.status] if record.status else b"")))
    parts += (b"\x85\x01", _fixed32(span_flags(record)))
    return b"".join(parts)


def _resource(resource: Resource) -> bytes:
    attributes = resource.attributes
    if not attributes.get("service.name"):
        attributes = {**attributes, "service.name": resource.service_name}
    return _attributes(b"\x0a", attributes)


def _scope(scope: Scope) -> bytes:
    body = _message(b"\x0a", _text(scope.name)) if scope.name else b""
    body += _message(b"\x12", _text(scope.version)) if scope.version else b""
    return body + _attributes(b"\x1a", scope.attributes)


def group_by_source(records: Sequence[SpanRecord]) -> Iterable[tuple[Resource, list[tuple[Scope, list[SpanRecord]]]]]:
    """Yield the records by resource and scope. One source is the usual case, told by identity."""
    if all(record.resource is records[0].resource and record.scope is records[0].scope for record in records):
        yield records[0].resource or NO_RESOURCE, [(records[0].scope or OWN_SCOPE, list(records))]
        return
    resources: dict[bytes, tuple[Resource, dict[bytes, tuple[Scope, list[SpanRecord]]]]] = {}
    keys: dict[int, bytes] = {}  # of the sources seen, by identity: few sources, many records
    for record in records:
        resource, scope = record.resource or NO_RESOURCE, record.scope or OWN_SCOPE
        for source in (resource, scope):
            if id(source) not in keys:
                keys[id(source)] = _source_key(source)  # 1, 1.0 and True are different sources, though equal in Python
        _, scopes = resources.setdefault(keys[id(resource)], (resource, {}))
        scopes.setdefault(keys[id(scope)], (scope, []))[1].append(record)
    for resource, scopes in resources.values():
        yield resource, list(scopes.values())


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return an ExportTraceServiceRequest. `attributes_of` gives the attributes that each span shows."""
    out = []
    for resource, scopes in group_by_source(records):
        body = _message(b"\x0a", _resource(resource))
        for scope, members in scopes:
            spans = [_message(b"\x12", _span(record, attributes_of(record))) for record in members]
            body += _message(b"\x12", _message(b"\x0a", _scope(scope)) + b"".join(spans))
        if resource.schema_url:
            body += _message(b"\x1a", _text(resource.schema_url))
        out.append(_message(b"\x0a", body))
    return b"".join(out)
