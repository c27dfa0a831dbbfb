"""SpanRecords to OTLP protobuf (opentelemetry-proto 1.x: `ExportTraceServiceRequest`, which is `TracesData`).

Written by hand because it is what every span costs: protobuf's own objects take seven times as long. What is measured on
six-attribute spans, and worth it: pairs of a key and a small value are remembered encoded (`pair_cache`), lengths come from a table,
a key's own bytes are made once, fixed fields are packed together. The plain reader in `otlp_protobuf_reader` and
`opentelemetry-proto` in the tests check every byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from math import isfinite

import msgspec

from tracebridge.record import Event, Link, Resource, Scope, SpanRecord, Value
from tracebridge_adapters.dialects import spelled
from tracebridge_adapters.formats.pair_cache import MAX_TEXT, PairCache, Remembered, Write

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

MAX_TIME_NS = 2**64 - 1  # fixed64
FLAG_HAS_IS_REMOTE, FLAG_IS_REMOTE = 0x100, 0x200  # opentelemetry-proto SpanFlags
OWN_SCOPE, NO_RESOURCE = Scope(), Resource()


def _varint(number: int) -> bytes:
    if number < 1 << 28:  # most numbers beyond the table: a loop takes five times as long
        if number < 1 << 21:
            if number > 0x3FFF:
                return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
        else:
            return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, number >> 21))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LAST = [bytes((n,)) for n in range(0x80)]
_MORE = [bytes((n | 0x80,)) for n in range(0x80)]
_TABLE = _LAST + [low + high for high in _LAST[1:] for low in _MORE]
"""The varints of all numbers below 16,384; joined so, the import takes a quarter of what calling `_varint` for each does."""
_kind_and_times = struct.Struct("<BBBQBQ").pack  # kind = 6, start_time_unix_nano = 7, end_time_unix_nano = 8
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
    """Return the body of an AnyValue. An integer beyond 64 bits becomes text; None the empty value.

    NaN and infinities become text too, spelled as in OTLP JSON: OTLP could carry them, but one of them in a trace makes every
    answer of Jaeger's query API with that trace in it an error, the lists of traces included.
    """
    kind = type(value)
    if kind is str:
        return _message(b"\x0a", _text(value))
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        if -(2**63) <= value < 2**63:
            return b"\x18" + (_TABLE[value] if 0 <= value < 16_384 else _varint(value & 0xFFFFFFFFFFFFFFFF))
        return _message(b"\x0a", str(value).encode())
    if kind is float:
        return b"\x21" + _double(value) if isfinite(value) else _any_value(spelled(value))
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


def _writer(tag: bytes) -> Callable[[str], Write[bytes]]:
    """Return what makes, for a key, the function that encodes a repeated KeyValue field of this tag.

    All that stands before a short text depends on the key and the text's length only, so it is made once for each length.
    """

    def writer_of(key: str) -> Write[bytes]:
        head = _message(b"\x0a", _text(str(key))) + b"\x12"
        before_text: dict[int, bytes] = {}
        before: dict[int, bytes] = {}

        def start_of(size: int) -> bytes:
            """Return the bytes up to an AnyValue of so many bytes."""
            return tag + _length(len(head) + len(_length(size)) + size) + head + _length(size)

        def write(value: Value) -> bytes:
            if type(value) is str and len(value) <= MAX_TEXT:
                text = _text(value)
                start = before_text.get(len(text))
                if start is None:
                    inner = b"\x0a" + _length(len(text))
                    start = before_text[len(text)] = start_of(len(inner) + len(text)) + inner
                return start + text
            any_value = _any_value(value)
            size = len(any_value)
            if size > MAX_TEXT:
                return start_of(size) + any_value
            start = before.get(size)
            if start is None:
                start = before[size] = start_of(size)
            return start + any_value

        return write

    return writer_of


_span_pairs, _event_pairs = PairCache(_writer(b"\x4a")), PairCache(_writer(b"\x1a"))
_link_pairs, _resource_pairs, _scope_pairs = (PairCache(_writer(tag)) for tag in (b"\x22", b"\x0a", b"\x1a"))


def _event(event: Event) -> bytes:
    body = (
        b"\x09"
        + _fixed64(within_64_bits(event.time_ns))
        + _message(b"\x12", _text(event.name))
        + b"".join(_event_pairs.encoded(event.attributes))
    )
    return body + (b"\x20" + _varint(event.dropped_attributes) if event.dropped_attributes else b"")


def _link(link: Link) -> bytes:
    body = _message(b"\x0a", link.trace_id) + _message(b"\x12", link.span_id)
    if link.trace_state:
        body += _message(b"\x1a", _text(link.trace_state))
    body += b"".join(_link_pairs.encoded(link.attributes))
    if link.dropped_attributes:
        body += b"\x28" + _varint(link.dropped_attributes)
    return body + (b"\x35" + _fixed32(link.flags & 0xFFFFFFFF) if link.flags else b"")


def within_64_bits(time_ns: int) -> int:
    """Return the instant, or the nearest one that OTLP's fixed64 can say: times are the user's, and data never raises."""
    return min(max(time_ns, 0), MAX_TIME_NS)


_names = Remembered(lambda name: _message(b"\x2a", _text(name)))
_LOCAL_FLAGS = [b"\x85\x01" + _fixed32(FLAG_HAS_IS_REMOTE | flags) for flags in range(256)]
_REMOTE_FLAGS = [b"\x85\x01" + _fixed32(FLAG_HAS_IS_REMOTE | FLAG_IS_REMOTE | flags) for flags in range(256)]


def _span(record: SpanRecord, attributes: dict[str, Value]) -> bytes:
    start, end = record.start_time_ns, record.end_time_ns
    if not 0 <= start <= end <= MAX_TIME_NS:
        start = within_64_bits(start)
        end = max(start, within_64_bits(end))
    name, parent = record.name, record.parent_id
    parts = [b"\x0a\x10", record.trace_id, b"\x12\x08", record.span_id]
    if record.trace_state:
        parts.append(_message(b"\x1a", _text(record.trace_state)))
    if parent is not None:
        parts += (b"\x22\x08", parent)
    if name:
        parts.append(_names[name] if len(name) <= MAX_TEXT else _names.write(name))
    parts.append(_kind_and_times(0x30, record.kind, 0x39, start, 0x41, end))
    if attributes:
        parts += _span_pairs.encoded(attributes)
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
    parts.append(_REMOTE_FLAGS[record.flags & 0xFF] if record.parent_is_remote else _LOCAL_FLAGS[record.flags & 0xFF])
    return b"".join(parts)


def _resource(resource: Resource) -> bytes:
    attributes = resource.attributes
    if not attributes.get("service.name"):
        attributes = {**attributes, "service.name": resource.service_name}
    return b"".join(_resource_pairs.encoded(attributes))


def _scope(scope: Scope) -> bytes:
    body = _message(b"\x0a", _text(scope.name)) if scope.name else b""
    body += _message(b"\x12", _text(scope.version)) if scope.version else b""
    return body + b"".join(_scope_pairs.encoded(scope.attributes))


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
            schema = _message(b"\x1a", _text(scope.schema_url)) if scope.schema_url else b""
            body += _message(b"\x12", _message(b"\x0a", _scope(scope)) + b"".join(spans) + schema)
        if resource.schema_url:
            body += _message(b"\x1a", _text(resource.schema_url))
        out.append(_message(b"\x0a", body))
    return b"".join(out)
