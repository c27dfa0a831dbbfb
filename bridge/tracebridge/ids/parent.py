"""A parent that lives elsewhere: its IDs and what its process decided about the trace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracebridge.errors import InvalidParameterError, misuse
from tracebridge.ids.custom import SpanId, TraceId

if TYPE_CHECKING:
    from tracebridge.ids.identity import Identity

_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class RemoteParent:
    """The context of a span in another process (or another client). IDs are 16 and 8 bytes, never zero."""

    trace_id: bytes
    span_id: bytes
    flags: int = 1
    """W3C trace flags; 1 is sampled."""
    trace_state: str = ""
    debug: bool = False


def is_span_id(text: Any) -> bool:
    """Return whether this is a span ID as we show it, 16 lower-case hex digits, not all zero, or a SpanId."""
    return (type(text) is str and _SPAN_ID.fullmatch(text) is not None) or type(text) is SpanId


def remote_parent(given: Any, ids: Identity) -> RemoteParent:
    """Read a parent from a RemoteParent, a span, or anything with `trace_id` and `span_id` as text.

    Raises InvalidParameterError for anything else.
    """
    if isinstance(given, RemoteParent):
        return given
    trace_id: Any = getattr(given, "wire_trace_id", None) or getattr(given, "trace_id", None)
    span_id: Any = getattr(given, "span_id", None)
    if not issubclass(type(trace_id), (str, TraceId)) or not is_span_id(span_id):
        raise misuse(
            InvalidParameterError,
            f"parent must be a span, or have trace_id and span_id (16 hex digits); got {type(given).__name__}.",
        )
    return RemoteParent(ids.wire(trace_id).trace_id, ids.span(span_id).wire)
