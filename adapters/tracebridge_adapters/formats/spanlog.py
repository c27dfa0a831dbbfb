"""`spanlog/1`: one finished span, one log line, and back.

The line is one JSON object that every shipper carries: IDs early, no nulls, no top-level key that a logging library claims for
itself (`name`, `message`, …), nanosecond instants as decimal text because many readers hold numbers as doubles. User data
stands only inside `attributes`, `resource`, `inputs`, `outputs`, `events` and `links`.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from tracebridge.record import EndCause, Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.spanlog_cut import cut_to_size

SCHEMA = "spanlog/1"
MAX_NAME = 1024  # characters of names and messages, which are never cut otherwise
ResourceChoice = Literal["always", "root", "off"]
Profile = Callable[[dict[str, Any]], dict[str, Any]]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_LEVELS = {StatusCode.UNSET: "info", StatusCode.OK: "info", StatusCode.ERROR: "error"}
_STATUS = {code: code.name.lower() for code in StatusCode}
_BYTES_KEY, _FLOAT_KEY = "$base64", "$float"
_NS = 1_000_000_000


def _same(fields: dict[str, Any]) -> dict[str, Any]:
    return fields


PROFILES: dict[str, Profile] = {"otel": _same}
"""A profile renames the fields of a line; the data stay the same."""

_last_second: tuple[int, str] = (-1, "")


def rfc3339(time_ns: int) -> str:
    """Return an instant with nine digits, UTC. The text of the last second is kept: lines come in order.

    >>> rfc3339(1_700_000_000_123_456_789)
    '2023-11-14T22:13:20.123456789Z'
    """
    global _last_second  # noqa: PLW0603 - a cache of one; a lost update costs one formatting
    second, rest = divmod(time_ns, _NS)
    known, text = _last_second
    if known != second:
        try:
            text = datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
        except (ValueError, OverflowError, OSError):  # beyond the year 9999
            text = "9999-12-31T23:59:59"
        _last_second = (second, text)
    return f"{text}.{rest:09d}Z"


def fields_of(record: SpanRecord, seq: int, resource: ResourceChoice) -> dict[str, Any]:
    """Return the line's fields in their order. Absent means absent: there are no nulls."""
    end_ns = max(record.start_time_ns, record.end_time_ns)
    status = StatusCode(record.status)
    out: dict[str, Any] = {
        "timestamp": rfc3339(end_ns),
        "level": _LEVELS[status],
        "event": "span.end",
        "schema": SCHEMA,
        "trace_id": record.trace_id.hex(),
        "span_id": record.span_id.hex(),
    }
    if record.parent_id is not None:
        out["parent_span_id"] = record.parent_id.hex()
    out["trace_flags"] = f"{record.flags & 0xFF:02x}"
    if record.trace_state:
        out["trace_state"] = record.trace_state
    if record.custom_trace_id is not None:
        out["custom_trace_id"] = record.custom_trace_id
    out["service"] = record.resource.service_name if record.resource is not None else "unknown_service"
    out["span_name"] = record.name[:MAX_NAME]
    out["span_kind"] = Kind(record.kind).name.lower()
    out["start_time"] = rfc3339(record.start_time_ns)
    out["start_time_unix_nano"] = str(record.start_time_ns)
    out["end_time_unix_nano"] = str(record.end_time_ns)
    out["duration_ms"] = record.duration_ns / 1e6
    out["duration_ns"] = record.duration_ns
    out["span_status"] = _STATUS[status]
    if record.status_message:
        out["status_message"] = record.status_message[:MAX_NAME]
    if record.attributes:
        out["attributes"] = _plain_mapping(record.attributes)
    if record.inputs is not None:
        out["inputs"] = _plain(record.inputs)
    if record.outputs is not None:
        out["outputs"] = _plain(record.outputs)
    _rare_fields(record, out)
    if record.resource is not None and (resource == "always" or (resource == "root" and record.parent_id is None)):
        out["resource"] = _plain_mapping(record.resource.attributes)
    out["seq"] = seq
    return out


def _rare_fields(record: SpanRecord, out: dict[str, Any]) -> None:
    if record.events:
        out["events"] = [_event(event) for event in record.events]
        _exception(record.events, out)
    if record.links:
        out["links"] = [_link(link) for link in record.links]
    if record.end_cause != EndCause.FINISHED:
        out["end_cause"] = record.end_cause
        if record.opened_at:
            out["opened_at"] = record.opened_at
    if record.span_type != "UNKNOWN":
        out["span_type"] = record.span_type
    if record.scope is not None:
        out["scope"] = {"name": record.scope.name, "version": record.scope.version}
        if record.scope.attributes:
            out["scope"]["attributes"] = _plain_mapping(record.scope.attributes)
    for key in (
        "tags",
        "id_scheme",
        "custom_span_id",
        "span_id_scheme",
        "experiment_id",
        "dropped_attributes",
        "dropped_events",
        "dropped_links",
        "repaired",
    ):
        value = getattr(record, key)
        if value:
            out[key] = value
    if record.truncated:
        out["truncated_values"] = record.truncated
    if record.parent_is_remote:
        out["parent_is_remote"] = True
    if record.shared:
        out["zipkin_shared"] = True
    if record.debug:
        out["debug"] = True
    if record.redacted:
        out["redacted"] = record.redacted


def _exception(events: list[Event], out: dict[str, Any]) -> None:
    """Lift the last exception into the flat fields that log stores group errors by."""
    for event in reversed(events):
        if event.name == "exception":
            for field, key in (("error_type", "type"), ("error_message", "message"), ("error_stack", "stacktrace")):
                value = event.attributes.get(f"exception.{key}")
                if isinstance(value, str) and value:
                    out[field] = value if field == "error_stack" else value[:MAX_NAME]
            return


