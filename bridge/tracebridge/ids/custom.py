"""An ID together with the scheme that reads it, for one call: wherever a trace or a span is named by its ID."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracebridge.ids.schemes import AUTO, derive, derive_span


@dataclass(frozen=True, slots=True)
class TraceId:
    """The caller's own trace ID, read by a scheme of its own instead of the client's (`trace_ids.scheme`).

    Every call that takes a `trace_id` takes one. Raises InvalidParameterError, when it is made, for what `derive` refuses.

    >>> TraceId("01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid").wire_trace_id
    '01563e3ab5d3d6764c61efb99302bd5b'
    """

    text: str
    scheme: str = AUTO
    """As it was given; `matched` is what `auto` recognised."""
    wire: bytes = field(init=False)
    """16 bytes, never zero."""
    matched: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive."""
        wire = derive(self.text, self.scheme)
        object.__setattr__(self, "wire", wire.trace_id)
        object.__setattr__(self, "matched", wire.scheme)

    @property
    def wire_trace_id(self) -> str:
        """The 32 lower-case hex digits that back-ends show."""
        return self.wire.hex()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class SpanId:
    """The caller's own span ID, read by a scheme of its own instead of the client's (`trace_ids.span_scheme`).

    Every call that takes a `span_id` or a `parent_id` takes one. Raises InvalidParameterError, when it is made, for what
    `derive_span` refuses.

    >>> SpanId("6917529027641081856", "decimal").wire_span_id
    '6000000000000000'
    """

    text: str
    scheme: str = AUTO
    wire: bytes = field(init=False)
    """8 bytes, never zero."""
    matched: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive."""
        wire, matched = derive_span(self.text, self.scheme)
        object.__setattr__(self, "wire", wire)
        object.__setattr__(self, "matched", matched)

    @property
    def wire_span_id(self) -> str:
        """The 16 lower-case hex digits that back-ends show."""
        return self.wire.hex()

    def __str__(self) -> str:
        return self.text
