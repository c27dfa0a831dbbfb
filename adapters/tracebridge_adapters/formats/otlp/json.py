"""SpanRecords to OTLP JSON: lowerCamelCase keys, IDs as hex, enums as numbers, 64-bit integers as text.

That is protobuf's JSON mapping with the deviations of the OTLP specification, "JSON Protobuf Encoding". Put together from
bytes: building dictionaries first for an encoder to walk costs three times as much. Every text goes through the encoder.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from tracebridge.records.encoded import Group
from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord, Value
from tracebridge_adapters.dialects import json_safe
from tracebridge_adapters.formats.otlp.protobuf import (
    FLAG_HAS_IS_REMOTE,
    FLAG_IS_REMOTE,
    MAX_TIME_NS,
    AttributesOf,
    BlockOf,
    Naming,
    by_resource,
    group_by_source,
    within_64_bits,
)
from tracebridge_adapters.formats.shared.block_cache import BlockCache
from tracebridge_adapters.formats.shared.pair_cache import MAX_TEXT, PairCache, Remembered, Write

_AS_TEXT = b'{"doubleValue":"', b'{"stringValue":"'  # a number that JSON lacks

_encode = msgspec.json.Encoder().encode


def _text(value: str) -> bytes:
    """Return a JSON string, quoted."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(json_safe(value))


def _any_value(value: Value) -> bytes:
    kind = type(value)
    if kind is str:
        return b'{"stringValue":' + _text(value) + b"}"
    if kind is bool:
        return b'{"boolValue":true}' if value else b'{"boolValue":false}'
    if kind is int:
        return b'{"%s":"%d"}' % (b"intValue" if -(2**63) <= value < 2**63 else b"stringValue", value)
    if kind is float:
        return b'{"doubleValue":' + _encode(json_safe(value)) + b"}"
    if kind is bytes:
        return b'{"bytesValue":' + _encode(value) + b"}"
    if isinstance(value, (list, tuple)):
        return b'{"arrayValue":{"values":[' + b",".join([_any_value(item) for item in value]) + b"]}}"
    if isinstance(value, dict):
        return b'{"kvlistValue":{"values":[' + b",".join([_writer_of(k)(v) for k, v in value.items()]) + b"]}}"
    for base in (int, float):  # a subclass, such as an enum's member
        if isinstance(value, base):
            return _any_value(base(value))
    return b"{}" if value is None else b'{"stringValue":' + _text(str(value)) + b"}"


def _writer_of(key: str) -> Write[bytes]:
    head = b'{"key":' + _text(str(key)) + b',"value":'
    text_head = head + b'{"stringValue":'

    def write(value: Value) -> bytes:
        if type(value) is str:
            return text_head + _text(value) + b"}}"
        return head + _any_value(value) + b"}"

    return write


_pairs = PairCache(_writer_of)
_blocks = BlockCache(lambda attributes: _attributes(attributes, b","))


def _attributes(attributes: dict[str, Value], comma: bytes = b"") -> bytes:
    return comma + b'"attributes":[' + b",".join(_pairs.encoded(attributes)) + b"]" if attributes else b""


def _span(record: SpanRecord, attributes: dict[str, Value], block_of: BlockOf) -> bytes:
    start, end = record.start_time_ns, record.end_time_ns
    if not 0 <= start <= end <= MAX_TIME_NS:
        start = within_64_bits(start)
        end = max(start, within_64_bits(end))
    parts = [b'{"traceId":"', hexlify(record.trace_id), b'","spanId":"', hexlify(record.span_id)]
    if record.trace_state:
        parts += (b'","traceState":', _text(record.trace_state)[:-1])  # the next field closes the quotes
    if record.parent_id is not None:
        parts += (b'","parentSpanId":"', hexlify(record.parent_id))
    name = record.name
    parts += (
        _names[name] if len(name) <= MAX_TEXT else _names.write(name),
        _kind_and_times % (record.kind, start, end),
    )
    if attributes:
        parts.append(block_of(attributes))
    if record.events:
        parts.append(b',"events":[' + b",".join([_event(event) for event in record.events]) + b"]")
    if record.links:
        parts.append(b',"links":[' + b",".join([_link(link) for link in record.links]) + b"]")
    if record.dropped_attributes or record.dropped_events or record.dropped_links:
        counts = (record.dropped_attributes, record.dropped_events, record.dropped_links)
        parts.append(b',"droppedAttributesCount":%d,"droppedEventsCount":%d,"droppedLinksCount":%d' % counts)
    if record.status_message:
        parts += (b',"status":{"message":', _text(record.status_message), b',"code":%d}' % record.status)
    elif record.status:
        parts.append(b',"status":{"code":%d}' % record.status)
    else:
        parts.append(b',"status":{}')
    parts.append(_REMOTE_FLAGS[record.flags & 0xFF] if record.parent_is_remote else _LOCAL_FLAGS[record.flags & 0xFF])
    return b"".join(parts)


