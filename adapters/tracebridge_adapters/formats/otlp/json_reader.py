"""OTLP JSON to SpanRecords.

Every form that protobuf's JSON mapping allows is read: enum names, numbers as text and text as numbers, snake_case keys, nulls for what
is absent. Files of `TracesData` lines come back through `decode` line by line.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import msgspec

from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.otlp.protobuf import FLAG_IS_REMOTE, OWN_SCOPE

Absorb = Callable[[dict[str, Value]], dict[str, Any]]
W3C_SAMPLED = 1  # what a span without flags is taken for: it has been sent, after all

_decode = msgspec.json.Decoder().decode
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def decode(data: bytes | str, absorb: Absorb) -> list[SpanRecord]:
    """Return the records of one TracesData (or ExportTraceServiceRequest) object.

    `absorb` splits a span's attributes into record fields. Raises ValueError for what is no OTLP JSON.
    """
    try:
        document = _decode(data)
        records = []
        for resource_spans in _get(document, "resourceSpans", []):
            given = _get(resource_spans, "resource", {})
            resource = Resource(_attributes(given), _text(resource_spans, "schemaUrl"))
            for scope_spans in _get(resource_spans, "scopeSpans", []):
                shown = _get(scope_spans, "scope", {})
                scope = Scope(
                    _text(shown, "name"), _text(shown, "version"), _attributes(shown), _text(scope_spans, "schemaUrl")
                )
                own = None if scope == OWN_SCOPE else scope
                records += [_span(span, resource, own, absorb) for span in _get(scope_spans, "spans", [])]
    except (
        msgspec.DecodeError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ValueError(f"not OTLP JSON: {error}") from error
    return records


def _get(given: Any, key: str, default: Any) -> Any:
    """Return a field under its lowerCamelCase or its original snake_case name; null means absent."""
    value = given.get(key)
    if value is None:
        value = given.get("".join(f"_{char.lower()}" if char.isupper() else char for char in key))
    return default if value is None else value


def _text(given: Any, key: str) -> str:
    value = _get(given, key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text: {value!r:.40}")
    return value


def _enum(value: Any, kind: type[Kind] | type[StatusCode], prefix: str) -> int:
    """Return an enum's number; one of a later version of the specification is read as 0, which means "not said"."""
    if isinstance(value, str) and not value.isdecimal():
        return int(kind[value.removeprefix(prefix)])
    return int(value) if int(value) in {int(member) for member in kind} else 0


def _id(given: Any, key: str, size: int) -> bytes:
    text = _text(given, key)
    raw = bytes.fromhex(text)
    if len(raw) != size or not any(raw):
        raise ValueError(f"{key} {text!r} is no ID of {size} bytes")
    return raw


def _span(span: Any, resource: Resource, scope: Scope | None, absorb: Absorb) -> SpanRecord:
    parent = _text(span, "parentSpanId")
    status = _get(span, "status", {})
    flags = int(_get(span, "flags", W3C_SAMPLED))
    absorbed = absorb(_attributes(span))
    return SpanRecord(
        trace_id=_id(span, "traceId", 16),
        span_id=_id(span, "spanId", 8),
        parent_id=_id(span, "parentSpanId", 8) if parent.strip("0") else None,
        name=_text(span, "name"),
        start_time_ns=int(_get(span, "startTimeUnixNano", 0)),
        end_time_ns=absorbed.pop("end_time_ns", int(_get(span, "endTimeUnixNano", 0))),
        kind=_enum(_get(span, "kind", 0), Kind, "SPAN_KIND_"),
        status=_enum(_get(status, "code", 0), StatusCode, "STATUS_CODE_"),
        status_message=_text(status, "message"),
        events=tuple([_event(event) for event in _get(span, "events", [])]),
        links=tuple([_link(link) for link in _get(span, "links", [])]),
        trace_state=_text(span, "traceState"),
        flags=flags & 0xFF,
        parent_is_remote=bool(flags & FLAG_IS_REMOTE),
        dropped_attributes=int(_get(span, "droppedAttributesCount", 0)),
        dropped_events=int(_get(span, "droppedEventsCount", 0)),
        dropped_links=int(_get(span, "droppedLinksCount", 0)),
        scope=scope,
        resource=resource,
        **absorbed,
    )


def _event(event: Any) -> Event:
    return Event(
        _text(event, "name"),
        int(_get(event, "timeUnixNano", 0)),
        _attributes(event),
        int(_get(event, "droppedAttributesCount", 0)),
    )


def _link(link: Any) -> Link:
    return Link(
        _id(link, "traceId", 16),
        _id(link, "spanId", 8),
        _text(link, "traceState"),
        _attributes(link),
        int(_get(link, "droppedAttributesCount", 0)),
        int(_get(link, "flags", 0)),
    )


def _attributes(holder: Any) -> dict[str, Value]:
    return _pairs(_get(holder, "attributes", []))


def _pairs(pairs: Any) -> dict[str, Value]:
    return {_text(pair, "key"): _value(pair.get("value")) for pair in pairs}


def _value(given: Any) -> Value:
    """Return an AnyValue's value: the one of its fields that is there."""
    for key, read in _READERS.items():
        value = _get(given or {}, key, None)
        if value is not None:
            return read(value)
    return None


def _same(kind: type) -> Callable[[Any], Value]:
    def read(value: Any) -> Value:
        if type(value) is not kind:
            raise ValueError(f"{value!r:.40} is no {kind.__name__}")
        return value

    return read


def _double(value: Any) -> float:
    return _SPECIAL[value] if isinstance(value, str) and value in _SPECIAL else float(value)


_READERS: dict[str, Callable[[Any], Value]] = {
    "stringValue": _same(str),
    "boolValue": _same(bool),
    "intValue": int,
    "doubleValue": _double,
    "arrayValue": lambda value: [_value(item) for item in _get(value, "values", [])],
    "kvlistValue": lambda value: _pairs(_get(value, "values", [])),
    "bytesValue": base64.b64decode,
}
