"""SpanRecords to Jaeger's Thrift (jaeger-idl 0.11): one Batch of one process, bare or as the agent's `emitBatch` call.

The mapping is OpenTelemetry's ("OpenTelemetry to Jaeger Transformation") and, where that is silent, what Collectors and jaeger-client send.
Apache Thrift writes the bytes, in C; tags of repeated attributes are made once (`pair_cache`), which halves what is left to do here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracebridge.record import Event, Kind, Link, Resource, SpanRecord, StatusCode, Value
from tracebridge_adapters.dialects import DISPLACED, as_json
from tracebridge_adapters.formats import jaeger_structs as j
from tracebridge_adapters.formats.jaeger_fit import fit
from tracebridge_adapters.formats.pair_cache import PairCache

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

MAX_US = (2**63 - 1) // 1000  # the last microsecond that nanoseconds in 64 bits can say
UNKNOWN_OPERATION = "unknown_operation"  # Jaeger takes no empty name; the twin of OpenTelemetry's unknown_service
KINDS = {int(kind): kind.name.lower() for kind in (Kind.SERVER, Kind.CLIENT, Kind.PRODUCER, Kind.CONSUMER)}
KIND_KEY, ERROR_KEY, TRACE_STATE_KEY = "span.kind", "error", "w3c.tracestate"
STATUS_KEY, STATUS_MESSAGE_KEY = "otel.status_code", "otel.status_description"
SCOPE_NAME, SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
EVENT_KEY = "event"
REF_TYPE, REF_CHILD_OF, REF_FOLLOWS_FROM = (
    "opentracing.ref_type",
    "child_of",
    "follows_from",
)  # OpenTelemetry's semantic conventions for OpenTracing
DROPPED = {
    "dropped_attributes": "otel.dropped_attributes_count",
    "dropped_events": "otel.dropped_events_count",
    "dropped_links": "otel.dropped_links_count",
}
OWN_SCOPE_NAME = "tracebridge"
SAMPLED, DEBUG = 1, 2  # Jaeger's flags


@dataclass(frozen=True)
class Framing:
    """How a batch is written: the protocol, as a call to an agent or bare, and the most bytes, envelope included."""

    protocol: j.Protocol
    as_message: bool
    max_bytes: int

    def write(self, batch: j.Batch) -> bytes:
        """Return the bytes of a batch, whatever their number."""
        return j.write_message(batch, self.protocol) if self.as_message else j.write(batch, self.protocol)


def encode(
    records: Sequence[SpanRecord],
    attributes_of: AttributesOf,
    framing: Framing,
    process_tags: Callable[[Resource], Mapping[str, Value]] = lambda _: {},
) -> bytes:
    """Return one Batch of records of one resource. Raises ValueError for records of several.

    `attributes_of` gives the attributes that each span shows, `process_tags` what a process says besides its resource's attributes.
    A single span never takes more than `framing.max_bytes`: its largest parts are left out, and it says which. Several spans may take more,
    which is for the caller to see and to split.
    """
    given = records[0].resource
    if any(record.resource is not given and record.resource != given for record in records):
        raise ValueError("a Jaeger batch has one process: these spans have several resources")
    resource = given or Resource()
    batch = j.Batch(
        _process(resource, process_tags(resource)), [_span(record, attributes_of(record)) for record in records]
    )
    body = framing.write(batch)
    if len(body) > framing.max_bytes and len(records) == 1:
        fit(batch, len(body) - framing.max_bytes, framing.protocol)
        body = framing.write(batch)
    return body


def _process(resource: Resource, more: Mapping[str, Value]) -> j.Process:
    attributes = {key: value for key, value in {**more, **resource.attributes}.items() if key != "service.name"}
    return j.Process(_text(resource.service_name), _tags(attributes))


def _span(record: SpanRecord, attributes: dict[str, Value]) -> j.Span:
    span = j.Span()
    span.traceIdHigh, span.traceIdLow = _signed(record.trace_id[:8]), _signed(record.trace_id[8:])
    span.spanId = _signed(record.span_id)
    parent = record.parent_id
    if parent is not None and parent != record.span_id:
        span.parentSpanId = _signed(parent)
    span.operationName = _text(record.name) if record.name else UNKNOWN_OPERATION
    span.flags = (record.flags & SAMPLED) | (DEBUG if record.debug else 0)
    span.startTime = _micros(record.start_time_ns)
    span.duration = min(record.duration_ns // 1000, MAX_US)
    span.tags = _tags(_shown(record, attributes))
    if record.links:
        span.references = _references(record, span)
    if record.events:
        span.logs = [_log(event) for event in record.events]
    return span


def _shown(record: SpanRecord, attributes: dict[str, Value]) -> dict[str, Value]:
    """Return the attributes and what Jaeger has no field for. `error` is there only on ERROR: its truth marks the span."""
    own: dict[str, Value] = {}
    if record.kind > Kind.INTERNAL and record.kind in KINDS:
        own[KIND_KEY] = KINDS[record.kind]
    if record.status == StatusCode.ERROR:
        own[ERROR_KEY] = True
        own[STATUS_KEY] = "ERROR"
        if record.status_message:
            own[STATUS_MESSAGE_KEY] = record.status_message
    elif record.status == StatusCode.OK:
        own[STATUS_KEY] = "OK"
    if record.trace_state:
        own[TRACE_STATE_KEY] = record.trace_state
    scope = record.scope
    if scope is not None and scope.name and scope.name != OWN_SCOPE_NAME:
        own[SCOPE_NAME] = scope.name
        if scope.version:
            own[SCOPE_VERSION] = scope.version
    if record.dropped_attributes or record.dropped_events or record.dropped_links:
        own.update({key: getattr(record, field) for field, key in DROPPED.items() if getattr(record, field)})
    if ERROR_KEY in attributes and str(attributes[ERROR_KEY]).lower() == "false":
        attributes = {key: value for key, value in attributes.items() if key != ERROR_KEY}
    if not own:
        return attributes
    out = {**attributes, **own}
    for key in own.keys() & attributes.keys():
        if attributes[key] != own[key] and key != STATUS_KEY:
            out[DISPLACED + key] = attributes[key]
    return out


def _tag(key: str, value: Value) -> j.Tag:
    """Return a typed tag. What JSON cannot say (NaN, infinities) is text: Jaeger's own API fails on the whole trace otherwise."""
    kind = type(value)
    if kind is str:
        return j.Tag(key, j.STRING, _text(value))
    tag = j.Tag(key)
    if kind is bool:
        tag.vType, tag.vBool = j.BOOL, value
    elif kind is int and -(2**63) <= value < 2**63:
        tag.vType, tag.vLong = j.LONG, value
    elif kind is float and math.isfinite(value):
        tag.vType, tag.vDouble = j.DOUBLE, value
    elif kind is float:
        tag.vStr = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    elif kind is bytes:
        tag.vType, tag.vBinary = j.BINARY, value
    elif isinstance(value, (list, tuple, dict)):
        tag.vStr = as_json(value)
    elif isinstance(value, (int, float)):  # an integer beyond 64 bits; a subclass, such as an enum's member
        plain = int(value) if isinstance(value, int) else float(value)
        return j.Tag(key, j.STRING, str(plain)) if type(value) is int else _tag(key, plain)
    else:
        tag.vStr = _text(str(value))
    return tag


