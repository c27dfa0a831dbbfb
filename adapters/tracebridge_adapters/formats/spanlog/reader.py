"""Lines to records, in every profile.

Names are brought back to `Line`'s, types and forms are checked by msgspec, and what was cut is said. What a shipper changed of a line is read by
`tolerance`; a line without IDs or without a time is an error.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.spanlog.cut import EXCEPTION, STACKTRACE
from tracebridge_adapters.formats.spanlog.line import END, SCHEMA, EventFields, Line, LinkFields
from tracebridge_adapters.formats.spanlog.nested import flattened, is_nested
from tracebridge_adapters.formats.spanlog.profiles import ECS_PREFIX, GCP_TRACE, PROFILES, default_of
from tracebridge_adapters.formats.spanlog.tolerance import fitted
from tracebridge_adapters.formats.spanlog.values import restore, restored

_MET_ON_THE_WAY: Final = {"timestamp": "", "level": "info", "event": END}
"""Fields that logging libraries and stores set anew; none of them is needed to know the span."""

_BACK: Final[Mapping[str, Mapping[str, str]]] = {
    name: {spelled: own for own, spelled in profile.spelling.items()} for name, profile in PROFILES.items()
}
_OTHERS = ECS_PREFIX + "attributes"
"""What ECS's labels cannot hold."""
_KIND = {kind.name.lower(): int(kind) for kind in Kind}
_FLAGS = {f"{flags:02x}": flags for flags in range(256)}
_NO_ID = (bytes(16), bytes(8))
_STATUS = {code.name.lower(): int(code) for code in StatusCode}
_NEEDED: Final = ("span_name", "span_kind", "span_status")
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode


_OWN_CHECK: Final[Mapping[str, Any]] = {
    "trace_id": str,
    "span_id": str,
    "parent_span_id": str | UnsetType,
    "trace_flags": str,
    "start_time_unix_nano": str | UnsetType,
    "end_time_unix_nano": str | UnsetType,
}
"""Fields whose form `record_of` checks as well: matching the patterns of `Line` costs as much as all the rest."""

_decode_otel = msgspec.json.Decoder(
    msgspec.defstruct(
        "OtelLine",
        [
            (field.name, kind) if field.required else (field.name, kind, default_of(field))
            for field in msgspec.structs.fields(Line)
            for kind in [_OWN_CHECK.get(field.name, field.type)]
        ],
    )
).decode


def read_otel(line: bytes) -> Line | None:
    """Return an `otel` line straight from its bytes; None for any other, which has to be read the long way.

    Nothing but `record_of` may be done with it. Raises msgspec.DecodeError for what is not JSON.
    """
    try:
        found: Any = _decode_otel(line)
    except msgspec.ValidationError:
        return None
    return found  # type: ignore[no-any-return]  # the same fields, less narrowly typed


def read(given: dict[str, Any]) -> tuple[Line, list[str]]:
    """Return the line that a JSON object is, in whatever profile, and which fields a shipper changed. Raises ValueError for one that is not ours."""
    named = _in_own_names(given)
    if named.get("schema") != SCHEMA:
        raise ValueError(f"schema {named.get('schema')!r:.40}")
    for name, default in _MET_ON_THE_WAY.items():
        if name != "event" or named.get("event") is None:
            named[name] = default
    try:
        return msgspec.convert(named, Line, strict=False), []  # some shippers make numbers text
    except (msgspec.ValidationError, RecursionError):
        return fitted(named)


def _in_own_names(given: dict[str, Any]) -> dict[str, Any]:
    if is_nested(given):
        given = flattened(given, [*_BACK["ecs"], _OTHERS])
    if ECS_PREFIX + "schema" in given:
        back = _BACK["ecs"]
        named = {back[key]: value for key, value in given.items() if key in back}
        labels, others = named.get("attributes", {}), given.get(_OTHERS)
        if isinstance(labels, dict) and isinstance(others, dict):
            named["attributes"] = {**labels, **others}
        return named
    back = _BACK["gcp" if "trace_id" not in given and GCP_TRACE in given else "datadog"]
    named = given.copy()
    for key in back.keys() & given.keys():
        named.setdefault(back[key], given[key])
    if "trace_id" not in given and isinstance(named.get("trace_id"), str):
        named["trace_id"] = named["trace_id"].rpartition("/")[2]
    return named


