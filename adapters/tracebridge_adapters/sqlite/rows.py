"""Records as rows and back, exactly: what SQL should see has columns, what few spans have is in `more`, what many spans share is in `origins`."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge.records.span_identity import key_of

_encode = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode
_UNKNOWN = "UNKNOWN"
_STATUSES = {int(status): status.name for status in StatusCode}
_STATUS_OF = {name: number for number, name in _STATUSES.items()}
_NOTHING = _encode({})


class More(msgspec.Struct, omit_defaults=True):
    """What few spans have, under the names of `SpanRecord`. `exact` has what JSON cannot say as it is (bytes, NaN)."""

    end_cause: str = "finished"
    opened_at: str = ""
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    tags: dict[str, str] = {}
    id_scheme: str | None = None
    trace_state: str = ""
    flags: int = 1
    parent_is_remote: bool = False
    debug: bool = False
    shared: bool = False
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    truncated: int = 0
    redacted: int = 0
    repaired: int = 0
    experiment_id: str = ""
    custom_span_id: str | None = None
    span_id_scheme: str | None = None
    custom_trace_id: str | None = None
    """Where it is another than the trace's."""
    end_time_ns: int | None = None
    """Where it lies before the start."""
    exact: dict[str, Value] | None = None
    """Attributes, inputs and outputs that JSON changes."""


_more: Any = More  # called by position, which is quickest
_PLAIN = tuple(field.name for field in msgspec.structs.fields(More))[:-3]
_plain_of = attrgetter(*_PLAIN)
_decode_more = msgspec.msgpack.Decoder(More).decode
_USUAL = _plain_of(More())


class Origin(NamedTuple):
    """What many spans share: the resource and the scope."""

    resource: Resource | None
    scope: Scope | None


_decode_origin = msgspec.msgpack.Decoder(tuple[Resource | None, Scope | None]).decode


def origin_bytes(record: SpanRecord) -> bytes:
    """Return what a record's origin is known by."""
    return _encode((record.resource, record.scope))


def origin_row(record: SpanRecord, exact: bytes) -> tuple[str, str | None, str | None, bytes]:
    """Return a row of `origins`, without its number."""
    scope = record.scope
    return (
        service_of(record),
        _json(record.resource.attributes)[0] if record.resource is not None else None,
        scope.name if scope is not None else None,
        exact,
    )


def origin_of(exact: bytes) -> Origin:
    """Return what `origin_bytes` says."""
    return Origin(*_decode_origin(exact))


def service_of(record: SpanRecord) -> str:
    """Return the name of a record's service; empty where it has no resource."""
    return record.resource.service_name if record.resource is not None else ""


def is_root(record: SpanRecord) -> bool:
    """Return whether a span stands at the top of its process's part of the trace."""
    return record.parent_id is None or record.parent_is_remote


def span_key(record: SpanRecord) -> bytes:
    """Return what tells a span from the other half of a call that has its ID: the ID alone, for nearly all."""
    span_id, side, service = key_of(record)
    return span_id + f"{side} {service}".encode() if side == "server" or record.shared else span_id


COLUMNS = (
    "trace", "span_id", "parent_id", "is_root", "name", "kind", "span_type", "status", "status_message", "start_ns", "duration_ns", "has_custom_id",
    "origin", "attributes", "inputs", "outputs", "more",
)  # fmt: skip
SpanRow = tuple[Any, ...]


def span_row(record: SpanRecord, trace: int, custom: str | None, origin: int, key: bytes | None = None) -> SpanRow:
    """Return a row of `spans`, in the order of COLUMNS. `custom` is the trace's own ID, `key` another than the span's usual one."""
    attributes, inputs, outputs = record.attributes, record.inputs, record.outputs
    exact: dict[str, Value] = {}
    texts: list[str | None] = [None, None, None]
    if attributes:
        texts[0], same = _json(attributes)
        if not same:
            exact["attributes"] = attributes
    if inputs is not None:
        texts[1], same = _json(inputs)
        if not same:
            exact["inputs"] = inputs
    if outputs is not None:
        texts[2], same = _json(outputs)
        if not same:
            exact["outputs"] = outputs
    plain = _plain_of(record)
    own = record.custom_trace_id
    ends_early = record.end_time_ns < record.start_time_ns
    more = None
    if plain != _USUAL or exact or ends_early or (own is not None and own != custom):
        more = _encode(
            _more(*plain, own if own != custom else None, record.end_time_ns if ends_early else None, exact or None)
        )
    return (
        trace,
        span_key(record) if key is None else key,
        record.parent_id,
        record.parent_id is None or record.parent_is_remote,
        record.name,
        record.kind,
        None if record.span_type == _UNKNOWN else record.span_type,
        _STATUSES[record.status],
        record.status_message or None,
        record.start_time_ns,
        record.duration_ns,
        own is not None and own == custom,
        origin,
        *texts,
        more,
    )


def record_of(row: Sequence[Any], trace_id: bytes, custom: str | None, origin: Origin) -> SpanRecord:
    """Return the record of a row of `spans`, in the order of COLUMNS."""
    (_, key, parent_id, _, name, kind, span_type, status, message, start_ns, duration_ns, has_custom, _, attributes, inputs, outputs, rest) = row  # fmt: skip
    record = SpanRecord(
        trace_id,
        key[:8],
        parent_id,
        name,
        start_ns,
        start_ns + duration_ns,
        kind,
        _STATUS_OF[status],
        {} if attributes is None else _decode_json(attributes),
        _UNKNOWN if span_type is None else span_type,
        custom if has_custom else None,
        status_message=message or "",
        inputs=None if inputs is None else _decode_json(inputs),
        outputs=None if outputs is None else _decode_json(outputs),
        resource=origin.resource,
        scope=origin.scope,
    )
    return record if rest is None else _with_more(record, _decode_more(rest))


def _with_more(record: SpanRecord, more: More) -> SpanRecord:
    changes: dict[str, Any] = dict(zip(_PLAIN, _plain_of(more), strict=True))
    if more.custom_trace_id is not None:
        changes["custom_trace_id"] = more.custom_trace_id
    if more.end_time_ns is not None:
        changes["end_time_ns"] = more.end_time_ns
    return msgspec.structs.replace(record, **changes, **(more.exact or {}))


def _json(value: Value) -> tuple[str, bool]:
    """Return a value as JSON to search in, and whether it can be had back from there as it was."""
    text = _encode_json(value)
    return text.decode(), _decode_json(text) == value