_kind_and_times = b',"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"'
_names = Remembered(lambda name: b'","name":' + _text(name))
_LOCAL_FLAGS = [b',"flags":%d}' % (FLAG_HAS_IS_REMOTE | flags) for flags in range(256)]
_REMOTE_FLAGS = [b',"flags":%d}' % (FLAG_HAS_IS_REMOTE | FLAG_IS_REMOTE | flags) for flags in range(256)]


def _event(event: Event) -> bytes:
    dropped = b',"droppedAttributesCount":%d' % event.dropped_attributes if event.dropped_attributes else b""
    fields = (within_64_bits(event.time_ns), _text(event.name), _attributes(event.attributes, b","), dropped)
    return b'{"timeUnixNano":"%d","name":%b%b%b}' % fields


def _link(link: Link) -> bytes:
    out = b'{"traceId":"%b","spanId":"%b"' % (hexlify(link.trace_id), hexlify(link.span_id))
    if link.trace_state:
        out += b',"traceState":' + _text(link.trace_state)
    out += _attributes(link.attributes, b",")
    if link.dropped_attributes:
        out += b',"droppedAttributesCount":%d' % link.dropped_attributes
    return out + (b',"flags":%d}' % (link.flags & 0xFFFFFFFF) if link.flags else b"}")


def _scope(scope: Scope) -> bytes:
    version = b',"version":' + _text(scope.version) if scope.version else b""
    return b'{"name":%b%b%b}' % (_text(scope.name), version, _attributes(scope.attributes, b","))


def _resource(resource: Resource) -> bytes:
    attributes = resource.attributes
    if not attributes.get("service.name"):
        attributes = {**attributes, "service.name": resource.service_name}
    return b"{" + _attributes(attributes) + b"}"


def _resource_spans(resource: Resource, scopes: Iterable[tuple[Scope, bytes]]) -> bytes:
    """Return an element of `resourceSpans`; the spans are encoded, with commas in between."""
    out = [b'{"resource":', _resource(resource), b',"scopeSpans":[']
    for number, (scope, spans) in enumerate(scopes):
        out += (b",{" if number else b"{", b'"scope":', _scope(scope), b',"spans":[', spans)
        out.append(b'],"schemaUrl":' + _text(scope.schema_url) + b"}" if scope.schema_url else b"]}")
    out.append(b'],"schemaUrl":' + _text(resource.schema_url) + b"}" if resource.schema_url else b"]}")
    return b"".join(out)


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return one TracesData object as JSON, without a newline in it."""
    block_of = _blocks.for_batch()
    groups = [
        _resource_spans(
            resource,
            [
                (scope, b",".join([_span(record, attributes_of(record), block_of) for record in members]))
                for scope, members in scopes
            ],
        )
        for resource, scopes in group_by_source(records)
    ]
    return b'{"resourceSpans":[' + b",".join(groups) + b"]}"


IS_GROUPED: Final = True
"""Whether a body has its spans by resource and scope."""


def shared_of(resource: Resource, naming: Naming) -> Naming:  # noqa: ARG001 - the same for every format
    """Return what the twin in C needs to know: nothing of the resource."""
    return naming


def one_span(resource: Resource, attributes_of: AttributesOf) -> Callable[[SpanRecord], bytes]:  # noqa: ARG001 - the same
    """Return what encodes one span of a request, for the twin in C."""
    block_of = _blocks.for_batch()
    return lambda record: _span(record, attributes_of(record), block_of).replace(*_AS_TEXT)


def around(groups: Iterable[tuple[Group, bytes]]) -> bytes:
    """Return the request of encoded spans; those of one resource stand side by side."""
    parts = [_resource_spans(resource, scopes) for resource, scopes in by_resource(groups)]
    return (b'{"resourceSpans":[' + b",".join(parts) + b"]}").replace(*_AS_TEXT)


def encode_request(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return an ExportTraceServiceRequest: the same, but NaN and infinities are text; `otlp_protobuf._any_value` says why.

    Files keep the type. Quotes inside a text are escaped, so that what is looked for can be nothing but such a number.
    """
    return encode(records, attributes_of).replace(*_AS_TEXT)
