"""The fields of a `spanlog/1` line, in their order, under the names of the `otel` profile.

One JSON object that every shipper carries: IDs early, absent means absent (there are no nulls), no top-level key that a logging
library claims for itself (`name`, `message`, `args`, …), nanosecond instants as decimal text because many readers hold numbers
as doubles. What users logged stands only inside `attributes`, `inputs`, `outputs`, `events`, `links`, `resource`, `scope` and `tags`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

SCHEMA: Final = "spanlog/1"
END: Final = "span.end"

TraceId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
SpanId = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Nanoseconds = Annotated[str, Meta(pattern="^-?[0-9]{1,20}$", description="Unix nanoseconds as decimal text.")]
Instant = Annotated[str, Meta(description="RFC 3339, nine digits, UTC.")]
Count = Annotated[int, Meta(ge=0)]
Fields = dict[str, Any]
Level = Literal["info", "warning", "error"]
What = Literal["span.end", "span.start", "span.event", "trace.end"]


class EventFields(msgspec.Struct, omit_defaults=True):
    """One event of the span."""

    time_unix_nano: Nanoseconds
    name: str
    attributes: Fields = {}
    dropped_attributes: Count = 0


class LinkFields(msgspec.Struct, omit_defaults=True):
    """One link to another span."""

    trace_id: TraceId
    span_id: SpanId
    trace_state: str = ""
    attributes: Fields = {}
    dropped_attributes: Count = 0
    flags: Count = 0


class ScopeFields(msgspec.Struct, omit_defaults=True):
    """What made the span, when it was not tracebridge."""

    name: str
    version: str = ""
    attributes: Fields = {}
    schema_url: str = ""


class CommonLine(msgspec.Struct, omit_defaults=True):
    """The line of a span that has nothing out of the ordinary. Given by position, which takes a sixth of the time of keywords."""

    timestamp: Instant
    """When the span ended; for other lines, when what they tell happened."""
    level: Level
    """`error` when the status is, `warning` when the span was closed unended."""
    event: What
    schema: Literal["spanlog/1"]
    trace_id: TraceId
    span_id: SpanId
    parent_span_id: SpanId | UnsetType = UNSET
    trace_flags: Annotated[str, Meta(pattern="^[0-9a-f]{2}$")] = ""
    custom_trace_id: str | UnsetType = UNSET
    service: str = ""
    span_name: str | UnsetType = UNSET
    span_kind: Literal["unspecified", "internal", "server", "client", "producer", "consumer"] | UnsetType = UNSET
    start_time: Instant = ""
    start_time_unix_nano: Nanoseconds | UnsetType = UNSET
    end_time_unix_nano: Nanoseconds | UnsetType = UNSET
    duration_ms: float | UnsetType = UNSET
    duration_ns: int | UnsetType = UNSET
    span_status: Literal["unset", "ok", "error"] | UnsetType = UNSET
    attributes: Fields = {}
    inputs: Any = UNSET
    outputs: Any = UNSET
    resource: Fields | UnsetType = UNSET
    sign: str = ""
    """Who wrote the line, and that it was not changed; see docs/signing.md."""


class Line(CommonLine, omit_defaults=True):
    """Any line."""

    status_message: str = ""
    error_type: str = ""
    error_message: str = ""
    error_stack: str = ""
    """The stack trace of the last exception, which `events` then leaves out."""
    events: list[EventFields] = []
    links: list[LinkFields] = []
    trace_state: str = ""
    span_type: str = "UNKNOWN"
    end_cause: str = "finished"
    opened_at: str = ""
    event_name: str | UnsetType = UNSET
    """The name of the event that a `span.event` line tells."""
    scope: ScopeFields | UnsetType = UNSET
    resource_schema_url: str = ""
    tags: dict[str, str] = {}
    id_scheme: str | UnsetType = UNSET
    custom_span_id: str | UnsetType = UNSET
    span_id_scheme: str | UnsetType = UNSET
    experiment_id: str = ""
    parent_is_remote: bool = False
    zipkin_shared: bool = False
    debug: bool = False
    dropped_attributes: Count = 0
    dropped_events: Count = 0
    dropped_links: Count = 0
    truncated_values: Count = 0
    """How many values had been cut to the client's limits before the line was written."""
    repaired: Count = 0
    redacted: Count = 0
    truncated: dict[str, Count] = {}
    """What was cut to keep the line short, and how often."""
    writer: str = ""
    """Which destination of which process wrote the line; `seq` counts for each of them."""
    seq: Count = 0
    """1, 2, 3, …: the order, and whether lines are missing."""


ALWAYS: Final = ("service", "span_name", "span_kind", "start_time", "start_time_unix_nano", "trace_flags")
"""What a line has besides what the struct requires."""
AT_THE_END: Final = ("end_time_unix_nano", "duration_ms", "duration_ns", "span_status")
"""What a `span.end` line has besides."""

_NANO_DIGITS = 9
_SECONDS_REMEMBERED = 64


class _Seconds(dict[str, str]):
    """The beginning of an instant's text by its whole seconds, in decimal: lines come in order, so the last few are enough."""

    def __missing__(self, second: str) -> str:
        try:
            text = datetime.datetime.fromtimestamp(max(0, int(second)), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        except (ValueError, OverflowError, OSError):  # no year of the calendar
            text = "9999-12-31T23:59:59."
        if len(self) >= _SECONDS_REMEMBERED:
            self.clear()
        self[second] = text
        return text


_seconds = _Seconds()


def rfc3339(unix_nano: str) -> str:
    """Return an instant, given as decimal nanoseconds, with nine digits, UTC. What is before 1970 is shown as its first second.

    >>> rfc3339("1700000000123456789")
    '2023-11-14T22:13:20.123456789Z'
    """
    if len(unix_nano) <= _NANO_DIGITS:
        unix_nano = unix_nano.removeprefix("-").rjust(_NANO_DIGITS + 1, "0")
    return f"{_seconds[unix_nano[:-_NANO_DIGITS]]}{unix_nano[-_NANO_DIGITS:]}Z"
