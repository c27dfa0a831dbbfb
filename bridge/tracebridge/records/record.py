"""The finished span: frozen, exact, and free of every destination's habits.

A `SpanRecord` is what travels from the moment a span ends until an adapter turns it into bytes. Times are
integer nanoseconds since the Unix epoch, IDs are raw bytes, attribute values are already reduced by
`tracebridge.records.values` to the `Value` types below. Nothing here knows JSON names, rounding or lower-casing: that
belongs to formats.

Records are stored in the journal as MessagePack arrays. New fields are therefore only ever added at the end,
with a default, so that an older journal still reads. An older version would leave such a field out, so it also takes a new `VERSION` here, and a new version of the
journal for segments in which it is used (`tracebridge.journal.segment.SINCE`).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

VERSION = 2
"""1 had 34 fields, the cause of the end behind the flags."""

Value = Any
"""str | int (signed 64 bit) | float | bool | bytes | list[Value] | dict[str, Value]; None inside containers."""


class Kind(IntEnum):
    """A span's kind, with the numbers of OpenTelemetry's `SpanKind`."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """A span's status, with the numbers of OpenTelemetry's `StatusCode`."""

    UNSET = 0
    OK = 1
    ERROR = 2


class EndCause(StrEnum):
    """Why a span ended. Everything but FINISHED is shown as the attribute `tracebridge.end_cause`."""

    FINISHED = "finished"
    """The application ended it."""
    ABANDONED = "abandoned"
    """Its root ended and it was still open after `lifecycle.late_children`."""
    FLUSHED = "flushed"
    """Still open when the client was closed."""
    LEAKED = "leaked"
    """Open longer than `lifecycle.max_open`, with `on_leak: close`."""
    UNFINISHED = "unfinished"
    """Its process died; known from the journal's start record. Or it was shared, and did not end within `lifecycle.max_open`."""
    ORPHANED = "orphaned"
    """Its end was told, and its start is unknown: the engine of shared spans has lost it, or never had it."""


class Resource(msgspec.Struct, frozen=True, array_like=True):
    """What produced the spans (OpenTelemetry Resource): `service.name` and its companions."""

    attributes: dict[str, Value] = {}
    schema_url: str = ""

    @property
    def service_name(self) -> str:
        """`service.name`, or `unknown_service` as OpenTelemetry's resource conventions ask."""
        name = self.attributes.get("service.name")
        return name if isinstance(name, str) and name else UNKNOWN_SERVICE


UNKNOWN_SERVICE = "unknown_service"


class Scope(msgspec.Struct, frozen=True, array_like=True):
    """The instrumentation that made the span (OpenTelemetry InstrumentationScope)."""

    name: str = "tracebridge"
    version: str = ""
    attributes: dict[str, Value] = {}
    schema_url: str = ""


class Event(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened at one instant within a span."""

    name: str
    time_ns: int
    attributes: dict[str, Value] = {}
    dropped_attributes: int = 0


class Link(msgspec.Struct, frozen=True, array_like=True):
    """A reference to another span. IDs are 16 and 8 bytes."""

    trace_id: bytes
    span_id: bytes
    trace_state: str = ""
    attributes: dict[str, Value] = {}
    dropped_attributes: int = 0
    flags: int = 0


class SpanRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One finished span, as every adapter sees it.

    Fields that the common span has stand first, because an array that ends early is a record whose other fields are at
    their defaults: `tracebridge.calls.ending` writes such short arrays for most spans.

    `gc=False`: a record is built of plain values and never part of a cycle, and a batch that the collector need not look through is decoded in
    two thirds of the time (0.48 against 0.73 µs a span). For the same reason events and links are tuples: two empty lists in each record of a
    batch are what starts a full collection every 25,000 spans (0.5 µs a span in a small process).
    """

    trace_id: bytes
    """16 bytes, never all zero: the wire ID."""
    span_id: bytes
    """8 bytes, never all zero."""
    parent_id: bytes | None
    """8 bytes, or None for a root."""
    name: str
    start_time_ns: int
    """Nanoseconds since the Unix epoch."""
    end_time_ns: int
    """Nanoseconds since the Unix epoch, as given: may lie before the start (then `end_before_start`)."""
    kind: int = int(Kind.INTERNAL)
    """A `Kind` as plain int: an enum member costs the encoder as much as five other fields."""
    status: int = int(StatusCode.UNSET)
    """A `StatusCode` as plain int."""
    attributes: dict[str, Value] = {}
    """The user's own attributes only; what tracebridge itself has to say stands in the fields below."""
    span_type: str = "UNKNOWN"
    """MLflow's span type, such as LLM or CHAIN; UNKNOWN when not set."""
    custom_trace_id: str | None = None
    """The caller's own trace ID, letter for letter; None when the client made the ID."""
    end_cause: str = EndCause.FINISHED.value
    """An `EndCause` as plain str."""
    opened_at: str = ""
    """`file:line` of the call that opened the span; set when the end cause is not FINISHED."""
    status_message: str = ""
    inputs: Value = None
    """What went in (MLflow's inputs); None means not set."""
    outputs: Value = None
    """What came out (MLflow's outputs); None means not set."""
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    tags: dict[str, str] = {}
    """The trace's tags; on the root only."""
    id_scheme: str | None = None
    """The scheme that derived `trace_id` from `custom_trace_id`; on the root only."""
    trace_state: str = ""
    """W3C tracestate."""
    flags: int = 1
    """W3C trace flags, 8 bits; 1 is sampled."""
    parent_is_remote: bool = False
    debug: bool = False
    """A real debug request (B3 `d`, Jaeger flag 2), never merely sampled."""
    shared: bool = False
    """Zipkin's shared span: the server side of an RPC that reuses the client's span ID."""
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    truncated: int = 0
    """How many values were cut to a limit."""
    redacted: int = 0
    """How many values were masked."""
    repaired: int = 0
    """How many values could not be recorded as given and were replaced by the nearest text."""
    experiment_id: str = ""
    """MLflow's experiment, on every span of the trace; empty when not given, which means the destination's own or `DEFAULT_EXPERIMENT`."""
    scope: Scope | None = None
    """None means tracebridge's own."""
    resource: Resource | None = None
    """In the journal None means the client's own; an adapter always sees it filled in."""
    custom_span_id: str | None = None
    """The caller's own span ID, letter for letter; None when the client made the ID."""
    span_id_scheme: str | None = None
    """The scheme that derived `span_id` from `custom_span_id`."""

    @property
    def is_root(self) -> bool:
        """Whether the span has no parent at all, local or remote."""
        return self.parent_id is None

    @property
    def duration_ns(self) -> int:
        """End minus start in nanoseconds, never negative: no wire can carry a span that ends before it starts."""
        return max(0, self.end_time_ns - self.start_time_ns)

    @property
    def end_before_start(self) -> bool:
        """Whether the times contradict each other; formats then send the start as the end and mark the span."""
        return self.end_time_ns < self.start_time_ns


def carried(text: str) -> str:
    """Return a text as records carry it: what UTF-8 cannot say (lone surrogates) is readable.

    >>> print(carried("order-" + chr(0xDCFF)))
    order-\\udcff
    """
    return text.encode("utf-8", "backslashreplace").decode()
