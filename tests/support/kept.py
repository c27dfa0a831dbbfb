"""What is left of a record when a server has had it and a reader has brought it back: each loss is named here, in one place per server."""

from __future__ import annotations

import msgspec

from support.readback import PEERS, jaeger_value, micros, text
from tracebridge.records.record import Event, Link, Resource, SpanRecord, StatusCode

replace = msgspec.structs.replace


def by_zipkin(record: SpanRecord) -> SpanRecord:
    """Microseconds, lower-case names, attributes as text, the resource's other attributes and tags among them, no remote mark."""
    start, duration = micros(record)
    resource = record.resource.attributes if record.resource else {}
    others = {key: text(value) for key, value in resource.items() if key != "service.name"}
    attributes = {**others, **record.tags, **{key: text(value) for key, value in record.attributes.items()}}
    if attributes.get("error") == "false":
        del attributes["error"]
    if "serviceName" in PEERS.get(
        record.name, {}
    ):  # the endpoint that Zipkin shows is told even where no such attribute was sent
        attributes.setdefault("peer.service", PEERS[record.name]["serviceName"])
    return replace(
        record,
        name=record.name.lower(),
        start_time_ns=start * 1000,
        end_time_ns=record.end_time_ns if record.end_before_start else (start + duration) * 1000,
        attributes=attributes,
        tags={},
        events=tuple([Event(e.name, e.time_ns // 1000 * 1000, e.attributes) for e in record.events]),
        resource=Resource({"service.name": str(resource.get("service.name", "")).lower()}),
        parent_is_remote=False,
    )


def in_micros(record: SpanRecord) -> SpanRecord:
    """Microseconds, as Jaeger's own protocol has them."""
    start = record.start_time_ns // 1000
    end = record.end_time_ns if record.end_before_start else (start + record.duration_ns // 1000) * 1000
    return replace(record, start_time_ns=start * 1000, end_time_ns=end)


def by_jaeger(record: SpanRecord) -> SpanRecord:
    """Lists and maps as text, links without attributes, no counts of what was dropped, no remote mark; tags among the attributes."""
    return replace(
        record,
        attributes={**record.tags, **{k: v if isinstance(v, int) else jaeger_value(v) for k, v in record.attributes.items()}},
        tags={},
        links=tuple([Link(link.trace_id, link.span_id) for link in record.links]),
        dropped_attributes=0,
        dropped_events=0,
        dropped_links=0,
        parent_is_remote=False,
    )  # fmt: skip


def by_jaeger_2(record: SpanRecord) -> SpanRecord:
    """Everything; tags are among the attributes, and a span without length ends a nanosecond after its start."""
    longer = record.end_time_ns == record.start_time_ns
    attributes = {**record.tags, **record.attributes}
    return replace(record, attributes=attributes, tags={}, end_time_ns=record.end_time_ns + longer)


def by_mlflow(record: SpanRecord) -> SpanRecord:
    """No scope, state or counts; text that is JSON has been read as JSON; the resource is the trace's, among its tags."""
    resource = record.resource.attributes if record.resource else {}
    others = {key: str(value) for key, value in resource.items() if key != "service.name"}
    return replace(
        record,
        attributes={k: {"not": "parsed"} if k == "json.text" else v for k, v in record.attributes.items()},
        tags={**others, **record.tags} if record.is_root else {},
        links=tuple([Link(link.trace_id, link.span_id, "", link.attributes) for link in record.links]),
        trace_state="",
        scope=None,
        resource=Resource({"service.name": resource["service.name"]}) if record.is_root else None,
        dropped_attributes=0,
        dropped_events=0,
        dropped_links=0,
        parent_is_remote=False,
        end_time_ns=record.end_time_ns,
        status_message=record.status_message if record.status == StatusCode.ERROR else "",
    )
