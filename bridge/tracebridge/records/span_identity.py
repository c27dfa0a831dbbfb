"""Which records are one span, and which are two that share an ID.

A span ID is not enough: the client's and the server's half of a Zipkin RPC share one, with the flag `shared` on the server's or, from older
tracers, without it; and a tracer may send a span in pieces, first its start, then the rest. So a span is known by its ID, its side and its
service. What belongs together is merged, and a missing flag and a missing parent are put back, the way Zipkin's own servers do (zipkin 3.6,
`zipkin2.internal.Trace`), but for three things: the addresses of an endpoint are not compared, a client and a server are never one span, and neither are
two that tell both their times, and tell different ones.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from tracebridge.records.record import EndCause, Kind, Resource, SpanRecord

Side = Literal["client", "server", ""]
_Group = tuple[Side, str]
_Part = TypeVar("_Part")
_MICROSECOND: Final = 1_000  # ns: what Zipkin and Jaeger keep of a time
_FINISHED: Final = EndCause.FINISHED.value
_CLIENT: Final = int(Kind.CLIENT)  # a member looked up in its class, and compared, takes ten times as long
_SERVER: Final = int(Kind.SERVER)
_UNTOLD: Final = (int(Kind.UNSPECIFIED), int(Kind.INTERNAL))
_DEFAULTS: Final = {
    field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    for field in msgspec.structs.fields(SpanRecord)
    if not field.required
}


_encode = msgspec.msgpack.Encoder().encode


class SpanKey(NamedTuple):
    """What a span is known by within its trace."""

    span_id: bytes
    side: Side
    service: str
    """In lower case, as Zipkin keeps it; empty when it is not known."""


def key_of(record: SpanRecord) -> SpanKey:
    """Return what a span is known by."""
    return SpanKey(record.span_id, _side(record), _service(record))


def is_piece(record: SpanRecord) -> bool:
    """Return whether a record lacks its start or its end, so that another may bring it."""
    return record.start_time_ns == 0 or record.end_time_ns <= record.start_time_ns


def settled(records: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Return the spans that these records of any traces are: pieces merged, doubles once, missing flags and parents put back.

    They stand in the order in which the first of each came.
    """
    groups: dict[bytes, list[SpanRecord]] = {}
    for record in records:
        groups.setdefault(record.trace_id + record.span_id, []).append(record)
    if len(groups) == len(records):
        return list(records)
    return [span for group in groups.values() for span in (group if len(group) == 1 else _halves(group))]


def in_order(records: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Return the spans of one trace in start order, those without a parent in front."""
    return sorted(settled(records), key=lambda span: (span.parent_id is not None, span.start_time_ns))


def _side(record: SpanRecord) -> Side:
    if record.shared or record.kind == _SERVER:
        return "server"
    return "client" if record.kind == _CLIENT else ""


def _service(record: SpanRecord) -> str:
    name = record.resource.attributes.get("service.name") if record.resource is not None else None
    return name.lower() if isinstance(name, str) else ""


def _halves(records: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Return the spans that share one ID, the client's half first."""
    groups: dict[_Group, list[SpanRecord]] = {}
    for record in records:
        groups.setdefault((_side(record), _service(record)), []).append(record)
    for side, service in list(groups):
        home = _home(side, service, groups)
        if home is not None:
            groups[home] += groups.pop((side, service))
    ordered = sorted(groups, key=lambda group: ("client", "", "server").index(group[0]))
    spans = [span for group in ordered for span in _whole(groups[group])]
    client = next((span for span in spans if span.kind == _CLIENT), None)
    return spans if client is None else [_put_back(span, client) for span in spans]


def _home(side: Side, service: str, groups: Mapping[_Group, list[SpanRecord]]) -> _Group | None:
    """Return the group that records without a side or without a service belong to; None where they are one of their own."""
    candidates: Iterable[_Group] = (("client", service), ("server", service)) if service else list(groups)
    if service and side:
        return None
    for group in candidates:
        is_told = group in groups and group[1] and side in ("", group[0])
        if is_told and (
            side or not groups[group][0].shared
        ):  # what does not say that it is shared is not the shared half
            return group
    return None


def _whole(records: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Return the spans that records of one side and service are: each that tells its times, and the pieces merged into the first."""
    spans: dict[tuple[int, int], list[SpanRecord]] = {}
    pieces = []
    for record in records:
        if is_piece(record) or record.end_cause != _FINISHED:
            pieces.append(record)
        else:
            times = (record.start_time_ns // _MICROSECOND, record.duration_ns // _MICROSECOND)
            spans.setdefault(times, []).append(record)
    if not spans:
        return [merged(pieces)]
    next(iter(spans.values())).extend(pieces)
    return [merged(same) for same in spans.values()]


def _put_back(span: SpanRecord, client: SpanRecord) -> SpanRecord:
    """Return a server's half with the flag and the parent that its tracer left out."""
    if span.kind == _CLIENT or (span.shared and (span.parent_id or client.parent_id is None)):
        return span
    return msgspec.structs.replace(span, shared=True, parent_id=span.parent_id or client.parent_id)


def merged(records: Sequence[SpanRecord]) -> SpanRecord:
    """Return the one span that records of it tell (at least one): what the first does not say is another's, sets are joined, the longest time counts.

    Of those that ended for different reasons the finished ones are the span.
    """
    finished = [record for record in records if record.end_cause == _FINISHED]
    first, *others = finished or records
    if all(other == first for other in others):
        return first
    told = [first, *others]
    start_ns = min((one.start_time_ns for one in told if one.start_time_ns), default=0)
    changes: dict[str, Any] = {
        name: next((value for one in told if (value := getattr(one, name)) != default), default)
        for name, default in _DEFAULTS.items()
    }
    changes |= {
        "parent_id": next((one.parent_id for one in told if one.parent_id), None),
        "name": next((one.name for one in told if one.name), ""),
        "start_time_ns": start_ns,
        "end_time_ns": start_ns + max(one.duration_ns for one in told),
        "kind": next((one.kind for one in told if one.kind not in _UNTOLD), first.kind),
        "status": max(one.status for one in told),
        "attributes": {key: value for one in told for key, value in one.attributes.items()},
        "tags": {key: value for one in told for key, value in one.tags.items()},
        "events": tuple(
            sorted(_each_once(event for one in told for event in one.events), key=lambda event: event.time_ns)
        ),
        "links": _each_once(link for one in told for link in one.links),
        "flags": functools.reduce(operator.or_, [one.flags for one in told]),
        "resource": functools.reduce(_joined, [one.resource for one in told]),
    }
    return msgspec.structs.replace(first, **changes)


def _each_once(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    return tuple({_encode(part): part for part in parts}.values())


def _joined(first: Resource | None, second: Resource | None) -> Resource | None:
    if first is None or second is None or first == second:
        return first or second
    return Resource(second.attributes | first.attributes, first.schema_url or second.schema_url)
