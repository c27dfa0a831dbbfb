"""OTLP over HTTP, protobuf or JSON: Collectors, Jaeger, Tempo, Phoenix, MLflow and most of today's back-ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT, Context, Sent, TraceReader
from tracebridge.plugins.options import Secret, Url, option
from tracebridge_adapters.options import ReadableOptions, link_of
from tracebridge_adapters.readers.otlp import MLFLOW_EXPERIMENT_HEADER, otlp_reader

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

TRACES_PATH = "/v1/traces"
MAX_BATCH_SPANS = 10_000
MAX_BATCH_BYTES = 16 * 2**20  # servers take 20 MiB
CONTENT_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}


@dataclass(frozen=True, kw_only=True)
class OtlpHttpOptions(ReadableOptions):
    """Options of the `otlp_http` adapter."""

    endpoint: Url = option("http://localhost:4318", help="Base address; /v1/traces is added unless it ends so already.")
    encoding: Literal["protobuf", "json"] = option("protobuf", help="How the body is written.")


class OtlpHttpAdapter:
    """Sends ExportTraceServiceRequest bodies by POST."""

    Options: ClassVar[type[OtlpHttpOptions]] = OtlpHttpOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = MAX_BATCH_BYTES
    takes_encoded = True
    reader: TraceReader | None

    def __init__(self, options: OtlpHttpOptions, context: Context) -> None:
        from tracebridge_adapters import encoders
        from tracebridge_adapters.formats.otlp.answer import is_answer, read_partial_success, refusal_words
        from tracebridge_adapters.wires.http import HttpWire

        self._read_partial_success, self._is_answer = read_partial_success, is_answer
        encoder = encoders.otlp_json if options.encoding == "json" else encoders.otlp_protobuf
        self._encode = encoder(options.dialect, context.trace_id_attribute)
        self._wire = HttpWire(
            traces_url(options.endpoint),
            options.access.with_headers(headers_of(options)),
            compression=options.compression,
            content_type=CONTENT_TYPES[options.encoding],
            on_500="reject",
            words_of=refusal_words,
            max_connections=options.sending_queue.max_in_flight,
        )
        self._ui = options.ui
        self.reader = otlp_reader(options, context)

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one ExportTraceServiceRequest."""
        return self._encode(records)

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """POST the body and read `partial_success` from the answer."""
        answer = self._wire.post(body)
        rejected, message = self._read_partial_success(answer.body, answer.content_type)
        doubt = "" if self._is_answer(answer.body, answer.content_type) else answer.doubt
        return Sent(rejected=rejected, message=answer.without_secrets(message), doubt=doubt)

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of a trace in the destination's own UI, as far as the options tell it."""
        return link_of(self._ui, trace_id) if self.reader is None else self.reader.link(trace_id)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


def headers_of(options: OtlpHttpOptions) -> dict[str, Secret]:
    """Return the headers to send: an MLflow server refuses every body that does not name its experiment.

    That refusal is an HTTP 422, which says "this data is wrong" and would cost the spans; so the default experiment is named.
    """
    named = {name.lower() for name in options.headers}
    if options.dialect != "mlflow" or MLFLOW_EXPERIMENT_HEADER in named:
        return options.headers
    return {MLFLOW_EXPERIMENT_HEADER: Secret(DEFAULT_EXPERIMENT), **options.headers}


def traces_url(endpoint: str) -> str:
    """Return the address to post to: a base address gets /v1/traces (OTLP specification, endpoint URLs).

    >>> traces_url("http://localhost:4318/"), traces_url("https://host/otlp/v1/traces")
    ('http://localhost:4318/v1/traces', 'https://host/otlp/v1/traces')
    """
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(TRACES_PATH) else path + TRACES_PATH))
