"""What OpenTelemetry says of a span that Jaeger has no field for: the names of those tags, and how they are read.

The names are those of the specification ("OpenTelemetry to Jaeger Transformation", "Mapping to non-OTLP formats") and of its semantic
conventions for OpenTracing. A reader takes what it understands out of the mapping; a tag of the user's that had to give way returns to its name.
"""

from __future__ import annotations

from typing import Any

from tracebridge.records.record import Kind, Scope, StatusCode, Value
from tracebridge_adapters.dialects import DISPLACED
from tracebridge_adapters.formats.shared.non_otlp import (
    DROPPED,
    ERROR_KEY,
    OWN_SCOPE_NAME,
    SCOPE_NAME,
    SCOPE_VERSION,
    STATUS_KEY,
    STATUS_MESSAGE_KEY,
    TRACE_STATE_KEY,
)

KINDS = {int(kind): kind.name.lower() for kind in (Kind.SERVER, Kind.CLIENT, Kind.PRODUCER, Kind.CONSUMER)}
KIND_KEY = "span.kind"
OWN_KEYS = {
    KIND_KEY, ERROR_KEY, TRACE_STATE_KEY, STATUS_KEY, STATUS_MESSAGE_KEY, SCOPE_NAME, SCOPE_VERSION, *DROPPED.values()
}  # fmt: skip
EVENT_KEY = "event"  # the field of a log that holds its name
REF_TYPE, REF_CHILD_OF, REF_FOLLOWS_FROM = "opentracing.ref_type", "child_of", "follows_from"
UNKNOWN_OPERATION = "unknown_operation"  # Jaeger takes no empty name; the twin of OpenTelemetry's unknown_service
SAMPLED, DEBUG = 1, 2  # Jaeger's flags

_KINDS_BY_NAME = {kind.name.lower(): int(kind) for kind in Kind}


def kind_of(tags: dict[str, Value]) -> int:
    """Take the kind out of tags; INTERNAL, which Jaeger does not say, when there is none that is known."""
    kind = _KINDS_BY_NAME.get(str(tags.get(KIND_KEY)).lower())
    if kind is None:
        return int(Kind.INTERNAL)
    _take(tags, KIND_KEY)
    return kind


def status_of(tags: dict[str, Value]) -> tuple[int, str]:
    """Take code and message of the status out of tags: OpenTelemetry's in any spelling, or an `error` that is true or "true"."""
    said = text_of(tags, STATUS_KEY).removeprefix("STATUS_CODE_").upper()
    message = text_of(tags, STATUS_MESSAGE_KEY)
    is_error = str(tags.get(ERROR_KEY)).lower() == "true"
    if said == "ERROR" or (is_error and said != "OK"):
        if is_error:
            _take(tags, ERROR_KEY)
        return int(StatusCode.ERROR), message
    return int(StatusCode.OK if said == "OK" else StatusCode.UNSET), message


def scope_of(tags: dict[str, Value]) -> Scope | None:
    """Take the scope out of tags; None for tracebridge's own."""
    name, version = text_of(tags, SCOPE_NAME), text_of(tags, SCOPE_VERSION)
    return None if not name or name == OWN_SCOPE_NAME else Scope(name, version)


def dropped_of(tags: dict[str, Value]) -> dict[str, Any]:
    """Take the counts of what was dropped out of tags."""
    return {field: _take(tags, key) for field, key in DROPPED.items() if is_count(tags.get(key))}


def text_of(tags: dict[str, Value], key: str) -> str:
    """Take a text out of tags; empty when it is not there."""
    return str(_take(tags, key)) if key in tags else ""


def is_count(value: Value) -> bool:
    """Whether a value can be a number of things."""
    return type(value) is int and 0 <= value < 2**63


def _take(tags: dict[str, Value], key: str) -> Value:
    value = tags.pop(key)
    if DISPLACED + key in tags:
        tags[key] = tags.pop(DISPLACED + key)
    return value
