"""Zipkin spans to SpanRecords: every encoding becomes v2's JSON object first, and is read here.

Zipkin keeps text and microseconds: numbers and truth values that we sent come back as text. A span whose IDs cannot be told is left out
and named; anything else that is broken is repaired, counted in the record's `repaired`, and read on.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Event, Kind, Resource, Scope, SpanRecord, Value
from tracebridge.records.span_identity import settled
from tracebridge.records.values import INT64_MAX, Tally
from tracebridge_adapters.dialects import DISPLACED
from tracebridge_adapters.formats.shared import non_otlp
from tracebridge_adapters.formats.zipkin import tags as z
from tracebridge_adapters.formats.zipkin.tags_reader import (
    dropped_of,
    event_from,
    id_from_hex,
    links_of,
    reducer,
    status_of,
)

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]
"""Splits a span's tags into fields of the record."""

_NO_KIND = {"", "INTERNAL", "LOCAL"}


def read_all(spans: Iterable[Any], take_apart: TakeApart) -> Decoded:
    """Return the records of v2 objects, pieces of one span merged, and the damage of each that cannot be one."""
    out = Decoded([])
    resources: dict[str, Resource] = {}
    for number, span in enumerate(spans, 1):
        try:
            out.records.append(_record(span, take_apart, resources))
        except ValueError as error:
            out.damage.append(f"span {number}: {error}")
    return Decoded(settled(out.records), damage=out.damage)


def _record(span: Any, take_apart: TakeApart, resources: dict[str, Resource]) -> SpanRecord:
    if not isinstance(span, dict):
        raise ValueError(f"a JSON object is expected, not {str(span)[:40]!r}")
    trace_id, span_id = _id(span, "traceId", 16), _id(span, "id", 8)
    tally = Tally()
    tags = _tags(span.get("tags"), tally)
    status, message = status_of(tags)
    links, dropped = links_of(tags), dropped_of(tags)
    trace_state = str(tags.pop(non_otlp.TRACE_STATE_KEY, ""))
    scope = (
        Scope(str(tags.pop(non_otlp.SCOPE_NAME)), str(tags.pop(non_otlp.SCOPE_VERSION, "")))
        if non_otlp.SCOPE_NAME in tags
        else None
    )
    taken = take_apart(tags)
    _add_remote(taken["attributes"], _endpoint(span.get("remoteEndpoint"), tally))
    events = _events(span.get("annotations"), tally)
    start_ns = _start_ns(span.get("timestamp"), events, tally)
    duration_ns = _micros(span.get("duration"), tally) * 1000
    kind = _kind(span.get("kind"), tally)
    fields: dict[str, Any] = {
        "name": _text(span.get("name"), tally),
        "parent_id": _parent(span.get("parentId"), span_id, tally),
        "end_time_ns": min(start_ns + duration_ns, INT64_MAX),
        "resource": _resource(_endpoint(span.get("localEndpoint"), tally), resources),
        **dropped,
        **taken,
    }
    fields["repaired"] = fields.get("repaired", 0) + tally.repaired
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        kind=kind,
        start_time_ns=start_ns,
        status=status,
        status_message=message,
        events=tuple(events),
        links=tuple(links),
        trace_state=trace_state,
        debug=span.get("debug") in (True, "true"),
        shared=kind != Kind.CLIENT and span.get("shared") in (True, "true"),  # a client's span is its own
        scope=scope,
        **fields,
    )


def _id(span: dict[str, Any], key: str, size: int) -> bytes:
    given = span.get(key)
    read = id_from_hex(given, size)
    if read is None:
        raise ValueError(f"{key} {str(given)[:80]!r} is no ID: 1 to {size * 2} hex digits, not all zero")
    return read


def _parent(given: Any, span_id: bytes, tally: Tally) -> bytes | None:
    if given is None or (isinstance(given, str) and not given.strip("0")):
        return None
    parent = id_from_hex(given, 8)
    if parent is None or parent == span_id:  # rule of every back-end: no span is its own parent
        tally.repaired += 1
        return None
    return parent


def _text(given: Any, tally: Tally) -> str:
    if given is None or isinstance(given, str):
        return given or ""
    tally.repaired += 1
    return z.as_text(given)


