"""Jaeger's JSON as a file format, to be read: what the download of its UI and `/api/traces` give."""

from __future__ import annotations

from functools import partial

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.jaeger import json_reader


class JaegerJson:
    """`tracebridge.plugins.format.Format` for Jaeger's traces. What Jaeger keeps comes back: microseconds, lists and mappings as text."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the line is an object with data, traces and spans in Jaeger's spelling."""
        return line[:1] == b"{" and b'"data"' in line and b'"traceID"' in line and b'"spanID"' in line

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of one document. Raises ValueError when it is not Jaeger's, or holds no span that can be read."""
        traces = json_reader.decode(line, self._take_apart)
        damage = [reason for trace in traces for reason in trace.damage]
        records = [record for trace in traces for record in trace.records]
        if damage and not records:
            raise ValueError(f"not Jaeger's JSON: {'; '.join(damage)}")
        return Decoded(records, damage=damage)
