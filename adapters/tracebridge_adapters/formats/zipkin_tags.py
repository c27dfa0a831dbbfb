"""What Zipkin can say of a span, whichever its encoding: text tags, annotations and endpoints.

The mapping is OpenTelemetry's ("Zipkin exporter") where it has one and the Collector's where it has none (links, resource
attributes), with the corrections that real Zipkin servers need.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tracebridge.record import UNKNOWN_SERVICE, Event, Kind, Link, SpanRecord, StatusCode, Value

KIND_NAMES: Final = {Kind.SERVER: "SERVER", Kind.CLIENT: "CLIENT", Kind.PRODUCER: "PRODUCER", Kind.CONSUMER: "CONSUMER"}
KINDS_BY_NAME: Final = {name: int(kind) for kind, name in KIND_NAMES.items()}
STATUS_KEY, ERROR_KEY, TRACE_STATE_KEY, LINK_PREFIX = "otel.status_code", "error", "w3c.tracestate", "otlp.link."
SCOPE_NAME, SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
DROPPED: Final = {
    "otel.dropped_attributes_count": "dropped_attributes",
    "otel.dropped_events_count": "dropped_events",
    "otel.dropped_links_count": "dropped_links",
}
OWN_SCOPE_NAME = "tracebridge"
_V1_MARK, _V1_MENDED = 'yAnnotations"', "yAnnotations\\u0022"

PEER_KEYS: Final = (
    ("peer.service", None),
    ("server.address", "server.port"),
    ("net.peer.name", "net.peer.port"),
    ("network.peer.address", "network.peer.port"),
    ("server.socket.domain", None),
    ("server.socket.address", "server.socket.port"),
    ("net.sock.peer.name", None),
    ("net.sock.peer.addr", "net.sock.peer.port"),
    ("peer.hostname", None),
    ("peer.address", None),
    ("db.name", None),
)
"""Where the other side of a CLIENT or PRODUCER span is named, the most telling first, and the port beside it."""

_json = msgspec.json.Encoder().encode


def as_text(value: Value) -> str:
    """Return a value as Zipkin shows it: text as it is, truth values as true/false, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _json(value).decode()


def tags_of(record: SpanRecord, attributes: Mapping[str, Value]) -> dict[str, str]:
    """Return the tags of a span: its attributes as text, and what Zipkin has no field for.

    `error` is there only on ERROR, because its mere presence marks the span in every Zipkin UI.
    """
    tags = {
        key: value if type(value) is str else as_text(value) for key, value in attributes.items() if value is not None
    }
    if str(tags.get(ERROR_KEY)).lower() == "false":
        del tags[ERROR_KEY]
    if record.status == StatusCode.ERROR:
        tags[STATUS_KEY] = "ERROR"
        tags[ERROR_KEY] = record.status_message or tags.get(ERROR_KEY, "")
    elif record.status == StatusCode.OK:
        tags[STATUS_KEY] = "OK"
    if record.trace_state:
        tags[TRACE_STATE_KEY] = record.trace_state
    if record.scope is not None and record.scope.name and record.scope.name != OWN_SCOPE_NAME:
        tags[SCOPE_NAME] = record.scope.name
        if record.scope.version:
            tags[SCOPE_VERSION] = record.scope.version
    for number, link in enumerate(record.links):
        tags[f"{LINK_PREFIX}{number}"] = link_text(link)
    for key, field in DROPPED.items():
        if getattr(record, field):
            tags[key] = str(getattr(record, field))
    if record.resource is not None and len(record.resource.attributes) > 1:
        for key, value in record.resource.attributes.items():
            if key != "service.name":
                tags.setdefault(key, as_text(value))
    return tags


def link_text(link: Link) -> str:
    """Return a link as the Collector writes it: `traceid|spanid|tracestate|{json}|dropped`."""
    attributes = _json(link.attributes).decode()
    return f"{link.trace_id.hex()}|{link.span_id.hex()}|{link.trace_state}|{attributes}|{link.dropped_attributes}"


def annotation_text(event: Event) -> str:
    """Return an event as an annotation's text: `"name": {attributes as JSON}`, or the bare name."""
    if not event.attributes:
        return event.name
    return f"{_json(event.name).decode()}: {_json(event.attributes).decode()}"


