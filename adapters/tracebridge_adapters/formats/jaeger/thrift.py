"""SpanRecords to Jaeger's Thrift (jaeger-idl 0.11): one Batch of one process, bare or as the agent's `emitBatch` call.

The mapping is OpenTelemetry's ("OpenTelemetry to Jaeger Transformation") and, where that is silent, what Collectors and jaeger-client send.
Apache Thrift writes the bytes, in C; tags of repeated attributes are made once (`block_cache`, `pair_cache`), which halves what is left to do here.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tracebridge.records.record import Event, Link, Resource, SpanRecord, StatusCode, Value
from tracebridge_adapters.dialects import DISPLACED
from tracebridge_adapters.formats.jaeger import names as n
from tracebridge_adapters.formats.jaeger import structs as j
from tracebridge_adapters.formats.jaeger.fit import fit
from tracebridge_adapters.formats.jaeger.tags import TagsOf, clean, for_batch, tag_of, tags_of
from tracebridge_adapters.formats.shared import non_otlp

AttributesOf = Callable[[SpanRecord], dict[str, Value]]

MAX_US = (2**63 - 1) // 1000  # the last microsecond that nanoseconds in 64 bits can say

_signed, _two_signed = struct.Struct(">q").unpack, struct.Struct(">qq").unpack  # IDs as Jaeger counts them
_KIND_TAGS = {kind: tag_of(n.KIND_KEY, name) for kind, name in n.KINDS.items()}
_STATUS_TAGS = {
    int(StatusCode.ERROR): [tag_of(non_otlp.ERROR_KEY, True), tag_of(non_otlp.STATUS_KEY, "ERROR")],
    int(StatusCode.OK): [tag_of(non_otlp.STATUS_KEY, "OK")],
}


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
    process = _process(resource, process_tags(resource))
    remembered = for_batch()
    batch = j.Batch(process, [_span(record, attributes_of(record), remembered) for record in records])
    body = framing.write(batch)
    if len(body) > framing.max_bytes and len(records) == 1:
        fit(process, batch.spans[0], framing.max_bytes, lambda: len(framing.write(batch)), framing.protocol)
        body = framing.write(batch)
    return body


def by_process(records: Sequence[SpanRecord]) -> list[list[SpanRecord]]:
    """Return the records in groups of one process each, which is one resource, in the order in which they first appear."""
    groups: dict[bytes, list[SpanRecord]] = {}
    keys: dict[int, bytes] = {}  # by identity: most records share one object
    for record in records:
        resource = record.resource
        if id(resource) not in keys:
            keys[id(resource)] = msgspec.msgpack.encode(resource)  # 1 and True differ here, though equal in Python
        groups.setdefault(keys[id(resource)], []).append(record)
    return list(groups.values())


def _process(resource: Resource, more: Mapping[str, Value]) -> j.Process:
    attributes = {key: value for key, value in {**more, **resource.attributes}.items() if key != "service.name"}
    return j.Process(clean(resource.service_name), tags_of(attributes))


def _span(record: SpanRecord, attributes: dict[str, Value], remembered: TagsOf) -> j.Span:
    high, low = _two_signed(record.trace_id)
    (span_id,) = _signed(record.span_id)
    parent = 0 if record.parent_id is None else _signed(record.parent_id)[0]
    if parent == span_id:
        parent = 0  # no span is its own parent
    name = record.name
    span = j.Span(
        low,
        high,
        span_id,
        parent,
        (name if name.isascii() else clean(name)) if name else n.UNKNOWN_OPERATION,
        record.flags & n.SAMPLED | n.DEBUG if record.debug else record.flags & n.SAMPLED,
        *_times(record),
        _span_tags(record, attributes, remembered),
    )
    if record.links:
        span.references = _references(record, span)
    if record.events:
        span.logs = [_log(event) for event in record.events]
    return span


def _span_tags(record: SpanRecord, attributes: dict[str, Value], remembered: TagsOf) -> list[j.Tag]:
    """Return the attributes and what Jaeger has no field for."""
    own = _own_tags(record)
    if not n.OWN_KEYS.isdisjoint(attributes):
        attributes = _without_displaced(attributes, own)
    return remembered(attributes) + own


def _own_tags(record: SpanRecord) -> list[j.Tag]:
    """Return what the format itself has to say, in a list that is shared. `error` is there only on ERROR: its truth marks the span."""
    usual = _usual_tags(record.kind, record.status)
    scope = record.scope
    if scope is None and not (
        record.status_message
        or record.trace_state
        or record.dropped_attributes
        or record.dropped_events
        or record.dropped_links
    ):
        return usual
    tags = usual.copy()
    if record.status == StatusCode.ERROR and record.status_message:
        tags.append(tag_of(non_otlp.STATUS_MESSAGE_KEY, record.status_message))
    if record.trace_state:
        tags.append(tag_of(non_otlp.TRACE_STATE_KEY, record.trace_state))
    if scope is not None and scope.name and scope.name != non_otlp.OWN_SCOPE_NAME:
        tags.append(tag_of(non_otlp.SCOPE_NAME, scope.name))
        if scope.version:
            tags.append(tag_of(non_otlp.SCOPE_VERSION, scope.version))
    if record.dropped_attributes or record.dropped_events or record.dropped_links:
        tags += [
            tag_of(key, getattr(record, field)) for field, key in non_otlp.DROPPED.items() if getattr(record, field)
        ]
    return tags


@functools.lru_cache(maxsize=64)
def _usual_tags(kind: int, status: int) -> list[j.Tag]:
    """Return what nearly every span has to say: its kind and its status."""
    kind_tags = [_KIND_TAGS[kind]] if kind in _KIND_TAGS else []
    return kind_tags + _STATUS_TAGS.get(status, [])


def _without_displaced(attributes: dict[str, Value], own: list[j.Tag]) -> dict[str, Value]:
    """Return attributes of which none has the name of a tag of the format's, and none says `error=false`."""
    out = dict(attributes)
    if str(out.get(non_otlp.ERROR_KEY)).lower() == "false":
        del out[non_otlp.ERROR_KEY]
    for tag in own:
        if tag.key in out:
            given = out.pop(tag.key)
            if tag_of(tag.key, given) != tag:
                out[DISPLACED + tag.key] = given
    return out


