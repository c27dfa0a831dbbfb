"""JSON lines in a file: one body a line, for every format whose body is JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import FilePath, option
from tracebridge_adapters.options import NamingOptions

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord, Value

    AttributesOf = Callable[[SpanRecord], dict[str, Value]]

MAX_BATCH_SPANS = 512  # spans a line: a line is what readers hold in memory


@dataclass(frozen=True, kw_only=True)
class JsonFileOptions(NamingOptions):
    """What an adapter needs to know to append lines to a file."""

    path: FilePath = option("./spans.jsonl", help="The file; created 0600, appended to.")


class JsonFileAdapter:
    """Appends one line a batch, which `encode_json` writes. A subclass has the format and the name of the file."""

    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(
        self,
        encode_json: Callable[[Sequence[SpanRecord], AttributesOf], bytes],
        options: JsonFileOptions,
        context: Context,
    ) -> None:
        from tracebridge.masking.printable import printable_json
        from tracebridge_adapters.dialects import attributes_for
        from tracebridge_adapters.wires.stream import FileWire

        self._encode = encode_json
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
