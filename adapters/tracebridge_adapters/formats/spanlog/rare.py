"""What most spans do not have, and where it stands on the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tracebridge.records.record import EndCause, Event, Link, SpanRecord
from tracebridge_adapters.formats.spanlog.cut import EXCEPTION, MAX_NAME, STACKTRACE
from tracebridge_adapters.formats.spanlog.line import EventFields, LinkFields, ScopeFields
from tracebridge_adapters.formats.spanlog.values import shown

_FINISHED = EndCause.FINISHED.value
_UNKNOWN = "UNKNOWN"

_RARE: Final = {
    "id_scheme": "id_scheme",
    "custom_span_id": "custom_span_id",
    "span_id_scheme": "span_id_scheme",
    "status_message": "status_message",
    "trace_state": "trace_state",
    "opened_at": "opened_at",
    "tags": "tags",
    "experiment_id": "experiment_id",
    "parent_is_remote": "parent_is_remote",
    "shared": "zipkin_shared",
    "debug": "debug",
    "dropped_attributes": "dropped_attributes",
    "dropped_events": "dropped_events",
    "dropped_links": "dropped_links",
    "truncated": "truncated_values",
    "repaired": "repaired",
    "redacted": "redacted",
}
"""The record's fields and the line's, where they are the same but for the name; none of them stands there when it is empty."""


def is_common(r: SpanRecord) -> bool:
    """Return whether `set_rare` would leave a record as it is. Asked one by one, because that takes half the time of one look at all."""
    return not (
        r.events
        or r.links
        or r.status_message
        or r.span_type != _UNKNOWN
        or r.end_cause != _FINISHED
        or r.scope
        or r.id_scheme
        or r.custom_span_id
        or r.tags
        or r.trace_state
        or r.opened_at
        or r.experiment_id
        or r.parent_is_remote
        or r.shared
        or r.debug
        or r.dropped_attributes
        or r.dropped_events
        or r.dropped_links
        or r.truncated
        or r.repaired
        or r.redacted
        or (r.resource is not None and r.resource.schema_url)
    )


def set_rare(line: Any, record: SpanRecord) -> None:
    """Set on a line what the record has of all this."""
    if record.span_type != _UNKNOWN:  # msgspec leaves out what is the default itself, not what equals it
        line.span_type = record.span_type
    if record.end_cause != _FINISHED:
        line.end_cause = record.end_cause
    for field, name in _RARE.items():
        value = getattr(record, field)
        if value:
            setattr(line, name, value)
    if record.events:
        _set_events(line, record.events)
    if record.links:
        line.links = [_link(link) for link in record.links]
    if record.resource is not None:
        line.resource_schema_url = record.resource.schema_url
    if record.scope is not None:
        line.scope = ScopeFields(
            record.scope.name, record.scope.version, shown(record.scope.attributes), record.scope.schema_url
        )


def _set_events(line: Any, events: Sequence[Event]) -> None:
    """Set the events, and lift the last exception into the flat fields that log stores group errors by.

    Its stack trace stands only there: twice would cut the line in half.
    """
    line.events = [
        EventFields(str(event.time_ns), event.name, shown(event.attributes), event.dropped_attributes)
        for event in events
    ]
    for fields in reversed(line.events):
        if fields.name == EXCEPTION:
            attributes = fields.attributes
            line.error_type = _text(attributes.get("exception.type"))[:MAX_NAME]
            line.error_message = _text(attributes.get("exception.message"))[:MAX_NAME]
            line.error_stack = _text(attributes.get(STACKTRACE))
            if line.error_stack:
                fields.attributes = {key: value for key, value in attributes.items() if key != STACKTRACE}
            return


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _link(link: Link) -> LinkFields:
    return LinkFields(
        link.trace_id.hex(),
        link.span_id.hex(),
        link.trace_state,
        shown(link.attributes),
        link.dropped_attributes,
        link.flags,
    )