def record_of(line: Line) -> SpanRecord:
    """Return the record of a `span.end` line. Raises ValueError when a field is missing or an ID is none."""
    if line.span_name is UNSET or line.span_kind is UNSET or line.span_status is UNSET:
        raise ValueError(f"no {', '.join(name for name in _NEEDED if getattr(line, name) is UNSET)}")
    scope = line.scope
    return SpanRecord(  # by position, in the order of its fields: a third of the time of keywords
        _id(line.trace_id, 16),
        _id(line.span_id, 8),
        None if line.parent_span_id is UNSET else _id(str(line.parent_span_id), 8),
        str(line.span_name),
        _instant(str(line.start_time_unix_nano)),
        _instant(str(line.end_time_unix_nano)),
        _KIND[str(line.span_kind)],
        _STATUS[str(line.span_status)],
        restored(line.attributes),
        line.span_type,
        None if line.custom_trace_id is UNSET else line.custom_trace_id,
        line.end_cause,
        line.opened_at,
        line.status_message,
        None if line.inputs is UNSET else restore(line.inputs),
        None if line.outputs is UNSET else restore(line.outputs),
        tuple(_events(line)) if line.events else (),
        tuple([_link(link) for link in line.links]) if line.links else (),
        line.tags,
        None if line.id_scheme is UNSET else line.id_scheme,
        line.trace_state,
        _flags(line.trace_flags or "01"),
        line.parent_is_remote,
        line.debug,
        line.zipkin_shared,
        line.dropped_attributes,
        line.dropped_events,
        line.dropped_links,
        line.truncated_values,
        line.redacted,
        line.repaired,
        line.experiment_id,
        None if scope is UNSET else Scope(scope.name, scope.version, restored(scope.attributes), scope.schema_url),
        _resource(line),
        None if line.custom_span_id is UNSET else line.custom_span_id,
        None if line.span_id_scheme is UNSET else line.span_id_scheme,
    )


def _resource(line: Line) -> Resource:
    """Return the line's resource: the same one for lines that name the same, so that what is made of it is made once."""
    given: dict[str, Any] = {"service.name": line.service} if line.resource is UNSET else line.resource
    try:
        exact = _encode(given)
    except (OverflowError, RecursionError):  # a number that only JSON can carry
        return Resource(restored(given), line.resource_schema_url)
    if len(exact) > MAX_REMEMBERED:
        return Resource(restored(given), line.resource_schema_url)
    return _known_resource(exact, line.resource_schema_url)


@functools.lru_cache(maxsize=64)
def _known_resource(exact: bytes, schema_url: str) -> Resource:
    """Return a resource by its attributes in MessagePack: as Python compares them, 1, 1.0 and True are the same."""
    return Resource(restored(_decode(exact)), schema_url)


MAX_REMEMBERED: Final = 4_096  # bytes of a resource that is remembered


def notes_of(line: Line, *, has_resource: bool = False) -> list[str]:
    """Return what the line did not bring back, for a person to read. `has_resource`: it stands elsewhere on the line."""
    notes = [f"{count} {_SAID.get(name, name)} cut" for name, count in line.truncated.items()]
    if line.resource is UNSET and not has_resource:
        notes.append("no resource on the line: only the service's name is known")
    return notes


_SAID: Final = {
    "stacks": "stack traces",
    "values": "long attribute values",
    "names": "names or messages",
    "texts": "texts",
    "resource": "attributes of the resource",
    "scope": "attributes of the scope",
}


def _flags(text: str) -> int:
    flags = _FLAGS.get(text)
    if flags is None:
        raise ValueError(f"{text!r:.40} is not two hex digits in lower case")
    return flags


def _id(text: str, size: int) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != size or raw.hex() != text or raw in _NO_ID:
        raise ValueError(f"{text!r:.40} is not an ID: {2 * size} hex digits in lower case, not all zero")
    return raw


def _instant(text: str) -> int:
    """Return nanoseconds from decimal digits; `int` alone would take more than those."""
    if not text.removeprefix("-").isdigit() or not text.isascii() or len(text) > MAX_NANO_DIGITS:
        raise ValueError(f"{text!r:.40} is not a time in nanoseconds")
    return int(text)


MAX_NANO_DIGITS: Final = 21


def _events(line: Line) -> list[Event]:
    events = [_event(event) for event in line.events]
    if line.error_stack:
        for event in reversed(events):
            if event.name == EXCEPTION:
                event.attributes.setdefault(STACKTRACE, line.error_stack)
                break
    return events


def _event(fields: EventFields) -> Event:
    return Event(fields.name, int(fields.time_unix_nano), restored(fields.attributes), fields.dropped_attributes)


def _link(fields: LinkFields) -> Link:
    attributes: dict[str, Value] = restored(fields.attributes)
    return Link(
        _id(fields.trace_id, 16),
        _id(fields.span_id, 8),
        fields.trace_state,
        attributes,
        fields.dropped_attributes,
        fields.flags,
    )
