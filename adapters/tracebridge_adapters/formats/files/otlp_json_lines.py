"""OTLP JSON as a file format: one TracesData a line (OpenTelemetry specification, OTLP file exporter)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tracebridge.masking.printable import printable_json
from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.dialects import attributes_of, take_apart
from tracebridge_adapters.formats.otlp import json as otlp_json
from tracebridge_adapters.formats.otlp import json_reader as otlp_json_reader


class OtlpJsonLines:
    """`tracebridge.plugins.format.Format` for OTLP JSON lines. Every record comes back as it was."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._attributes_of = partial(attributes_of, dialect="openinference", trace_id_attribute=trace_id_attribute)
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the line is JSON that names resource spans, or Tempo's batches of them."""
        return line[:1] in (b"{", b"[") and (
            b'"resourceSpans"' in line or b'"resource_spans"' in line or (b'"batches"' in line and b"Spans" in line)
        )

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of one line. Raises ValueError when it is not OTLP JSON, or holds no span that can be read."""
        read = otlp_json_reader.decode(line, self._take_apart)
        if read.damage and not read.records:
            raise ValueError(f"not OTLP JSON: {'; '.join(read.damage)}")
        return read

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line for all of these records."""
        return printable_json(otlp_json.encode(records, self._attributes_of)) + b"\n"