def _event(event: Event) -> dict[str, Any]:
    out: dict[str, Any] = {"time_unix_nano": str(event.time_ns), "name": event.name[:MAX_NAME]}
    if event.attributes:
        out["attributes"] = _plain_mapping(event.attributes)
    if event.dropped_attributes:
        out["dropped_attributes"] = event.dropped_attributes
    return out


def _link(link: Link) -> dict[str, Any]:
    out: dict[str, Any] = {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}
    if link.trace_state:
        out["trace_state"] = link.trace_state
    if link.attributes:
        out["attributes"] = _plain_mapping(link.attributes)
    if link.dropped_attributes:
        out["dropped_attributes"] = link.dropped_attributes
    if link.flags:
        out["flags"] = link.flags
    return out


def encode_line(
    record: SpanRecord, seq: int, *, resource: ResourceChoice, max_bytes: int, profile: str = "otel"
) -> bytes:
    """Return the line with its newline, cut to `max_bytes` where it must be (see `spanlog_cut`)."""
    fields = fields_of(record, seq, resource)
    line = _encode(PROFILES[profile](fields))
    if len(line) >= max_bytes:
        line = cut_to_size(fields, max_bytes - 1, lambda kept: _encode(PROFILES[profile](kept)))
    return line + b"\n"


def _plain_mapping(attributes: dict[str, Value]) -> dict[str, Any]:
    for value in attributes.values():
        kind = type(value)
        if kind is not str and kind is not int and kind is not bool:
            return {key: _plain(item) for key, item in attributes.items()}
    return attributes


def _plain(value: Value) -> Any:
    """Return a value as JSON can carry it and `_restore` can tell apart: bytes and odd floats in a one-key object."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT_KEY: str(value)}
    if isinstance(value, bytes):
        return {_BYTES_KEY: base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


# ---------------------------------------------------------------------- reading


def decode_line(line: bytes | str) -> SpanRecord:
    """Return the record of one `otel` line. Raises ValueError for a line that is not one.

    A line that was not cut, written with `resource: always`, gives the very record back. Floats that JSON writes without a
    fraction come back as floats, because the writer always writes one.
    """
    try:
        given = _decode(line)
        if given["schema"] != SCHEMA or given["event"] != "span.end":
            raise ValueError(f"schema {given['schema']!r}, event {given['event']!r}")
        return _record(given)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a {SCHEMA} line: {error}") from error


def _record(given: dict[str, Any]) -> SpanRecord:
    parent = given.get("parent_span_id")
    scope = given.get("scope")
    resource = given.get("resource")
    attributes = _restore_mapping(resource) if resource is not None else {"service.name": given["service"]}
    return SpanRecord(
        trace_id=_id(given["trace_id"], 16),
        span_id=_id(given["span_id"], 8),
        parent_id=_id(parent, 8) if parent else None,
        name=given["span_name"],
        start_time_ns=int(given["start_time_unix_nano"]),
        end_time_ns=int(given["end_time_unix_nano"]),
        kind=int(Kind[given["span_kind"].upper()]),
        status=int(StatusCode[given["span_status"].upper()]),
        status_message=given.get("status_message", ""),
        attributes=_restore_mapping(given.get("attributes")),
        inputs=_restore(given.get("inputs")),
        outputs=_restore(given.get("outputs")),
        span_type=given.get("span_type", "UNKNOWN"),
        events=[
            Event(
                e["name"],
                int(e["time_unix_nano"]),
                _restore_mapping(e.get("attributes")),
                e.get("dropped_attributes", 0),
            )
            for e in given.get("events", [])
        ],
        links=[
            Link(
                _id(link["trace_id"], 16),
                _id(link["span_id"], 8),
                link.get("trace_state", ""),
                _restore_mapping(link.get("attributes")),
                link.get("dropped_attributes", 0),
                link.get("flags", 0),
            )
            for link in given.get("links", [])
        ],
        tags=given.get("tags", {}),
        custom_trace_id=given.get("custom_trace_id"),
        id_scheme=given.get("id_scheme"),
        custom_span_id=given.get("custom_span_id"),
        span_id_scheme=given.get("span_id_scheme"),
        trace_state=given.get("trace_state", ""),
        flags=int(given.get("trace_flags", "01"), 16),
        parent_is_remote=given.get("parent_is_remote", False),
        debug=given.get("debug", False),
        shared=given.get("zipkin_shared", False),
        end_cause=given.get("end_cause", EndCause.FINISHED.value),
        opened_at=given.get("opened_at", ""),
        dropped_attributes=given.get("dropped_attributes", 0),
        dropped_events=given.get("dropped_events", 0),
        dropped_links=given.get("dropped_links", 0),
        truncated=given.get("truncated_values", 0),
        redacted=given.get("redacted", 0),
        repaired=given.get("repaired", 0),
        experiment_id=given.get("experiment_id", ""),
        scope=None
        if scope is None
        else Scope(scope["name"], scope["version"], _restore_mapping(scope.get("attributes"))),
        resource=Resource(attributes),
    )


def _id(text: str, size: int) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != size or not any(raw):
        raise ValueError(f"{text!r} is no ID of {size} bytes")
    return raw


def _restore_mapping(given: dict[str, Any] | None) -> dict[str, Value]:
    return {key: _restore(value) for key, value in (given or {}).items()}


def _restore(value: Any) -> Value:
    if isinstance(value, list):
        return [_restore(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            if isinstance(value.get(_BYTES_KEY), str):
                return base64.b64decode(value[_BYTES_KEY])
            if value.get(_FLOAT_KEY) in {"nan", "inf", "-inf"}:
                return float(value[_FLOAT_KEY])
        return {key: _restore(item) for key, item in value.items()}
    return value
