"""Cutting a span to the size of a line, what is missed least first.

Container runtimes split lines at 16 KiB, and one common shipper stops watching a file after a longer line still: an over-long
line costs more than itself. Cut in this order, each cut counted: stack traces, outputs, inputs, long attribute values, events
(but for the last exception), links, attributes last-in, and then whatever else may go. IDs, times and status are never cut.

It is the record that is cut, not its line: that way every profile is cut alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from tracebridge.records.record import Event, SpanRecord, Value

MAX_NAME = 1_024  # characters of names and messages
KEPT_NAME = 128  # bytes on the line that stay of them when nothing else is left to cut
KEPT_LEAST = 24  # and where an ID of control characters, six bytes each, takes nearly all of the line
KEPT_STACK = 1_024  # characters of a stack trace that stay, from its end
KEPT_VALUE = 256  # characters of a long attribute value that stay
CUT_MARK = "…"
EXCEPTION, STACKTRACE = "exception", "exception.stacktrace"

Counts = dict[str, int]
Render = Callable[[SpanRecord, Counts], bytes]
Step = Callable[[SpanRecord, int], tuple[SpanRecord, int]]

_size = msgspec.json.Encoder(enc_hook=str).encode


def cut_to_size(record: SpanRecord, counts: Counts, max_bytes: int, render: Render) -> bytes:
    """Return the line, at most `max_bytes` long; `counts` already holds what was cut before."""
    line = render(record, counts)
    for name, step in STEPS:
        if len(line) <= max_bytes:
            break
        record, cut = step(record, len(line) - max_bytes + MARGIN)
        if cut:
            counts[name] = counts.get(name, 0) + cut
            line = render(record, counts)
    return line


MARGIN = 64  # bytes by which the counts may make the next line longer


def cap_names(record: SpanRecord) -> tuple[SpanRecord, int]:
    """Return the record with names and messages of at most `MAX_NAME` characters, and how many were longer."""
    return _short_names(record, lambda text: _head(text, MAX_NAME))


def has_long_names(record: SpanRecord) -> bool:
    """Whether `cap_names` has anything to do."""
    return (
        len(record.name) > MAX_NAME
        or len(record.status_message) > MAX_NAME
        or (bool(record.events) and any(len(event.name) > MAX_NAME for event in record.events))
    )


def _short_names(record: SpanRecord, head: Callable[[str], str]) -> tuple[SpanRecord, int]:
    texts = {"name": record.name, "status_message": record.status_message, "span_type": record.span_type}
    changes: dict[str, Any] = {key: kept for key, text in texts.items() if (kept := head(text)) != text}
    long_events = sum(head(event.name) != event.name for event in record.events)
    if long_events:
        changes["events"] = tuple([replace(event, name=head(event.name)) for event in record.events])
    return replace(record, **changes), len(changes) - bool(long_events) + long_events


def _head(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + CUT_MARK


def _head_of_bytes(text: str, limit: int) -> str:
    """Return as much of a text as takes so many bytes on the line, quotes included."""
    if _size_of(text) <= limit:
        return text
    kept = text[:limit]
    while _size_of(kept + CUT_MARK) > limit:
        kept = kept[: len(kept) * 3 // 4]
    return kept + CUT_MARK


def _stacks(record: SpanRecord, _: int) -> tuple[SpanRecord, int]:
    cut = 0
    events: list[Event] = []
    for event in record.events:
        stack = event.attributes.get(STACKTRACE)
        if isinstance(stack, str) and len(stack) > KEPT_STACK:
            kept = {**event.attributes, STACKTRACE: CUT_MARK + stack[-KEPT_STACK:]}
            events.append(replace(event, attributes=kept))
            cut += 1
        else:
            events.append(event)
    return replace(record, events=tuple(events)), cut


def _payload(name: str) -> Step:
    def step(record: SpanRecord, excess: int) -> tuple[SpanRecord, int]:
        value = getattr(record, name)
        if value is None:
            return record, 0
        kept = _beginning(value, _size_of(value) - excess) if isinstance(value, str) else None
        return replace(record, **{name: kept}), 1

    return step


def _beginning(text: str, max_bytes: int) -> str | None:
    """Return as much of a text as is encoded in so many bytes, marked; None when that is hardly any."""
    count = len(text) * max_bytes // _size_of(text) - 1
    while count >= KEPT_VALUE:
        kept = text[:count] + CUT_MARK
        if _size_of(kept) <= max_bytes:
            return kept
        count = count * 3 // 4  # what needs escaping stands at the beginning
    return None


def _values(record: SpanRecord, _: int) -> tuple[SpanRecord, int]:
    kept: dict[str, Value] = {}
    cut = 0
    for key, value in record.attributes.items():
        if isinstance(value, (str, bytes)):
            if len(value) > KEPT_VALUE:
                cut += 1
                kept[key] = value[:KEPT_VALUE] + CUT_MARK if isinstance(value, str) else value[:KEPT_VALUE]
                continue
        elif isinstance(value, (list, dict)) and _size_of(value) > KEPT_VALUE:
            cut += 1  # a part of a structure would be another structure
            continue
        kept[key] = value
    return replace(record, attributes=kept), cut


def _size_of(value: Any) -> int:
    try:
        return len(_size(value))
    except (UnicodeEncodeError, OverflowError, TypeError):
        return len(repr(value))


def _events(record: SpanRecord, _: int) -> tuple[SpanRecord, int]:
    kept = tuple([event for event in record.events if event.name == EXCEPTION][-1:])
    return replace(record, events=kept), len(record.events) - len(kept)


def _all(name: str) -> Step:
    def step(record: SpanRecord, _: int) -> tuple[SpanRecord, int]:
        value = getattr(record, name)
        return (replace(record, **{name: type(value)()}), len(value)) if value else (record, 0)

    return step


def _last_in(record: SpanRecord, excess: int) -> tuple[SpanRecord, int]:
    kept = dict(record.attributes)
    cut = 0
    while kept and excess > 0:
        key, value = kept.popitem()
        excess -= _size_of({key: value}) - 1
        cut += 1
    return replace(record, attributes=kept), cut


def _source(name: str) -> Step:
    """Take the attributes of the resource or of the scope, but for the service's name."""

    def step(record: SpanRecord, _: int) -> tuple[SpanRecord, int]:
        source = getattr(record, name)
        attributes = {} if source is None else source.attributes
        service = attributes.get("service.name")
        kept = {"service.name": _head_of_bytes(service, KEPT_NAME)} if isinstance(service, str) else {}
        cut = sum(value != kept.get(key) for key, value in attributes.items())
        return (replace(record, **{name: replace(source, attributes=kept)}), cut) if cut else (record, 0)

    return step


