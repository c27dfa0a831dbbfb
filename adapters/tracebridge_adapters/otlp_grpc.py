"""OTLP over gRPC: Collectors, Jaeger, Tempo and their like on port 4317. Needs `pip install 'tracebridge[grpc]'`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tracebridge.plugins.adapter import Context, Needs, Sent, TraceReader
from tracebridge.plugins.options import Url, option
from tracebridge_adapters.options import ReadableOptions, link_of
from tracebridge_adapters.readers.otlp import otlp_reader
from tracebridge_adapters.wires.grpc import GrpcWire, check_headers, check_tls

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MAX_BATCH_SPANS = 10_000
MAX_BATCH_BYTES = 4_000_000  # servers take 4 MiB of message, less its frame


@dataclass(frozen=True, kw_only=True)
class OtlpGrpcOptions(ReadableOptions):
    """Options of the `otlp_grpc` adapter."""

    endpoint: Url = option("http://localhost:4317", help="Address; https:// for TLS, http:// for none.")

    def __post_init__(self) -> None:
        """Refuse headers that gRPC cannot send, and TLS that it cannot do."""
        super().__post_init__()
        check_headers(self.headers)
        check_tls(self.endpoint, self.tls)


class OtlpGrpcAdapter:
    """Calls TraceService.Export with bytes that the OTLP format made."""

    Options: ClassVar[type[OtlpGrpcOptions]] = OtlpGrpcOptions
    needs: ClassVar[Needs] = Needs(("grpc", "google.protobuf", "google.rpc"), "tracebridge[grpc]")
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = MAX_BATCH_BYTES
    takes_encoded = True
    reader: TraceReader | None

    def __init__(self, options: OtlpGrpcOptions, context: Context) -> None:
        from tracebridge_adapters import encoders
        from tracebridge_adapters.formats.otlp.answer import read_partial_success

        self._read_partial_success = read_partial_success
        self._encode = encoders.otlp_protobuf(options.dialect, context.trace_id_attribute)
        self._wire = GrpcWire(
            options.endpoint,
            EXPORT,
            options.access,
            compression=options.compression,
        )
        self._ui = options.ui
        self.reader = otlp_reader(options, context)

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one ExportTraceServiceRequest."""
        return self._encode(records)

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Call Export and read `partial_success` from the answer."""
        rejected, message = self._read_partial_success(self._wire.call(body), "application/grpc")
        return Sent(rejected=rejected, message=self._wire.without_secrets(message))

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of a trace in the destination's own UI, as far as the options tell it."""
        return link_of(self._ui, trace_id) if self.reader is None else self.reader.link(trace_id)

    def close(self) -> None:
        """Close the channel."""
        self._wire.close()
