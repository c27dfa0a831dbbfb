"""Zipkin v2 protobuf as a format to be read: one ListOfSpans, as Kafka messages hold it."""

from __future__ import annotations

from functools import partial

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.shared.protobuf_fields import fields
from tracebridge_adapters.formats.zipkin import protobuf_reader

FIRST_FIELD = b"\x0a"  # field 1, length-delimited; a line of text never begins with it
TRACE_ID, PARENT_ID, SPAN_ID = 1, 2, 3


class ZipkinProto:
    """`tracebridge.plugins.format.Format` for one ListOfSpans."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the first message inside is a span of Zipkin's: IDs of 8 or 16 bytes in its fields 1 to 3.

        OTLP begins with the same byte. Its field 2 there holds spans, and is longer than an ID.
        """
        if line[:1] != FIRST_FIELD:
            return False
        try:
            _, first = next(fields(line))
            assert isinstance(first, bytes)  # noqa: S101 - its key byte says so
            ids = {number: value for number, value in fields(first) if number <= SPAN_ID}
        except ValueError:
            return False
        sizes = {number: len(value) if isinstance(value, bytes) else 0 for number, value in ids.items()}
        return sizes.get(TRACE_ID) in {8, 16} and sizes.get(SPAN_ID) == 8 and sizes.get(PARENT_ID, 8) in {0, 8}

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of the list. Raises ValueError when it is not a ListOfSpans, or holds no span that can be read."""
        read = protobuf_reader.decode(line, self._take_apart)
        if read.damage and not read.records:
            raise ValueError(f"not Zipkin protobuf: {'; '.join(read.damage)}")
        return read