def _texts(limit: int) -> Step:
    """Names to their beginnings, and every text that is neither an ID nor a time."""

    def head(text: str) -> str:
        return _head_of_bytes(text, limit)

    def step(record: SpanRecord, _: int) -> tuple[SpanRecord, int]:
        record, cut = _short_names(record, head)
        extras: dict[str, Any] = {
            key: "" for key in ("trace_state", "opened_at", "experiment_id") if getattr(record, key)
        }
        scope, resource = record.scope, record.resource
        if scope is not None and len(scope.name) + len(scope.version) + len(scope.schema_url) > limit:
            extras["scope"] = None
        if resource is not None:
            shorter = {key: head(text) if isinstance(text, str) else text for key, text in resource.attributes.items()}
            if resource.schema_url or shorter != resource.attributes:
                extras["resource"] = replace(resource, schema_url="", attributes=shorter)
        return replace(record, **extras), cut + len(extras)

    return step


STEPS: tuple[tuple[str, Step], ...] = (
    ("stacks", _stacks),
    ("outputs", _payload("outputs")),
    ("inputs", _payload("inputs")),
    ("values", _values),
    ("events", _events),
    ("links", _all("links")),
    ("attributes", _last_in),
    ("attributes", _all("attributes")),
    ("events", _all("events")),
    ("resource", _source("resource")),
    ("tags", _all("tags")),
    ("scope", _source("scope")),
    ("texts", _texts(KEPT_NAME)),
    ("texts", _texts(KEPT_LEAST)),
)
