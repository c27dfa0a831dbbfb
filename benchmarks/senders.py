"""Processes that make spans and send them to a sink: what `endtoend` and `steady` measure. Each is (make so many spans, wait for the rest)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import peers
from benchmarks.harness import Missing, peer
from benchmarks.ours import ATTRIBUTES, fresh_attributes

Sender = tuple[Callable[[int], object], Callable[[], object]]


def _the_same(_: int) -> dict[str, Any]:
    return ATTRIBUTES


def _bridge(
    adapter: str, options: dict[str, Any], attributes_of: Callable[[int], dict[str, Any]] = _the_same
) -> Sender:
    from tracebridge import Client

    client = Client(config={"resource": {"attributes": {"service.name": "benchmark"}}, "adapters": {adapter: options}})
    root = client.start_trace("root")

    def make(count: int) -> None:
        for n in range(count):
            span = client.start_span("operation", root.trace_id, root.span_id, attributes=attributes_of(n))
            client.end_span(root.trace_id, span.span_id)

    return make, client.flush


def _sdk(exporter: Any) -> Sender:
    provider = peers.otel_provider(exporter)
    tracer = provider.get_tracer("benchmark")
    return lambda count: peers.otel_spans(tracer, count, ATTRIBUTES)(), provider.force_flush


def bridge_otlp_http(ports: dict[str, int]) -> Sender:
    """Ours, OTLP protobuf over HTTP."""
    return _bridge("otlp_http", {"endpoint": f"http://127.0.0.1:{ports['http']}"})


def bridge_otlp_http_new(ports: dict[str, int]) -> Sender:
    """The same; each value is new in its batch."""
    return _bridge("otlp_http", {"endpoint": f"http://127.0.0.1:{ports['http']}"}, fresh_attributes)


def sdk_otlp_http_new(ports: dict[str, int]) -> Sender:
    """The SDK, OTLP protobuf over HTTP; each value is new in its batch."""
    module = peer("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry-exporter-otlp-proto-http")
    provider = peers.otel_provider(module.OTLPSpanExporter(f"http://127.0.0.1:{ports['http']}/v1/traces"))
    tracer = provider.get_tracer("benchmark")

    def make(count: int) -> None:
        with tracer.start_as_current_span("root"):
            for n in range(count):
                tracer.start_span("operation", attributes=fresh_attributes(n)).end()

    return make, provider.force_flush


def sdk_otlp_http(ports: dict[str, int]) -> Sender:
    """The SDK, OTLP protobuf over HTTP."""
    module = peer("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry-exporter-otlp-proto-http")
    return _sdk(module.OTLPSpanExporter(f"http://127.0.0.1:{ports['http']}/v1/traces"))


def bridge_otlp_grpc(ports: dict[str, int]) -> Sender:
    """Ours, OTLP over gRPC."""
    if not ports["grpc"]:
        raise Missing("pip install 'tracebridge[grpc]'")
    return _bridge("otlp_grpc", {"endpoint": f"http://127.0.0.1:{ports['grpc']}"})


def sdk_otlp_grpc(ports: dict[str, int]) -> Sender:
    """The SDK, OTLP over gRPC."""
    module = peer("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "opentelemetry-exporter-otlp-proto-grpc")
    return _sdk(module.OTLPSpanExporter(f"http://127.0.0.1:{ports['grpc']}", insecure=True))


def bridge_zipkin(ports: dict[str, int]) -> Sender:
    """Ours, Zipkin JSON over HTTP."""
    return _bridge("zipkin", {"endpoint": f"http://127.0.0.1:{ports['http']}"})


def sdk_zipkin(ports: dict[str, int]) -> Sender:
    """The SDK, Zipkin JSON over HTTP."""
    module = peer("opentelemetry.exporter.zipkin.json", "opentelemetry-exporter-zipkin-json")
    return _sdk(module.ZipkinExporter(endpoint=f"http://127.0.0.1:{ports['http']}/api/v2/spans"))


def py_zipkin(ports: dict[str, int]) -> Sender:
    """py_zipkin, JSON over HTTP: a trace is sent when its root ends, from the calling thread."""
    peer("py_zipkin", "py-zipkin")
    from py_zipkin.transport import SimpleHTTPTransport

    transport = SimpleHTTPTransport("127.0.0.1", ports["http"])
    return lambda count: peers.py_zipkin_spans(count, ATTRIBUTES, transport)(), lambda: None


def bridge_jaeger(ports: dict[str, int]) -> Sender:
    """Ours, Thrift to an agent over UDP."""
    peer("thrift", "'tracebridge[jaeger]'")
    return _bridge("jaeger_thrift", {"endpoint": f"udp://127.0.0.1:{ports['udp']}"})


def jaeger_client(ports: dict[str, int]) -> Sender:
    """jaeger-client, Thrift to an agent over UDP, with its reporter's defaults but for a queue that holds a round."""
    library = peer("jaeger_client", "jaeger-client six")
    import time

    from jaeger_client.local_agent_net import LocalAgentSender

    channel = LocalAgentSender("127.0.0.1", 0, ports["udp"])
    reporter = library.reporter.Reporter(channel, queue_capacity=10_000)
    tracer = peers.jaeger_tracer(reporter)
    root = tracer.start_span("root")

    def make(count: int) -> None:
        for _ in range(count):
            tracer.start_span("operation", child_of=root, tags=ATTRIBUTES).finish()

    def settle() -> None:
        while reporter.queue.qsize():
            time.sleep(0.02)

    return make, settle


def nothing(_: dict[str, int]) -> Sender:
    """The loop alone."""

    def make(count: int) -> None:
        for _ in range(count):
            pass

    return make, lambda: None
