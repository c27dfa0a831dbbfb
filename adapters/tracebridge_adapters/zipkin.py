"""Zipkin v2 over HTTP, JSON or protobuf: Zipkin itself, and the Zipkin ports of Jaeger and Collectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tracebridge.plugins.adapter import Context, Sent, TraceReader
from tracebridge.plugins.options import Url, option
from tracebridge_adapters.options import ReadableOptions, link_of

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

SPANS_PATH = "/api/v2/spans"
MAX_BATCH_SPANS = 10_000
MAX_BATCH_BYTES = 8 * 2**20  # servers take 10 MiB
CONTENT_TYPES = {"json": "application/json", "protobuf": "application/x-protobuf"}


@dataclass(frozen=True, kw_only=True)
class ZipkinOptions(ReadableOptions):
    """Options of the `zipkin` adapter."""

    endpoint: Url = option("http://localhost:9411/api/v2/spans", help="Where spans are posted, path included.")
    encoding: Literal["json", "protobuf"] = option("json", help="How the body is written; protobuf needs Zipkin 2.8.")


class ZipkinAdapter:
    """Posts lists of spans. A 202 says that the server took them, not that they are stored."""

    Options: ClassVar[type[ZipkinOptions]] = ZipkinOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = MAX_BATCH_BYTES
    takes_encoded = True
    reader: TraceReader | None

    def __init__(self, options: ZipkinOptions, context: Context) -> None:
        from tracebridge_adapters import encoders
        from tracebridge_adapters.readers.zipkin_health import ZipkinHealth
        from tracebridge_adapters.wires.http import HttpWire

        encoder = encoders.zipkin_json if options.encoding == "json" else encoders.zipkin_protobuf
        self._encode = encoder(options.dialect, context.trace_id_attribute)
        self._wire = HttpWire(
            options.endpoint,
            options.access,
            compression=options.compression,
            content_type=CONTENT_TYPES[options.encoding],
            on_500="ambiguous",
            max_connections=options.sending_queue.max_in_flight,
        )
        base = options.endpoint.partition("?")[0].removesuffix(SPANS_PATH)
        self._health = None if base == options.endpoint else ZipkinHealth(base, options.access)
        self._ui = options.ui
        self.reader = None
        if options.query_endpoint is not None:
            from tracebridge_adapters.readers.zipkin import ZipkinReader
            from tracebridge_adapters.wires.http_get import HttpReader

            server = HttpReader(options.query_endpoint, options.access)
            self.reader = ZipkinReader(server, context, options.ui)

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return a list of Zipkin spans."""
        return self._encode(records)

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """POST the body."""
        answer = self._wire.post(body)
        return Sent(doubt=answer.doubt if answer.body else "")

    def health_problem(self) -> str:
        """Return what Zipkin says of its storage: it answers 202 to spans that it cannot store."""
        return self._health.health_problem() if self._health is not None else ""

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of a trace in the destination's own UI, as far as the options tell it."""
        return link_of(self._ui, trace_id) if self.reader is None else self.reader.link(trace_id)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()
        if self._health is not None:
            self._health.close()
