"""What Zipkin can say of a span, whichever its encoding: text tags, annotations and endpoints.

The mapping is OpenTelemetry's ("Zipkin exporter") where it has one and the Collector's where it has none (links, resource
attributes), with the corrections that real Zipkin servers need.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from typing import Any, Final

from tracebridge.records.record import UNKNOWN_SERVICE, Event, Kind, Link, Resource, SpanRecord, StatusCode, Value
from tracebridge_adapters.dialects import DISPLACED, as_json
from tracebridge_adapters.formats.shared import non_otlp
from tracebridge_adapters.formats.shared.non_otlp import (
    ERROR_KEY,
    OWN_SCOPE_NAME,
    SCOPE_NAME,
    SCOPE_VERSION,
    STATUS_KEY,
    TRACE_STATE_KEY,
)

KIND_NAMES: Final = {int(kind): kind.name for kind in (Kind.SERVER, Kind.CLIENT, Kind.PRODUCER, Kind.CONSUMER)}
KINDS_BY_NAME: Final = {name: kind for kind, name in KIND_NAMES.items()}
CALLERS: Final = frozenset((int(Kind.CLIENT), int(Kind.PRODUCER)))
"""The kinds that have another side. Plain integers: asking for an enum's member costs as much as encoding a tag."""
LINK_PREFIX = "otlp.link."
DROPPED: Final = {key: field for field, key in non_otlp.DROPPED.items()}
SCHEMA_URL: Final = "https://zipkin.io/zipkin-api/"
"""The schema of a resource that stands for a Zipkin endpoint. A span of such a resource was made by a Zipkin tracer: its endpoints go back
to Zipkin as endpoints, not as tags, and a time that it does not tell stays untold."""
HOST_IP, HOST_PORT = "host.ip", "net.host.port"
PEER_SERVICE, PEER_ADDRESS, PEER_PORT = "peer.service", "network.peer.address", "network.peer.port"
MAX_US = 2**63 // 1000  # the last microsecond that nanoseconds in 64 bits can say
_V1_MARK, _V1_ESCAPED = b'yAnnotations"', b'yAnnotation\\u0073"'  # the same text in JSON, its last letter escaped

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
    return as_json(value)


def is_zipkins_own(record: SpanRecord) -> bool:
    """Whether a Zipkin tracer made the span."""
    return record.resource is not None and record.resource.schema_url == SCHEMA_URL


def tags_of(record: SpanRecord, attributes: Mapping[str, Value]) -> dict[str, str]:
    """Return the tags of a span: its attributes as text, and what Zipkin has no field for.

    `error` is there only on ERROR, because its mere presence marks the span in every Zipkin UI.
    """
    tags = {
        key: value if type(value) is str else as_text(value) for key, value in attributes.items() if value is not None
    }
    own = is_zipkins_own(record)
    if own:
        for key in (PEER_SERVICE, PEER_ADDRESS, PEER_PORT):
            tags.pop(DISPLACED + key if DISPLACED + key in tags else key, None)
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
    if record.resource is not None and not own:
        for key, value in record.resource.attributes.items():
            if key != "service.name":
                tags.setdefault(key, as_text(value))
    return tags


def link_text(link: Link) -> str:
    """Return a link as the Collector writes it: `traceid|spanid|tracestate|{json}|dropped`."""
    start = f"{link.trace_id.hex()}|{link.span_id.hex()}|{link.trace_state}"
    return f"{start}|{as_json(link.attributes)}|{link.dropped_attributes}"


def annotation_text(event: Event) -> str:
    """Return an event as an annotation's text: `"name": {attributes as JSON}`, or the bare name."""
    if not event.attributes:
        return event.name
    return f"{as_json(event.name)}: {as_json(event.attributes)}"


def microseconds(record: SpanRecord) -> tuple[int, int]:
    """Return (timestamp, duration) in whole µs, 0 for what is not told.

    A finished span lasts at least 1 µs, because 0 means absent; one that a Zipkin tracer left without a duration stays so.
    """
    start, end = record.start_time_ns, record.end_time_ns
    if 1000 <= start <= end - 1000 and end < 2**63:  # nearly every span: nothing below is needed
        return start // 1000, (end - start) // 1000
    duration = record.duration_ns // 1000
    if not duration and not (is_zipkins_own(record) and not record.end_before_start):
        duration = 1
    return min(max(0, record.start_time_ns // 1000), MAX_US), min(duration, MAX_US)


def instant(event: Event) -> int:
    """Return an event's time in whole µs."""
    return min(max(0, event.time_ns // 1000), MAX_US)


def remote_endpoint(record: SpanRecord) -> dict[str, Any]:
    """Return the other side of a span, as Zipkin's JSON endpoint; empty when it is not known.

    It is looked for in CLIENT and PRODUCER spans; spans of Zipkin tracers bring theirs along, whatever their kind.
    """
    attributes = record.attributes
    if is_zipkins_own(record):
        service, address, port = (
            attributes[DISPLACED + key] if DISPLACED + key in attributes else attributes.get(key)
            for key in (PEER_SERVICE, PEER_ADDRESS, PEER_PORT)
        )
        return {**({"serviceName": service} if service else {}), **_addresses(address), **_port(port)}
    if record.kind not in CALLERS:
        return {}
    for key, port_key in PEER_KEYS:
        name = attributes.get(key)
        if isinstance(name, str) and name:
            return {**(ip_fields(name) or {"serviceName": name}), **_port(attributes.get(port_key or ""))}
    return {}


def local_endpoint(resource: Resource | None) -> dict[str, Any]:
    """Return a span's own side, from its resource: every span has one."""
    if resource is None:
        return {"serviceName": UNKNOWN_SERVICE}
    attributes = resource.attributes
    return {
        "serviceName": resource.service_name,
        **_addresses(attributes.get(HOST_IP)),
        **_port(attributes.get(HOST_PORT)),
    }


def _port(given: Value) -> dict[str, int]:
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 5:
        given = int(given)
    return {"port": given} if type(given) is int and 1 <= given <= 65535 else {}


def _addresses(given: Value) -> dict[str, str]:
    """Return the first address of each version."""
    out: dict[str, str] = {}
    for address in reversed(given if isinstance(given, list) else [given]):
        if isinstance(address, str):
            out.update(ip_fields(address))
    return out


def ip_fields(text: str) -> dict[str, str]:
    """Return an address as Zipkin's ipv4 or ipv6 field; empty for any other text."""
    if not text[:1].isalnum() and text[:1] != ":":
        return {}
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return {}
    return {f"ipv{address.version}": str(address)}


def not_v1(body: bytes) -> bytes:
    """Return a v2 body in which nothing makes Zipkin take it for v1: it looks for `yAnnotations"` in the bytes."""
    return body.replace(_V1_MARK, _V1_ESCAPED) if _V1_MARK in body else body
