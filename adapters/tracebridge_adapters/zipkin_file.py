"""Zipkin v2 JSON in a file: one array a line, each of which a Zipkin server takes as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import DeliveryOptions, FilePath, option
from tracebridge_adapters.options import Dialect

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

MAX_BATCH_SPANS = 512  # spans a line: a line is what readers hold in memory


@dataclass(frozen=True, kw_only=True)
class ZipkinFileOptions(DeliveryOptions):
    """Options of the `zipkin_file` adapter."""

    path: FilePath = option("./zipkin.jsonl", help="The file; created 0600, appended to.")
    dialect: Dialect = option("openinference", help="Names for inputs, outputs and span type.")


class ZipkinFileAdapter:
    """Appends one line a batch."""

    Options: ClassVar[type[ZipkinFileOptions]] = ZipkinFileOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: ZipkinFileOptions, context: Context) -> None:
        from tracebridge.masking.printable import printable_json
        from tracebridge_adapters.dialects import attributes_for
        from tracebridge_adapters.formats.zipkin import json as zipkin_json
        from tracebridge_adapters.wires.stream import FileWire

        self._encode = zipkin_json.encode
        self._escape = printable_json  # some readers end a line at U+0085, U+2028 and U+2029
        self._attributes_of = attributes_for(options.dialect, context.trace_id_attribute)
        self._wire = FileWire(options.path)

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line."""
        return self._escape(self._encode(records, self._attributes_of)) + b"\n"

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Append the line in one write."""
        self._wire.write(body)
        return Sent()

    def close(self) -> None:
        """Close the file."""
        self._wire.close()