def microseconds(record: SpanRecord) -> tuple[int, int]:
    """Return (timestamp, duration) in whole µs; a finished span lasts at least 1 µs, because 0 means absent."""
    return record.start_time_ns // 1000, max(1, record.duration_ns // 1000)


def remote_endpoint(record: SpanRecord) -> dict[str, Any]:
    """Return the other side of a CLIENT or PRODUCER span, as Zipkin's JSON endpoint; empty when it is not known."""
    if record.kind not in {Kind.CLIENT, Kind.PRODUCER}:
        return {}
    attributes = record.attributes
    for key, port_key in PEER_KEYS:
        name = attributes.get(key)
        if isinstance(name, str) and name:
            endpoint: dict[str, Any] = ip_fields(name) or {"serviceName": name}
            port = attributes.get(port_key) if port_key else None
            if isinstance(port, str) and port.isdigit():
                port = int(port)
            if type(port) is int and 1 <= port <= 65535:
                endpoint["port"] = port
            return endpoint
    return {}


def ip_fields(text: str) -> dict[str, str]:
    """Return an address as Zipkin's ipv4 or ipv6 field; empty for what is no address."""
    if not text[:1].isalnum() and text[:1] != ":":
        return {}
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return {}
    return {f"ipv{address.version}": str(address)}


def local_endpoint(record: SpanRecord) -> dict[str, Any]:
    """Return the span's own side, from its own resource: every span has one."""
    resource = record.resource
    if resource is None:
        return {"serviceName": UNKNOWN_SERVICE}
    endpoint: dict[str, Any] = {"serviceName": resource.service_name}
    ip = resource.attributes.get("host.ip")
    first = ip[0] if isinstance(ip, list) and ip else ip
    if isinstance(first, str):
        endpoint.update(ip_fields(first))
    return endpoint


def not_v1(body: bytes) -> bytes:
    """Return a v2 body in which nothing makes Zipkin take it for v1: it looks for `yAnnotations"` in the bytes."""
    mark = _V1_MARK.encode()
    return body.replace(mark, _V1_MENDED.encode()) if mark in body else body


# ---------------------------------------------------------------------- reading


def status_of(tags: dict[str, Any]) -> tuple[int, str]:
    """Take the status out of tags: OK/ERROR in any spelling, or any `error` tag but "false". Returns (code, message)."""
    said = str(tags.pop(STATUS_KEY, "")).removeprefix("STATUS_CODE_").upper()
    error = tags.get(ERROR_KEY)
    if said == "ERROR" or (said != "OK" and error is not None and str(error).lower() != "false"):
        tags.pop(ERROR_KEY, None)
        return int(StatusCode.ERROR), "" if error is None else str(error)
    return int(StatusCode.OK if said == "OK" else StatusCode.UNSET), ""


def links_from(tags: dict[str, Any]) -> list[Link]:
    """Take the links out of tags, in their order; what cannot be read as a link stays a tag."""
    found = sorted(
        (key for key in tags if key.startswith(LINK_PREFIX) and key[len(LINK_PREFIX) :].isdigit()), key=_number
    )
    links = []
    for key in found:
        link = _read_link(str(tags[key]))
        if link is not None:
            del tags[key]
            links.append(link)
    return links


def _number(key: str) -> int:
    return int(key[len(LINK_PREFIX) :])


def _read_link(text: str) -> Link | None:
    try:
        trace_id, span_id, rest = text.split("|", 2)
        front, dropped = rest.rsplit("|", 1)
        trace_state, attributes = front.split("|", 1)
        return Link(
            bytes.fromhex(trace_id.zfill(32)),
            bytes.fromhex(span_id),
            trace_state,
            msgspec.json.decode(attributes),
            int(dropped),
        )
    except (ValueError, TypeError, msgspec.DecodeError):
        return None


def event_from(text: str, time_us: int) -> Event:
    """Return the event that an annotation's text stands for."""
    if text.startswith('"') and text.endswith("}"):
        name, colon, attributes = text.partition('": {')
        if colon:
            try:
                return Event(msgspec.json.decode(name + '"'), time_us * 1000, msgspec.json.decode("{" + attributes))
            except msgspec.DecodeError:
                pass
    return Event(text, time_us * 1000)


def dropped_from(tags: dict[str, Any]) -> dict[str, Any]:
    """Take the counts of what was dropped out of tags."""
    return {field: int(tags.pop(key)) for key, field in DROPPED.items() if str(tags.get(key, "")).isdigit()}
