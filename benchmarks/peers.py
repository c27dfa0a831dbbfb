"""The peers, set up as their documentation does, delivering in the background to where nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import peer

SDK = "opentelemetry-sdk"


def otel_provider(exporter: Any = None, resource: dict[str, str] | None = None) -> Any:
    """A TracerProvider with a BatchSpanProcessor at its defaults; without an exporter, one that discards."""
    peer("opentelemetry.sdk.trace", SDK)
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    provider = TracerProvider(resource=Resource(dict(resource or {"service.name": "benchmark"})))
    provider.add_span_processor(BatchSpanProcessor(exporter or Nowhere()))
    return provider


def otel_spans(tracer: Any, count: int, attributes: dict[str, Any] | None) -> Callable[[], None]:
    """One round: `count` spans under an open root."""
    from opentelemetry.trace import set_span_in_context

    context = set_span_in_context(tracer.start_span("root"))

    def one_round() -> None:
        for _ in range(count):
            tracer.start_span("operation", context, attributes=attributes).end()

    return one_round


def otel_finished(count: int, attributes_of: Callable[[int], dict[str, Any]]) -> list[Any]:
    """Finished spans of the SDK."""
    peer("opentelemetry.sdk.trace", SDK)
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider(resource=Resource({"service.name": "benchmark"})).get_tracer("benchmark")
    spans = []
    for n in range(count):
        span = tracer.start_span("operation", attributes=attributes_of(n))
        span.end()
        spans.append(span)
    return spans


def jaeger_tracer(reporter: Any = None) -> Any:
    """A jaeger-client tracer that samples everything; without a reporter, one that discards."""
    jaeger = peer("jaeger_client", "jaeger-client six")
    return jaeger.Tracer("benchmark", reporter or jaeger.reporter.NullReporter(), jaeger.ConstSampler(True))


def jaeger_finished(count: int, attributes_of: Callable[[int], dict[str, Any]]) -> list[Any]:
    """Finished spans of jaeger-client."""
    tracer = jaeger_tracer()
    spans = []
    for n in range(count):
        span = tracer.start_span("operation", tags=attributes_of(n))
        span.finish()
        spans.append(span)
    return spans


def py_zipkin_spans(count: int, attributes: dict[str, Any] | None, transport: Any) -> Callable[[], None]:
    """One round: `count` spans under a root, encoded and handed to the transport, which is how that library works."""
    peer("py_zipkin", "py-zipkin")
    from py_zipkin.encoding import Encoding
    from py_zipkin.zipkin import zipkin_span

    tags = {key: str(value) for key, value in (attributes or {}).items()}

    def one_round() -> None:
        with zipkin_span("benchmark", "root", transport_handler=transport, sample_rate=100, encoding=Encoding.V2_JSON):
            for _ in range(count):
                with zipkin_span("benchmark", "operation", binary_annotations=tags):
                    pass

    return one_round