def _writer_of(key: str) -> Callable[[Value], j.Tag]:
    clean = _text(str(key))
    return lambda value: _tag(clean, value)


_pairs: PairCache[j.Tag] = PairCache(_writer_of)


def _tags(attributes: dict[str, Value]) -> list[j.Tag]:
    if None in attributes.values():
        attributes = {key: value for key, value in attributes.items() if value is not None}
    return _pairs.encoded(attributes)


def _references(record: SpanRecord, span: j.Span) -> list[j.SpanRef]:
    """Return the parent, then the links: a link to the parent would otherwise hide that it is one.

    Only where the link says that the parent is followed, not waited for (OpenTracing's FOLLOWS_FROM), is it the one reference to it.
    """
    links = [_reference(link) for link in record.links]
    if not span.parentSpanId or any(_follows_parent(link, record) for link in record.links):
        return links
    return [j.SpanRef(j.CHILD_OF, span.traceIdLow, span.traceIdHigh, span.parentSpanId), *links]


def _follows_parent(link: Link, record: SpanRecord) -> bool:
    said = link.attributes.get(REF_TYPE) == REF_FOLLOWS_FROM
    return said and (link.trace_id, link.span_id) == (record.trace_id, record.parent_id)


def _reference(link: Link) -> j.SpanRef:
    kind = j.CHILD_OF if link.attributes.get(REF_TYPE) == REF_CHILD_OF else j.FOLLOWS_FROM
    return j.SpanRef(kind, _signed(link.trace_id[8:]), _signed(link.trace_id[:8]), _signed(link.span_id))


def _log(event: Event) -> j.Log:
    fields: dict[str, Any] = {EVENT_KEY: event.name, **event.attributes} if event.name else dict(event.attributes)
    if event.dropped_attributes:
        fields.setdefault(DROPPED["dropped_attributes"], event.dropped_attributes)
    return j.Log(_micros(event.time_ns), _tags(fields))


def _signed(part: bytes) -> int:
    return int.from_bytes(part, "big", signed=True)


def _micros(time_ns: int) -> int:
    return min(max(0, time_ns // 1000), MAX_US)


def _text(value: str) -> str:
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()
