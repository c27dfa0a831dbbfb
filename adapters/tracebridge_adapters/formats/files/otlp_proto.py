"""OTLP protobuf as a format to be read: one TracesData (or ExportTraceServiceRequest), as Kafka messages hold it."""

from __future__ import annotations

from functools import partial

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.otlp import protobuf_reader

FIRST_FIELD = b"\x0a"  # field 1, length-delimited; a line of text never begins with it


class OtlpProto:
    """`tracebridge.plugins.format.Format` for one OTLP protobuf message. Every record comes back as it was."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the bytes begin as the message does; Zipkin's protobuf begins so too, and is asked first."""
        return line[:1] == FIRST_FIELD

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of the message. Raises ValueError when it is not OTLP protobuf, or holds no span that can be read."""
        read = protobuf_reader.decode(line, self._take_apart)
        if read.damage and not read.records:
            raise ValueError(f"not OTLP protobuf: {'; '.join(read.damage)}")
        return read
