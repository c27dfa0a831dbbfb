"""SpanRecords to OTLP protobuf (opentelemetry-proto 1.x: `ExportTraceServiceRequest`, which is `TracesData`).

Written by hand because it is what every span costs: protobuf's own objects take seven times as long. What is measured on
six-attribute spans, and worth it: whole sets of attributes (`block_cache`) and pairs of a key and a small value (`pair_cache`) are remembered encoded, lengths come from a table,
a key's own bytes are made once, fixed fields are packed together. The plain reader in `otlp_protobuf_reader` and
`opentelemetry-proto` in the tests check every byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import isfinite
from typing import Any, Final

import msgspec

from tracebridge.records.encoded import Group
from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord, Value
from tracebridge_adapters.dialects import json_safe
from tracebridge_adapters.formats.shared.block_cache import BlockCache
from tracebridge_adapters.formats.shared.pair_cache import MAX_TEXT, PairCache, Remembered, Write
from tracebridge_adapters.formats.shared.protobuf_bytes import TABLE, length, message, message_of, utf8, varint

AttributesOf = Callable[[SpanRecord], dict[str, Value]]
BlockOf = Callable[[dict[str, Value]], bytes]
Naming = tuple[Any, ...]
"""The dialect and the attribute of the trace ID, as the twin in C takes them."""

MAX_TIME_NS = 2**64 - 1  # fixed64
FLAG_HAS_IS_REMOTE, FLAG_IS_REMOTE = 0x100, 0x200  # opentelemetry-proto SpanFlags
OWN_SCOPE, NO_RESOURCE = Scope(), Resource()


_kind_and_times = struct.Struct("<BBBQBQ").pack  # kind = 6, start_time_unix_nano = 7, end_time_unix_nano = 8
_double = struct.Struct("<d").pack
_fixed32 = struct.Struct("<I").pack
_fixed64 = struct.Struct("<Q").pack
_source_key = msgspec.msgpack.Encoder(enc_hook=str).encode


def _any_value(value: Value) -> bytes:
    """Return the body of an AnyValue. An integer beyond 64 bits becomes text; None the empty value.

    NaN and infinities become text too, spelled as in OTLP JSON: OTLP could carry them, but one of them in a trace makes every
    answer of Jaeger's query API with that trace in it an error, the lists of traces included.
    """
    kind = type(value)
    if kind is str:
        return message(b"\x0a", utf8(value))
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        if -(2**63) <= value < 2**63:
            return b"\x18" + (TABLE[value] if 0 <= value < 16_384 else varint(value & 0xFFFFFFFFFFFFFFFF))
        return message(b"\x0a", str(value).encode())
    if kind is float:
        return b"\x21" + _double(value) if isfinite(value) else _any_value(json_safe(value))
    if kind is bytes:
        return message(b"\x3a", value)
    if isinstance(value, (list, tuple)):
        return message(b"\x2a", b"".join([message(b"\x0a", _any_value(item)) for item in value]))
    if isinstance(value, dict):
        return message(b"\x32", b"".join([message(b"\x0a", _key_value(str(k), v)) for k, v in value.items()]))
    for base in (int, float):  # a subclass, such as an enum's member
        if isinstance(value, base):
            return _any_value(base(value))
    return b"" if value is None else message(b"\x0a", utf8(str(value)))


def _key_value(key: str, value: Value) -> bytes:
    return message(b"\x0a", utf8(key)) + message(b"\x12", _any_value(value))


def _writer(tag: bytes) -> Callable[[str], Write[bytes]]:
    """Return what makes, for a key, the function that encodes a repeated KeyValue field of this tag.

    All that stands before a short text depends on the key and the text's length only, so it is made once for each length.
    """

    def writer_of(key: str) -> Write[bytes]:
        head = message(b"\x0a", utf8(str(key))) + b"\x12"
        before_text: dict[int, bytes] = {}
        before: dict[int, bytes] = {}

        def start_of(size: int) -> bytes:
            """Return the bytes up to an AnyValue of so many bytes."""
            return tag + length(len(head) + len(length(size)) + size) + head + length(size)

        def write(value: Value) -> bytes:
            if type(value) is str and len(value) <= MAX_TEXT:
                try:
                    text = value.encode()
                except UnicodeEncodeError:
                    text = utf8(value)
                start = before_text.get(len(text))
                if start is None:
                    inner = b"\x0a" + length(len(text))
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
_span_blocks = BlockCache(lambda attributes: b"".join(_span_pairs.encoded(attributes)))


def _event(event: Event) -> bytes:
    body = (
        b"\x09"
        + _fixed64(within_64_bits(event.time_ns))
        + message(b"\x12", utf8(event.name))
        + b"".join(_event_pairs.encoded(event.attributes))
    )
    return body + (b"\x20" + varint(event.dropped_attributes) if event.dropped_attributes else b"")


def _link(link: Link) -> bytes:
    body = message(b"\x0a", link.trace_id) + message(b"\x12", link.span_id)
    if link.trace_state:
        body += message(b"\x1a", utf8(link.trace_state))
    body += b"".join(_link_pairs.encoded(link.attributes))
    if link.dropped_attributes:
        body += b"\x28" + varint(link.dropped_attributes)
    return body + (b"\x35" + _fixed32(link.flags & 0xFFFFFFFF) if link.flags else b"")


def within_64_bits(time_ns: int) -> int:
    """Return the instant, or the nearest one that OTLP's fixed64 can say: times are the user's, and data never raises."""
    return min(max(time_ns, 0), MAX_TIME_NS)


_names = Remembered(lambda name: message(b"\x2a", utf8(name)))
_LOCAL_FLAGS = [b"\x85\x01" + _fixed32(FLAG_HAS_IS_REMOTE | flags) for flags in range(256)]
_STATUS = [b"", *[b"\x7a\x02\x18" + TABLE[code] for code in range(1, 128)]]
_REMOTE_FLAGS = [b"\x85\x01" + _fixed32(FLAG_HAS_IS_REMOTE | FLAG_IS_REMOTE | flags) for flags in range(256)]


def _span(record: SpanRecord, attributes: dict[str, Value], block_of: BlockOf) -> bytes:
    start, end = record.start_time_ns, record.end_time_ns
    if not 0 <= start <= end <= MAX_TIME_NS:
        start = within_64_bits(start)
        end = max(start, within_64_bits(end))
    name, parent = record.name, record.parent_id
    parts = [b"\x0a\x10", record.trace_id, b"\x12\x08", record.span_id]
    if record.trace_state:
        parts.append(message(b"\x1a", utf8(record.trace_state)))
    if parent is not None:
        parts += (b"\x22\x08", parent)
    if name:
        parts.append(_names[name] if len(name) <= MAX_TEXT else _names.write(name))
    parts.append(_kind_and_times(0x30, record.kind, 0x39, start, 0x41, end))
    if attributes:
        parts.append(block_of(attributes))
    if record.dropped_attributes:
        parts.append(b"\x50" + varint(record.dropped_attributes))
    if record.events:
        parts += [message(b"\x5a", _event(event)) for event in record.events]
    if record.dropped_events:
        parts.append(b"\x60" + varint(record.dropped_events))
    if record.links:
        parts += [message(b"\x6a", _link(link)) for link in record.links]
    if record.dropped_links:
        parts.append(b"\x70" + varint(record.dropped_links))
    if record.status_message:
        said = message(b"\x12", utf8(record.status_message))
        parts.append(message(b"\x7a", said + _STATUS[record.status][2:]))
    elif record.status:
        parts.append(_STATUS[record.status])
    parts.append(_REMOTE_FLAGS[record.flags & 0xFF] if record.parent_is_remote else _LOCAL_FLAGS[record.flags & 0xFF])
    return b"".join(parts)


def _resource(resource: Resource) -> bytes:
    attributes = resource.attributes
    if not attributes.get("service.name"):
        attributes = {**attributes, "service.name": resource.service_name}
    return b"".join(_resource_pairs.encoded(attributes))


def _scope(scope: Scope) -> bytes:
    body = message(b"\x0a", utf8(scope.name)) if scope.name else b""
    body += message(b"\x12", utf8(scope.version)) if scope.version else b""
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


def _resource_spans(resource: Resource, scopes: Iterable[tuple[Scope, list[bytes]]]) -> list[bytes]:
    """Return what the spans of one resource are in, in parts; the spans are encoded."""
    parts = [message(b"\x0a", _resource(resource))]
    for scope, spans in scopes:
        inner = [message(b"\x0a", _scope(scope)), *spans]
        if scope.schema_url:
            inner.append(message(b"\x1a", utf8(scope.schema_url)))
        parts += message_of(b"\x12", inner)
    if resource.schema_url:
        parts.append(message(b"\x1a", utf8(resource.schema_url)))
    return message_of(b"\x0a", parts)


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return an ExportTraceServiceRequest. `attributes_of` gives the attributes that each span shows."""
    block_of = _span_blocks.for_batch()
    out: list[bytes] = []
    for resource, scopes in group_by_source(records):
        out += _resource_spans(
            resource,
            [
                (scope, [message(b"\x12", _span(record, attributes_of(record), block_of)) for record in members])
                for scope, members in scopes
            ],
        )
    return b"".join(out)


