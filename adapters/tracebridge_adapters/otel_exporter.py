"""Any OpenTelemetry SDK span exporter, a vendor's or an official one. Needs `pip install 'tracebridge[opentelemetry]'`.

    adapters:
      otel_exporter/vendor: {class: "vendor.tracing:VendorSpanExporter", args: {region: eu}}

An exporter answers only SUCCESS or FAILURE, not why: a batch is tried three times and then becomes dead letters. Batches come from the
journal, one at a time, as the SDK's contract with exporters asks; what the exporter itself retries and waits for is its own.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

import msgspec

from tracebridge.errors import ConfigError, Retryable
from tracebridge.masking.foreign import clean
from tracebridge.masking.known import KnownSecrets, texts_that_may_be_secret
from tracebridge.plugins.adapter import Context, Needs, Sent
from tracebridge.plugins.options import ClassPath, option
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.options import NamingOptions

MAX_BATCH_SPANS = 10_000
TRIES = 3

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[SpanRecord]).decode


@dataclass(frozen=True, kw_only=True)
class OtelExporterOptions(NamingOptions):
    """Options of the `otel_exporter` adapter."""

    class_: ClassPath = option(
        help="The exporter's class, or a function that returns an exporter.",
        examples=["opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter"],
    )
    args: dict[str, Any] = option(factory=dict, help="Keyword arguments of the class.", examples=[{"timeout": 5}])


class OtelExporterAdapter:
    """Builds the exporter and hands it readable spans."""

    Options: ClassVar[type[OtelExporterOptions]] = OtelExporterOptions
    needs: ClassVar[Needs] = Needs(("opentelemetry.sdk",), "tracebridge[opentelemetry]")
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: OtelExporterOptions, context: Context) -> None:
        try:
            from tracebridge_adapters.formats.readable_spans import readable_spans
        except ImportError as error:
            needed = "the otel_exporter adapter needs opentelemetry-sdk: pip install 'tracebridge[opentelemetry]'"
            raise ConfigError(needed) from error
        self._secrets = KnownSecrets(texts_that_may_be_secret(options.args))  # masked as long as this lives
        self._spans_of = partial(
            readable_spans, attributes_of=attributes_for(options.dialect, context.trace_id_attribute)
        )
        self._exporter = _built(options, context.name)
        self._one_at_a_time = threading.Lock()  # the SDK promises exporters that `export` is never called twice at once

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return the records as MessagePack: an exporter takes objects, which `send` makes of them."""
        return _encode(list(records))

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Call `export`. Raises Retryable for FAILURE, for any other answer but SUCCESS, and for what it raises."""
        exported = self._spans_of(_decode(body))
        try:
            with self._one_at_a_time:
                result = self._exporter.export(exported)
        except Exception as error:
            raise Retryable(f"{_shown(self._exporter)} raised {type(error).__name__}: {error}", tries=TRIES) from error
        if getattr(result, "name", None) != "SUCCESS":
            raise Retryable(f"{_shown(self._exporter)} answered {getattr(result, 'name', repr(result))}", tries=TRIES)
        return Sent()

    def close(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()


def _built(options: OtelExporterOptions, name: str) -> Any:
    """Import what the options name, and call it. Raises ConfigError for whatever goes wrong."""
    module, _, member = options.class_.partition(":")
    try:
        build = attrgetter(member)(importlib.import_module(module))
    except Exception as error:
        raise ConfigError(f'adapters.{name}.class: "{options.class_}" cannot be imported: {clean(error)}') from None
    try:
        exporter = build(**options.args)
    except Exception as error:
        refused = f"does not take {', '.join(options.args)}" if options.args else "cannot be called without arguments"
        raise ConfigError(
            f"adapters.{name}.args: {options.class_} {refused}: {type(error).__name__}: {clean(error)}"
        ) from None  # its own words may repeat a secret, and a traceback would show them
    if not callable(getattr(exporter, "export", None)) or not callable(getattr(exporter, "shutdown", None)):
        raise ConfigError(
            f"adapters.{name}.class: {options.class_} made a {type(exporter).__name__}, which is not a span exporter: name a subclass of opentelemetry.sdk.trace.export.SpanExporter"
        )
    return exporter


def _shown(exporter: Any) -> str:
    return type(exporter).__name__
