"""SpanRecords to Zipkin v2 JSON (zipkin-api 1.0.0, `zipkin2-api.yaml`).

Put together from bytes, as `otlp_json` does it and for the same reason. Every text goes through the encoder.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tracebridge.records.encoded import Group
from tracebridge.records.record import Event, Resource, SpanRecord, Value
from tracebridge_adapters.dialects import json_safe
from tracebridge_adapters.formats.shared.pair_cache import MAX_TEXT, Remembered, Write
from tracebridge_adapters.formats.zipkin import tags as z
from tracebridge_adapters.formats.zipkin.pairs import BlockOf, Pairs, Source

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

_encode = msgspec.json.Encoder().encode


def _json(value: Any) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return _encode(json_safe(value))


def _writer_of(key: str) -> Write[bytes]:
    head = _json(str(key)) + b":"

    def write(value: Value) -> bytes:
        try:
            return head + _encode(value)
        except UnicodeEncodeError:
            return head + _json(value)

    return write


_pairs = Pairs(_writer_of, start=b',"tags":{', comma=b",", end=b"}")
_names = Remembered(lambda name: b'","name":' + _json(name))
_kinds = {number: b',"kind":"%b"' % name.encode() for number, name in z.KIND_NAMES.items()}


def _annotation(event: Event) -> bytes:
    return b'{"timestamp":%d,"value":%b}' % (z.instant(event), _json(z.annotation_text(event)))


_SPAN = (
    b'{"traceId":"%b","id":"%b%b%b,"timestamp":%d,"duration":%d%b%b%b%b'  # one step takes two thirds of joining parts
)
_UNTIMED = b'{"traceId":"%b","id":"%b%b%b%b%b%b%b%b'


def _span(record: SpanRecord, attributes: dict[str, Value], source: Source, local: bytes, block_of: BlockOf) -> bytes:
    timestamp, duration = z.microseconds(record)
    own_id, parent_id, name, kind = record.span_id, record.parent_id, record.name, record.kind
    trace, span = hexlify(record.trace_id), hexlify(own_id)
    parent = b"" if parent_id is None or parent_id == own_id else b'","parentId":"' + hexlify(parent_id)
    named = _names[name] if len(name) <= MAX_TEXT else _names.write(name)
    sides = _kinds.get(kind, b"")
    if (kind in z.CALLERS or source.own) and (remote := z.remote_endpoint(record)):
        sides += b',"remoteEndpoint":' + _json(remote)
    tags = _pairs.of(record, attributes, source, block_of)
    if timestamp and duration:
        return _SPAN % (trace, span, parent, named, timestamp, duration, local, sides, tags, _end(record))
    times = b',"timestamp":%d' % timestamp if timestamp else b',"duration":%d' % duration if duration else b""
    return _UNTIMED % (trace, span, parent, named, times, local, sides, tags, _end(record))


def _end(record: SpanRecord) -> bytes:
    """Return what few spans have, and the brace."""
    if not (record.events or record.debug or record.shared):
        return b"}"
    out = (
        b',"annotations":[' + b",".join([_annotation(event) for event in record.events]) + b"]"
        if record.events
        else b""
    )
    if record.debug:
        out += b',"debug":true'
    return out + b',"shared":true}' if record.shared else out + b"}"


def _local(resource: Resource | None) -> bytes:
    return b',"localEndpoint":' + _json(z.local_endpoint(resource))


def encode(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> bytes:
    """Return a JSON array of spans. `attributes_of` gives the attributes that each span shows."""
    parts: list[bytes] = []
    block_of = _pairs.for_batch()
    resource: Resource | None = None
    source: Source | None = None
    local = b""
    for record in records:
        if record.resource is not resource or source is None:
            resource = record.resource
            source, local = _pairs.source(resource), _local(resource)
        parts += (b",", _span(record, attributes_of(record), source, local, block_of))
    parts[:1] = [b"["]
    parts.append(b"]")
    return z.not_v1(b"".join(parts))


def shared_of(resource: Resource, naming: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what the twin in C needs to know: the attributes' naming, and of the resource what is encoded already."""
    source = _pairs.source(resource)
    reserved = tuple(key.encode("utf-8", "replace") for key in source.reserved)
    return naming, (_local(resource), source.rest_if_ok, source.rest, reserved, _PEERS, source.simple)


_PEERS = tuple(key.encode() for key, _ in z.PEER_KEYS)


def one_span(resource: Resource, attributes_of: AttributesOf) -> Callable[[SpanRecord], bytes]:
    """Return what encodes one span, for the twin in C."""
    block_of, source, local = _pairs.for_batch(), _pairs.source(resource), _local(resource)
    return lambda record: _span(record, attributes_of(record), source, local, block_of)


IS_GROUPED: Final = False
"""Whether a body has its spans by resource and scope."""


def around(groups: list[tuple[Group, bytes]]) -> bytes:
    """Return the list of encoded spans."""
    return z.not_v1(b"[" + groups[0][1] + b"]")
