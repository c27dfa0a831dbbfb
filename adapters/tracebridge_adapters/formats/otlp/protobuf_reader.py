"""OTLP protobuf to SpanRecords: for the relay, for replay and for proving the fast writer. The common span is read by `protobuf_span`.

A field of a kind other than the specification's, a text that is not UTF-8 and an ID of the wrong size cost the span that they are in, outside of spans
the whole body; fields that are not known here are passed over, as protobuf asks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.otlp.protobuf import FLAG_IS_REMOTE, OWN_SCOPE
from tracebridge_adapters.formats.otlp.protobuf_span import W3C_SAMPLED, TakeApart, common_span
from tracebridge_adapters.formats.shared.protobuf_fields import Message, double, fields, signed

ATTRIBUTES, EVENTS, LINKS, STATUS = 9, 11, 13, 15
_KIND_OF: dict[int, Any] = {
    **dict.fromkeys((1, 2, 3, 4, 5, ATTRIBUTES, EVENTS, LINKS, STATUS), bytes),
    **dict.fromkeys((6, 7, 8, 10, 12, 14, 16), int),
}
"""What each field of a span is on the wire; one that is not known here may be either."""
MAX_REMEMBERED = 128  # bytes of a pair that is worth it
MAX_PAIRS = 8_192  # then all are forgotten and learned anew
MAX_PRODUCERS = 256  # resources, and scopes, that are remembered
MAX_DEPTH = 100  # messages inside messages; protobuf's own limit


def decode(data: bytes, take_apart: TakeApart) -> Decoded:
    """Return the records of one TracesData (or ExportTraceServiceRequest) message; a span that cannot be read is left out and named.

    `take_apart` splits a span's attributes into record fields. Raises ValueError for what is not OTLP protobuf.
    """
    out = Decoded([])
    try:
        for number, message in enumerate(Message(data).messages(1)):
            _resource_spans(message, f"resource_spans[{number}]", take_apart, out)
    except (ValueError, TypeError) as error:
        raise ValueError(f"not OTLP protobuf: {error}") from error
    return out


def _resource_spans(message: Message, place: str, take_apart: TakeApart, out: Decoded) -> None:
    resource = _resource(message.content(1), message.text(3))
    for group, scope_spans in enumerate(message.messages(2)):
        own = _scope(scope_spans.content(1), scope_spans.text(3))
        for number, span in enumerate(scope_spans.contents(2)):
            try:
                record = common_span(span, resource, own, _pairs, _pair, take_apart)
                out.records.append(record or _span(span, resource, own, take_apart))
            except (ValueError, TypeError) as error:
                out.damage.append(f"{place}.scope_spans[{group}].spans[{number}]: {error}")


@lru_cache(maxsize=MAX_PRODUCERS)
def _resource(content: bytes, schema_url: str) -> Resource:
    """Return a resource: the same for the same bytes, because each message repeats it and whoever takes the records knows it again."""
    return Resource(_attributes(Message(content), 1), schema_url)


@lru_cache(maxsize=MAX_PRODUCERS)
def _scope(content: bytes, schema_url: str) -> Scope | None:
    """Return a scope, None for our own; the same for the same bytes."""
    shown = Message(content)
    scope = Scope(shown.text(1), shown.text(2), _attributes(shown, 3), schema_url)
    return None if scope == OWN_SCOPE else scope


def _span(content: bytes, resource: Resource, scope: Scope | None, take_apart: TakeApart) -> SpanRecord:
    found: dict[int, Any] = {}
    attributes, events, links = [], [], []
    value: Any  # its kind is looked at below
    for number, value in fields(content):
        if number == ATTRIBUTES:
            attributes.append(_pairs.get(value) or _pair(value))  # which refuses a number
        elif type(value) is not _KIND_OF.get(number, type(value)):
            raise ValueError(f"field {number} is not {'a number' if _KIND_OF[number] is int else 'text or a message'}")
        elif number == EVENTS:
            events.append(_event(Message(value)))
        elif number == LINKS:
            links.append(_link(Message(value)))
        elif number == STATUS:
            found[number] = found.get(number, b"") + value  # several pieces are one message, as protobuf asks
        else:
            found[number] = value
    get = found.get
    parent, flags, status = get(4, b""), get(16, W3C_SAMPLED), _status(get(STATUS, b""))
    taken = take_apart(dict(attributes))
    return SpanRecord(
        trace_id=_id(get(1, b""), 16),
        span_id=_id(get(2, b""), 8),
        parent_id=_id(parent, 8) if any(parent) else None,
        name=get(5, b"").decode(),
        start_time_ns=get(7, 0),
        end_time_ns=taken.pop("end_time_ns", get(8, 0)),
        kind=_known(get(6, 0), _KINDS),
        status=status[0],
        status_message=status[1],
        events=tuple(events),
        links=tuple(links),
        trace_state=get(3, b"").decode(),
        flags=flags & 0xFF,
        parent_is_remote=bool(flags & FLAG_IS_REMOTE),
        dropped_attributes=get(10, 0),
        dropped_events=get(12, 0),
        dropped_links=get(14, 0),
        scope=scope,
        resource=resource,
        **taken,
    )


def _status(content: bytes) -> tuple[int, str]:
    if not content:
        return 0, ""
    message = Message(content)
    return _known(message.number(3), _CODES), message.text(2)


def _event(given: Message) -> Event:
    return Event(given.text(2), given.number(1), _attributes(given, 3), given.number(4))


def _link(given: Message) -> Link:
    ids = _id(given.bytes(1), 16), _id(given.bytes(2), 8)
    return Link(*ids, given.text(3), _attributes(given, 4), given.number(5), given.number(6))


def _id(given: bytes, size: int) -> bytes:
    if len(given) != size or not any(given):
        raise ValueError(f"{given.hex()!r} is no ID of {size} bytes")
    return given


_KINDS, _CODES = frozenset(map(int, Kind)), frozenset(map(int, StatusCode))


def _known(number: int, known: frozenset[int]) -> int:
    """Return an enum's number; one of a later version of the specification is read as 0, which means "not said"."""
    return number if number in known else 0


def _attributes(holder: Message, field: int, depth: int = 0) -> dict[str, Value]:
    return dict([_pairs.get(content) or _pair(content, depth) for content in holder.contents(field)])


def _pair(content: bytes, depth: int = 0) -> tuple[str, Value]:
    """Return a key and its value, and remember short ones: spans repeat themselves. Lists and mappings are made anew each time."""
    message = Message(content)
    pair = message.text(1), _any_value(message.message(2), depth)
    if len(content) <= MAX_REMEMBERED and not isinstance(pair[1], (list, dict)):
        if len(_pairs) >= MAX_PAIRS:
            _pairs.clear()
        _pairs[content] = pair
    return pair


_pairs: dict[bytes, tuple[str, Value]] = {}
"""Pairs by their bytes: reading them is most of what reading a span costs."""


def _any_value(given: Message, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise ValueError(f"values more than {MAX_DEPTH} deep")
    if given.has(1):
        return given.text(1)
    if given.has(2):
        return bool(given.number(2))
    if given.has(3):
        return signed(given.number(3))
    if given.has(4):
        return double(given.number(4))
    if given.has(5):
        return [_any_value(item, depth + 1) for item in given.message(5).messages(1)]
    if given.has(6):
        return _attributes(given.message(6), 1, depth + 1)
    return given.bytes(7) if given.has(7) else None