def shared_of(resource: Resource, naming: Naming) -> Naming:  # noqa: ARG001 - the same for every format
    """Return what the twin in C needs to know: nothing of the resource."""
    return naming


def one_span(resource: Resource, attributes_of: AttributesOf) -> Callable[[SpanRecord], bytes]:  # noqa: ARG001 - the same
    """Return what encodes one span, for the twin in C."""
    block_of = _span_blocks.for_batch()
    return lambda record: message(b"\x12", _span(record, attributes_of(record), block_of))


IS_GROUPED: Final = True
"""Whether a body has its spans by resource and scope."""


def around(groups: Iterable[tuple[Group, bytes]]) -> bytes:
    """Return the request of encoded spans; those of one resource stand side by side."""
    out: list[bytes] = []
    for resource, scopes in by_resource(groups):
        out += _resource_spans(resource, [(scope, [spans]) for scope, spans in scopes])
    return b"".join(out)


def by_resource(groups: Iterable[tuple[Group, bytes]]) -> Iterable[tuple[Resource, list[tuple[Scope, bytes]]]]:
    """Yield what the groups of one resource, which stand side by side, have by scope."""
    for _, some in groupby(groups, lambda each: id(each[0].resource)):
        members = list(some)
        yield members[0][0].resource, [(group.scope or OWN_SCOPE, spans) for group, spans in members]
