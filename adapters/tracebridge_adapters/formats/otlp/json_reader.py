"""OTLP JSON to SpanRecords.

Read are `TracesData` and `ExportTraceServiceRequest`, those of before 2022 (`instrumentationLibrarySpans`), Tempo's answers (`batches`, `trace`) and
Jaeger's (`result`). A span whose IDs cannot be told is left out and named with its place; anything else that is broken is repaired, counted in the
record's `repaired`, and read on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge.records.values import Tally
from tracebridge_adapters.formats.otlp.json_values import attributes, count, enum, get, identifier, items, text, time_ns
from tracebridge_adapters.formats.otlp.protobuf import FLAG_IS_REMOTE, OWN_SCOPE

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]
W3C_SAMPLED = 1  # what a span without flags is taken for: it has been sent, after all
CONTAINERS = ("resourceSpans", "resource_spans", "batches")
_AROUND = ("trace", "result")  # objects around them, in answers of Tempo 2 and Jaeger 2
_GROUPS = ("scopeSpans", "instrumentationLibrarySpans")
_NOT_GROUPS = {"resource", "schemaUrl", "schema_url"}

_decode = msgspec.json.Decoder().decode


def decode(data: bytes | str, take_apart: TakeApart) -> Decoded:
    """Return the records of one object, or of a list of them.

    `take_apart` splits a span's attributes into record fields. Raises ValueError for what is not OTLP JSON.
    """
    try:
        document = _decode(data)
        out = Decoded([])
        for part in document if isinstance(document, list) and document else [document]:
            name, groups = _groups_of(part)
            for number, given in enumerate(groups):
                _resource_spans(given, f"{name}[{number}]", take_apart, out)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"not OTLP JSON: {error}") from error
    return out


def _groups_of(document: Any) -> tuple[str, list[Any]]:
    """Return the name of the list of resource spans, and the list. Raises ValueError."""
    if not isinstance(document, dict):
        raise ValueError(f"{document!r:.40} is not an object")
    for name in CONTAINERS:
        if document.get(name) is not None:
            return name, items(document, name)
    for name in _AROUND:
        if isinstance(document.get(name), dict):
            return _groups_of(document[name])
    if any(name in document for name in CONTAINERS):  # null: none
        return CONTAINERS[0], []
    raise ValueError("an object without resourceSpans, which only mentions the word")


def _resource_spans(given: Any, place: str, take_apart: TakeApart, out: Decoded) -> None:
    try:
        tally = Tally()
        resource = Resource(attributes(get(given, "resource", {}), tally), text(given, "schemaUrl", tally))
        groups = [(name, items(given, name)) for name in _GROUPS if get(given, name) is not None]
        if not groups and not given.keys() <= _NOT_GROUPS:
            raise ValueError(f"it has no {_GROUPS[0]} but {', '.join(map(repr, given.keys() - _NOT_GROUPS)):.80}")
    except ValueError as error:
        out.damage.append(f"{place}: {error}")
        return
    for name, found in groups:
        for number, group in enumerate(found):
            _scope_spans(group, f"{place}.{name}[{number}]", resource, take_apart, out)


def _scope_spans(given: Any, place: str, resource: Resource, take_apart: TakeApart, out: Decoded) -> None:
    try:
        tally = Tally()
        shown = get(given, "scope") or get(given, "instrumentationLibrary", {})
        scope = Scope(
            text(shown, "name", tally),
            text(shown, "version", tally),
            attributes(shown, tally),
            text(given, "schemaUrl", tally),
        )
        spans = items(given, "spans")
    except ValueError as error:
        out.damage.append(f"{place}: {error}")
        return
    own = None if scope == OWN_SCOPE else scope
    _spans(spans, f"{place}.spans", resource, own, take_apart, out)


def read_spans(spans: Sequence[Any], take_apart: TakeApart, place: str) -> Decoded:
    """Return the records of spans by themselves, without a resource; `place` is where they stand."""
    out = Decoded([])
    _spans(spans, place, None, None, take_apart, out)
    return out


def _spans(
    spans: Sequence[Any],
    place: str,
    resource: Resource | None,
    scope: Scope | None,
    take_apart: TakeApart,
    out: Decoded,
) -> None:
    for number, span in enumerate(spans):
        try:
            out.records.append(_span(span, resource, scope, take_apart))
        except (ValueError, RecursionError) as error:
            out.damage.append(f"{place}[{number}]: {error}")


def _span(span: Any, resource: Resource | None, scope: Scope | None, take_apart: TakeApart) -> SpanRecord:
    tally = Tally()
    trace_id, span_id = identifier(span, "traceId", 16), identifier(span, "spanId", 8)
    status = get(span, "status", {})
    if not isinstance(status, dict):
        status, tally.repaired = {"code": status}, tally.repaired + 1
    flags = count(span, "flags", tally) if get(span, "flags") is not None else W3C_SAMPLED
    links = list(_links(span, tally))
    taken = take_apart(attributes(span, tally))
    start_ns, end_ns = time_ns(span, "startTimeUnixNano", tally), time_ns(span, "endTimeUnixNano", tally)
    fields: dict[str, Any] = {
        "end_time_ns": end_ns or start_ns,
        "dropped_attributes": count(span, "droppedAttributesCount", tally),
        "dropped_events": count(span, "droppedEventsCount", tally),
        "dropped_links": count(span, "droppedLinksCount", tally) + links.count(None),
        "parent_id": _parent(span, tally),
        "name": text(span, "name", tally),
        "kind": enum(get(span, "kind", 0), Kind, "SPAN_KIND_", tally),
        "status": enum(get(status, "code", 0), StatusCode, "STATUS_CODE_", tally),
        "status_message": text(status, "message", tally),
        "trace_state": text(span, "traceState", tally),
        "events": tuple(_events(span, tally)),
        **taken,
    }
    fields["repaired"] = fields.get("repaired", 0) + tally.repaired
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        start_time_ns=start_ns,
        links=tuple([link for link in links if link is not None]),
        flags=flags & 0xFF,
        parent_is_remote=bool(flags & FLAG_IS_REMOTE),
        scope=scope,
        resource=resource,
        **fields,
    )


def _parent(span: Any, tally: Tally) -> bytes | None:
    given = get(span, "parentSpanId", "")
    if not given or (isinstance(given, str) and not given.strip("0")):
        return None
    try:
        return identifier(span, "parentSpanId", 8)
    except ValueError:
        if isinstance(given, str) and not given.rstrip("=").strip("A"):  # zero in base64
            return None
        tally.repaired += 1
        return None


def _events(span: Any, tally: Tally) -> Iterator[Event]:
    for event in get(span, "events", ()):
        if isinstance(event, dict):
            yield Event(
                text(event, "name", tally),
                time_ns(event, "timeUnixNano", tally),
                attributes(event, tally),
                count(event, "droppedAttributesCount", tally),
            )
        else:
            tally.repaired += 1


def _links(span: Any, tally: Tally) -> Iterator[Link | None]:
    """Yield the links of a span, None for one that refers to nothing."""
    for link in get(span, "links", ()):
        try:
            yield Link(
                identifier(link, "traceId", 16),
                identifier(link, "spanId", 8),
                text(link, "traceState", tally),
                attributes(link, tally),
                count(link, "droppedAttributesCount", tally),
                count(link, "flags", tally),
            )
        except ValueError:
            tally.repaired += 1
            yield None
