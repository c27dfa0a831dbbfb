"""Traces read back from real servers, as plain comparable values, and what each server must say of a record.

What a server cannot keep is named here, in one place per server, instead of being left out of a comparison silently.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from support.backends.collector import Collector
from support.backends.jaeger import Jaeger
from support.backends.phoenix import Phoenix
from support.backends.process import http
from support.backends.zipkin import Zipkin
from support.otlp_view import ATTRIBUTES, hex_ids_to_base64, said
from tracebridge.records.record import Kind, SpanRecord, StatusCode

Said = dict[str, dict[str, Any]]
"""Spans by their hex ID."""

WAIT_S = 20.0


def poll(read: Callable[[], Said], count: int) -> Said:
    """Read until so many spans are there; return what is there in the end."""
    deadline = time.monotonic() + WAIT_S
    while True:
        got = read()
        if len(got) >= count or time.monotonic() > deadline:
            return got
        time.sleep(0.1)


def text(value: Any) -> str:
    """A value as the text-only systems show it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def micros(record: SpanRecord) -> tuple[int, int]:
    """Start and duration in whole microseconds, never shorter than one."""
    return record.start_time_ns // 1000, max(1, record.duration_ns // 1000)


# ---------------------------------------------------------------------- Zipkin


def zipkin_says(server: Zipkin, records: Sequence[SpanRecord]) -> Said:
    """The trace as Zipkin tells it."""

    def read() -> Said:
        answer = http.request("GET", f"{server.url}/api/v2/trace/{records[0].trace_id.hex()}")
        return {span["id"]: span for span in answer.json()} if answer.status == 200 else {}

    return poll(read, len(records))