def _references(record: SpanRecord, span: j.Span) -> list[j.SpanRef]:
    """Return the parent, then the links: a link to the parent would otherwise hide that it is one.

    Only where the link says that the parent is followed, not waited for (OpenTracing's FOLLOWS_FROM), is it the one reference to it.
    """
    links = [_reference(link) for link in record.links]
    if not span.parentSpanId or any(_follows_parent(link, record) for link in record.links):
        return links
    return [j.SpanRef(j.CHILD_OF, span.traceIdLow, span.traceIdHigh, span.parentSpanId), *links]


def _follows_parent(link: Link, record: SpanRecord) -> bool:
    said = link.attributes.get(n.REF_TYPE) == n.REF_FOLLOWS_FROM
    return said and (link.trace_id, link.span_id) == (record.trace_id, record.parent_id)


def _reference(link: Link) -> j.SpanRef:
    kind = j.CHILD_OF if link.attributes.get(n.REF_TYPE) == n.REF_CHILD_OF else j.FOLLOWS_FROM
    high, low = _two_signed(link.trace_id)
    return j.SpanRef(kind, low, high, _signed(link.span_id)[0])


def _log(event: Event) -> j.Log:
    fields: dict[str, Any] = {n.EVENT_KEY: event.name, **event.attributes} if event.name else dict(event.attributes)
    if event.dropped_attributes:
        fields.setdefault(non_otlp.DROPPED["dropped_attributes"], event.dropped_attributes)
    return j.Log(_micros(event.time_ns), tags_of(fields))


def _times(record: SpanRecord) -> tuple[int, int]:
    """Return start and duration in whole µs."""
    start, end = record.start_time_ns, record.end_time_ns
    if 0 <= start <= end < 2**63:  # nearly every span
        return start // 1000, (end - start) // 1000
    return _micros(start), min(record.duration_ns // 1000, MAX_US)


def _micros(time_ns: int) -> int:
    return min(max(0, time_ns // 1000), MAX_US)
