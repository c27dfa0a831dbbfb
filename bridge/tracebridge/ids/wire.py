"""IDs as they are shown and sent: 32 and 16 lower-case hex digits, never all zero."""

from __future__ import annotations

import re
from typing import Any

from tracebridge.ids.custom import SpanId

_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


def is_span_id(text: Any) -> bool:
    """Return whether this is a span ID as we show it: 16 lower-case hex digits, not all zero."""
    return type(text) is str and _SPAN_ID.fullmatch(text) is not None


def names_span(given: Any) -> bool:
    """Return whether this can name a span that another process has: a span ID as we show it, or a SpanId."""
    return type(given) is SpanId or is_span_id(given)


def span_bytes(given: SpanId | str) -> bytes:
    """Return the 8 bytes of what names a span."""
    return given.wire if isinstance(given, SpanId) else bytes.fromhex(given)


def is_trace_id(text: Any) -> bool:
    """Return whether this is a wire trace ID as we show it: 32 lower-case hex digits, not all zero."""
    return type(text) is str and _TRACE_ID.fullmatch(text) is not None
