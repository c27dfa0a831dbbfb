"""A destination that can be read back, as commands and the page know it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracebridge.plugins.adapter import PartialReader, TraceReader
from tracebridge.records.record import SpanRecord


class Destination(NamedTuple):
    """One destination that can be read."""

    name: str
    """Its key in the configuration."""
    reader: TraceReader
    adapter: Any
    path: str
    """Of a store's file; empty for servers."""

    @property
    def shown(self) -> str:
        """What messages call it."""
        return f"{self.name} ({self.path})" if self.path else self.name

    def spans(self, trace_id: bytes, limit: int) -> tuple[list[SpanRecord], int]:
        """Return spans of a trace, at most `limit` where it can say so, and how many there are."""
        if isinstance(self.reader, PartialReader):
            return self.reader.first(trace_id, limit)
        spans = self.reader.get(trace_id)
        return spans, len(spans)