def expected_of_zipkin(record: SpanRecord) -> dict[str, Any]:
    """Zipkin keeps text and microseconds, and lower-cases names (an empty name is left out)."""
    timestamp, duration = micros(record)
    out: dict[str, Any] = {
        "traceId": record.trace_id.hex(),
        "id": record.span_id.hex(),
        "timestamp": timestamp,
        "duration": duration,
        "localEndpoint": {"serviceName": record.resource.service_name.lower() if record.resource else ""},
        "tags": zipkin_tags(record),
    }
    if record.parent_id is not None:
        out["parentId"] = record.parent_id.hex()
    if record.name:
        out["name"] = record.name.lower()
    if record.kind > Kind.INTERNAL:
        out["kind"] = Kind(record.kind).name
    if record.events:
        out["annotations"] = [{"timestamp": e.time_ns // 1000, "value": annotation(e)} for e in record.events]
    remote = PEERS.get(record.name)
    if remote:
        out["remoteEndpoint"] = remote
    if record.debug:
        out["debug"] = True
    return out


PEERS: dict[str, dict[str, Any]] = {
    "client": {"serviceName": "inventory"},
    "client ip": {"ipv4": "10.1.2.3", "port": 5432},
    "client host": {"serviceName": "db.example"},
    "producer": {"serviceName": "topic"},
    "caller": {"serviceName": "other-service"},
}
"""The remote endpoints of the CLIENT and PRODUCER spans among the cases, written out rather than computed."""


def annotation(event: Any) -> str:
    """OpenTelemetry's Zipkin mapping: the bare name, or "name": {attributes}."""
    if not event.attributes:
        return str(event.name)
    return f"{json.dumps(event.name)}: {json.dumps(event.attributes, separators=(',', ':'))}"


def zipkin_tags(record: SpanRecord) -> dict[str, str]:
    """What is among a span's tags on the wire."""
    tags = {key: text(value) for key, value in ATTRIBUTES(record).items()}
    if tags.get("error") == "false":
        del tags["error"]
    if record.status == StatusCode.ERROR:
        tags.update({"otel.status_code": "ERROR", "error": record.status_message})
    elif record.status == StatusCode.OK:
        tags["otel.status_code"] = "OK"
    if record.trace_state:
        tags["w3c.tracestate"] = record.trace_state
    if record.scope is not None:
        tags.update({"otel.scope.name": record.scope.name, "otel.scope.version": record.scope.version})
    for number, link in enumerate(record.links):
        attributes = json.dumps(link.attributes, separators=(",", ":"))
        tags[f"otlp.link.{number}"] = f"{link.trace_id.hex()}|{link.span_id.hex()}|{link.trace_state}|{attributes}|0"
    for what in ("attributes", "events", "links"):
        count = getattr(record, f"dropped_{what}")
        if count:
            tags[f"otel.dropped_{what}_count"] = str(count)
    others = {
        k: text(v) for k, v in (record.resource.attributes if record.resource else {}).items() if k != "service.name"
    }
    return {**others, **tags}


# ---------------------------------------------------------------------- Jaeger


def jaeger_says(server: Jaeger, records: Sequence[SpanRecord]) -> Said:
    """The trace as Jaeger's query API tells it, without its own bookkeeping tags."""

    def read() -> Said:
        answer = http.request("GET", f"{server.query_url}/api/traces/{records[0].trace_id.hex()}")
        if answer.status != 200:
            return {}
        out: Said = {}
        for trace in answer.json()["data"]:
            for span in trace["spans"]:
                process = trace["processes"][span["processID"]]
                out[span["spanID"]] = {
                    "name": span["operationName"],
                    "start": span["startTime"],
                    "duration": span["duration"],
                    "references": [(r["refType"], r["traceID"], r["spanID"]) for r in span["references"]],
                    "tags": {t["key"]: t["value"] for t in span["tags"] if t["key"] not in JAEGERS_OWN_TAGS},
                    "logs": [(log["timestamp"], {f["key"]: f["value"] for f in log["fields"]}) for log in span["logs"]],
                    "service": process["serviceName"],
                    "process": {t["key"]: t["value"] for t in process.get("tags") or []},
                }
        return out

    return poll(read, len(records))


JAEGERS_OWN_TAGS = {"internal.span.format"}


def expected_of_jaeger(record: SpanRecord) -> dict[str, Any]:
    """Jaeger fed by OTLP keeps types; arrays and maps as JSON text; dropped counts and link attributes are lost."""
    tags = {key: jaeger_value(value) for key, value in ATTRIBUTES(record).items()}
    tags["otel.scope.name"] = record.scope.name if record.scope else "tracebridge"
    if record.scope and record.scope.version:
        tags["otel.scope.version"] = record.scope.version
    tags["span.kind"] = Kind(record.kind).name.lower()
    if record.status == StatusCode.ERROR:
        tags.update({"error": True, "otel.status_code": "ERROR"})
        if record.status_message:
            tags["otel.status_description"] = record.status_message
    elif record.status == StatusCode.OK:
        tags["otel.status_code"] = "OK"
    if record.trace_state:
        tags["w3c.tracestate"] = record.trace_state
    trace_id = record.trace_id.hex()
    parent = [("CHILD_OF", trace_id, record.parent_id.hex())] if record.parent_id else []
    links = [("FOLLOWS_FROM", link.trace_id.hex(), link.span_id.hex()) for link in record.links]
    resource = record.resource.attributes if record.resource else {}
    return {
        "name": record.name,
        "start": record.start_time_ns // 1000,
        "duration": record.duration_ns // 1000,
        "references": parent + links,
        "tags": tags,
        "logs": [
            (e.time_ns // 1000, {"event": e.name, **{k: jaeger_value(v) for k, v in e.attributes.items()}})
            for e in record.events
        ],
        "service": resource["service.name"],
        "process": {key: value for key, value in resource.items() if key != "service.name"},
    }


def jaeger_value(value: Any) -> Any:
    """Scalars keep their type, integers beyond a double's 53 bits come back as text, the rest is JSON text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= 2**53 else str(value)
    return text(value) if isinstance(value, (list, dict)) else value


# ---------------------------------------------------------------------- the Collector


def collector_says(server: Collector, records: Sequence[SpanRecord]) -> Said:
    """The trace as the Collector passes it on in OTLP JSON, decoded by protobuf's own JSON mapping."""

    def read() -> Said:
        while not server.sink.bodies.empty():
            document = hex_ids_to_base64(json.loads(server.sink.bodies.get()))
            server.seen += said(json_format.ParseDict(document, TracesData(), ignore_unknown_fields=True))
        return {span["span_id"].hex(): span for span in server.seen if span["trace_id"] == records[0].trace_id}

    return poll(read, len(records))


# ---------------------------------------------------------------------- Phoenix


def phoenix_says(server: Phoenix, records: Sequence[SpanRecord]) -> Said:
    """The trace as Phoenix tells it."""

    def read() -> Said:
        url = f"{server.url}/v1/projects/default/spans?trace_id={records[0].trace_id.hex()}&limit=1000"
        answer = http.request("GET", url)
        return {span["context"]["span_id"]: span for span in answer.json()["data"]} if answer.status == 200 else {}

    return poll(read, len(records))
