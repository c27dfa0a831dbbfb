"""Zipkin JSON as a file format: one array of spans, or one span, a line. v2 is written; v1 is read too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tracebridge.masking.printable import printable_json
from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.dialects import attributes_of, take_apart
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import json_reader as zipkin_json_reader


class ZipkinJsonLines:
    """`tracebridge.plugins.format.Format` for Zipkin JSON lines. What Zipkin keeps comes back: text, microseconds, names as they are."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._attributes_of = partial(attributes_of, dialect="openinference", trace_id_attribute=trace_id_attribute)
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the line is an array or an object that names Zipkin's `traceId` and `id` and is not OTLP."""
        return line[:1] in (b"[", b"{") and b'"traceId"' in line and b'"id"' in line and b'Spans"' not in line

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of one line. Raises ValueError when it is no Zipkin JSON, or holds no span that can be read."""
        read = zipkin_json_reader.decode(line, self._take_apart)
        if read.damage and not read.records:
            raise ValueError(f"not Zipkin JSON: {'; '.join(read.damage)}")
        return read

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line for all of these records."""
        return printable_json(zipkin_json.encode(records, self._attributes_of)) + b"\n"