def _micros(given: Any, tally: Tally) -> int:
    """Return a time in microseconds; text and floats are understood, what is neither is 0 and counted."""
    if given is None:
        return 0
    try:
        number = int(given if isinstance(given, (int, float, str)) else "")
    except (ValueError, OverflowError):
        number = z.MAX_US + 1
    if abs(number) > z.MAX_US or isinstance(given, bool):
        tally.repaired += 1
        return 0
    return number


def _start_ns(given: Any, events: list[Event], tally: Tally) -> int:
    """Return the start; a span that does not tell it starts with its first annotation."""
    start_us = _micros(given, tally)
    if start_us > 0:
        return start_us * 1000
    if start_us < 0:
        tally.repaired += 1
    return min((event.time_ns for event in events if event.time_ns > 0), default=0)


def _kind(given: Any, tally: Tally) -> int:
    name = given.upper() if isinstance(given, str) else given
    if isinstance(name, str) and name in z.KINDS_BY_NAME:
        return z.KINDS_BY_NAME[name]
    if name is not None and not (isinstance(name, str) and name in _NO_KIND):
        tally.repaired += 1
    return int(Kind.INTERNAL)


def _tags(given: Any, tally: Tally) -> dict[str, Value]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        tally.repaired += 1
        return {"zipkin.tags": reducer.attribute(given, tally)}
    tags = {
        key: value if type(value) is str else reducer.attribute(value, tally)
        for key, value in given.items()
        if value is not None
    }
    tally.repaired += len(given) - len(tags)
    return tags


def _events(given: Any, tally: Tally) -> list[Event]:
    out = []
    for annotation in given if isinstance(given, list) else []:
        if isinstance(annotation, dict) and annotation.get("value") is not None:
            time_us = max(0, _micros(annotation.get("timestamp"), tally))
            out.append(event_from(_text(annotation["value"], tally), time_us))
        else:
            tally.repaired += 1
    if given is not None and not isinstance(given, list):
        tally.repaired += 1
    return out


def _endpoint(given: Any, tally: Tally) -> dict[str, Any]:
    """Return what an endpoint says and can be true."""
    if not isinstance(given, dict):
        tally.repaired += given is not None
        return {}
    out: dict[str, Any] = {}
    service = given.get("serviceName")
    if service:
        out["serviceName"] = _text(service, tally)
    for field, version in (("ipv4", 4), ("ipv6", 6)):
        address = given.get(field)
        if not address:
            continue
        try:
            out[field], found = _address(str(address))
            tally.repaired += found != version
        except ValueError:
            tally.repaired += 1
    port = given.get("port")
    if type(port) is int and 0 < port <= 65535:
        out["port"] = port
    elif port:
        tally.repaired += 1
    return out


@functools.lru_cache(maxsize=1024)  # few hosts, many spans
def _address(text: str) -> tuple[str, int]:
    """Return an address as it is written, and its version. Raises ValueError for anything else."""
    address = ipaddress.ip_address(text)
    return str(address), address.version


def _addresses(endpoint: dict[str, Any]) -> list[str]:
    return [endpoint[field] for field in ("ipv4", "ipv6") if field in endpoint]


def _resource(endpoint: dict[str, Any], resources: dict[str, Resource]) -> Resource:
    """Return the resource that stands for a local endpoint, the same one for the same endpoint."""
    key = repr(endpoint)
    known = resources.get(key)
    if known is None:
        attributes: dict[str, Value] = {}
        if "serviceName" in endpoint:
            attributes["service.name"] = endpoint["serviceName"]
        if _addresses(endpoint):
            attributes[z.HOST_IP] = _addresses(endpoint)
        if "port" in endpoint:
            attributes[z.HOST_PORT] = endpoint["port"]
        known = resources[key] = Resource(attributes, z.SCHEMA_URL)
    return known


def _add_remote(attributes: dict[str, Value], endpoint: dict[str, Any]) -> None:
    """Add a remote endpoint under OpenTelemetry's names; a tag of the same name keeps it, and the endpoint gives way."""
    addresses = _addresses(endpoint)
    said = {
        z.PEER_SERVICE: endpoint.get("serviceName"),
        z.PEER_ADDRESS: addresses[0] if len(addresses) == 1 else addresses or None,
        z.PEER_PORT: endpoint.get("port"),
    }
    for key, value in said.items():
        if key in attributes:
            attributes[DISPLACED + key] = "" if value is None else value
        elif value is not None:
            attributes[key] = value
