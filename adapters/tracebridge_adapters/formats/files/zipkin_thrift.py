"""Zipkin v1 in Thrift's binary protocol as a file format, to be read: what Scribe and Zipkin's first collectors took."""

from __future__ import annotations

from functools import partial

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.zipkin import thrift_reader


class ZipkinThrift:
    """`tracebridge.plugins.format.Format` for a list of Zipkin's Thrift spans; a file is one line."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the bytes are a list of structs, which no text begins like."""
        return line[:2] == thrift_reader.LIST_OF_STRUCTS

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of the list, as far as it goes. Raises ValueError when none can be read."""
        read = thrift_reader.decode(line, self._take_apart)
        if read.damage and not read.records:
            raise ValueError(f"not Zipkin's Thrift: {'; '.join(read.damage)}")
        return read
