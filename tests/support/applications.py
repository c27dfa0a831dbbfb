"""One application, instrumented once with each library: `python -m support.applications LIBRARY TARGET`.

TARGET is JSON. {"own": …} sends with the library's own exporter, {"bridge": CONFIG} through tracebridge; the application is the same. Prints the
trace ID. Times are fixed, so that what two runs sent differs in IDs only.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from typing import Any

T0 = 1_790_000_000.0  # seconds
NS = 1_000_000_000
PROCESS = {"ip": "192.0.2.7", "hostname": "node-7", "zone": "eu"}
SPANS = {"jaeger-client": 6, "py_zipkin": 5, "opentelemetry": 6}
"""How many spans each application makes."""


# ---------------------------------------------------------------------- jaeger-client


def jaeger_client_application(tracer: Any) -> str:
    """A request with typed tags, logs, a failed call, and references of both kinds."""
    import opentracing

    root = tracer.start_span(
        "GET /cart", start_time=T0, tags={"span.kind": "server", "http.status_code": 200, "cold": True, "load": 0.5}
    )
    root.log_kv({"event": "cache miss", "key": "cart:7", "tries": 2}, timestamp=T0 + 0.001)
    root.log_kv({"note": "no name", "ok": False}, timestamp=T0 + 0.002)
    call = tracer.start_span(
        "SELECT", child_of=root, start_time=T0 + 0.003, tags={"span.kind": "client", "peer.service": "db"}
    )
    call.set_tag("error", True).set_tag("attempt", 1).set_tag("attempt", 2)
    call.log_kv({"event": "error", "message": "größer als erlaubt"}, timestamp=T0 + 0.004)
    call.finish(T0 + 0.0055)
    price = tracer.start_span("price", child_of=root, start_time=T0 + 0.006)
    price.finish(T0 + 0.007)
    later = tracer.start_span("later", references=[opentracing.follows_from(price.context)], start_time=T0 + 0.008)
    later.finish(T0 + 0.0080000001)
    both = [
        opentracing.child_of(root.context),
        opentracing.child_of(price.context),
        opentracing.follows_from(call.context),
    ]
    tracer.start_span("joined", references=both, start_time=T0 + 0.009, tags={"error": "card declined"}).finish(
        T0 + 0.01
    )
    tracer.start_span("send", child_of=root, start_time=T0 + 0.011, tags={"span.kind": "producer", "empty": ""}).finish(
        T0 + 0.012
    )
    root.finish(T0 + 0.02)
    return f"{root.trace_id:032x}"


def jaeger_client(target: Any) -> str:
    """Run it with jaeger-client; `own` is an agent's UDP port."""
    import jaeger_client as library

    if "bridge" in target:
        from tracebridge import Client

        with Client(config=target["bridge"]) as client:
            sampler = library.ConstSampler(True)
            tracer = library.Tracer(
                "shop", client.source("jaeger-client"), sampler, tags=dict(PROCESS), generate_128bit_trace_id=True
            )
            trace_id = jaeger_client_application(tracer)
            tracer.close().result()
            assert client.flush(60)
        return trace_id
    agent = {"reporting_host": "127.0.0.1", "reporting_port": target["own"]}
    config = {
        "sampler": {"type": "const", "param": True},
        "local_agent": agent,
        "tags": dict(PROCESS),
        "generate_128bit_trace_id": True,
    }
    tracer = library.Config(config, service_name="shop", validate=True).new_tracer()
    trace_id = jaeger_client_application(tracer)
    closed = tracer.close()
    while not closed.done():
        time.sleep(0.01)
    return trace_id


# ---------------------------------------------------------------------- py_zipkin


def py_zipkin_application(handler: Any, encoding: Any) -> str:
    """A request that joined its caller's span, with a local step, a failed call, and one that succeeds."""
    from py_zipkin import Kind
    from py_zipkin.util import ZipkinAttrs, generate_random_64bit_string
    from py_zipkin.zipkin import zipkin_span

    trace_id = generate_random_64bit_string()
    attrs = ZipkinAttrs(trace_id, generate_random_64bit_string(), "0020000000000001", "0", True)
    root: dict[str, Any] = {"kind": Kind.SERVER, "port": 8080, "host": "192.0.2.7", "report_root_timestamp": True}
    with zipkin_span(
        "shop", "get /cart", zipkin_attrs=attrs, transport_handler=handler, encoding=encoding, **root
    ) as server:
        server.update_binary_annotations({"http.path": "/cart", "http.status_code": "200"})
        with zipkin_span("shop", "price", annotations={"cache miss": T0 + 0.5}):
            pass
        with zipkin_span("shop", "select", kind=Kind.CLIENT) as call:
            call.add_sa_binary_annotation(5432, "orders-db", "192.0.2.9")
            call.update_binary_annotations({"error": "timeout"})
            with zipkin_span("shop", "inner"):
                pass
        with zipkin_span("shop", "ask", kind=Kind.CLIENT, binary_annotations={"peer": "größer"}):
            pass
    return trace_id.zfill(32)


def py_zipkin(target: Any) -> str:
    """Run it with py_zipkin, whose clock steps in the application's thread; `own` is a server's HTTP port."""
    from py_zipkin import Encoding

    ticks, real = itertools.count(), time.time
    encoding = Encoding[target.get("encoding", "V2_JSON")]

    def stepping() -> float:
        return T0 + next(ticks) / 1024 if threading.current_thread() is threading.main_thread() else real()

    if "bridge" in target:
        from tracebridge import Client

        with Client(config=target["bridge"]) as client:
            time.time = stepping
            trace_id = py_zipkin_application(client.source("py_zipkin"), encoding)
            time.time = real
            assert client.flush(60)
        return trace_id
    from py_zipkin.transport import SimpleHTTPTransport

    time.time = stepping
    return py_zipkin_application(SimpleHTTPTransport("127.0.0.1", target["own"]), encoding)


# ---------------------------------------------------------------------- OpenTelemetry


def opentelemetry_application(provider: Any) -> str:
    """A request with a remote parent, typed attributes, events, links, a failed call, and two scopes."""
    from opentelemetry.trace import (
        Link,
        NonRecordingSpan,
        SpanContext,
        SpanKind,
        Status,
        StatusCode,
        TraceFlags,
        TraceState,
        set_span_in_context,
    )

    t0 = int(T0) * NS
    web, sql = provider.get_tracer("web", "1.2.3"), provider.get_tracer("sql")
    elsewhere = SpanContext(0xA0B0C0D0 << 64 | 1, 0xC0D0 << 40, True, TraceFlags(1), TraceState([("vendor", "1")]))
    attributes = {"http.route": "/cart", "n": 3, "ratio": 0.5, "ok": True, "many": ["a", "b"], "größe": "groß"}
    root = web.start_span(
        "GET /cart",
        kind=SpanKind.SERVER,
        attributes=attributes,
        links=[Link(elsewhere, {"why": "retry"})],
        start_time=t0 + 123,
    )
    root.add_event("cache miss", {"key": "cart:7", "tries": 2}, t0 + 1_000_456)
    root.add_event("bare", timestamp=t0 + 2_000_000)
    under_root = set_span_in_context(root)
    call = sql.start_span("SELECT", under_root, SpanKind.CLIENT, {"peer.service": "db"}, start_time=t0 + 3_000_000)
    call.set_status(Status(StatusCode.ERROR, "it broke"))
    call.end(t0 + 4_000_999)
    fine = web.start_span("price", under_root, start_time=t0 + 5_000_000)
    fine.set_status(StatusCode.OK)
    fine.end(t0 + 6_000_000)
    web.start_span("blink", under_root, start_time=t0 + 7_000_000).end(t0 + 7_000_400)
    web.start_span(
        "send",
        under_root,
        SpanKind.PRODUCER,
        {"server.address": "broker.example", "server.port": 9092},
        start_time=t0 + 8_000_000,
    ).end(t0 + 9_000_000)
    far = SpanContext(
        root.get_span_context().trace_id, 0xABCDEF << 32, True, TraceFlags(1), TraceState([("vendor", "2")])
    )
    web.start_span(
        "consume", set_span_in_context(NonRecordingSpan(far)), SpanKind.CONSUMER, start_time=t0 + 10_000_000
    ).end(t0 + 11_000_000)
    root.end(t0 + 20_000_789)
    return f"{root.get_span_context().trace_id:032x}"


def opentelemetry(target: Any) -> str:
    """Run it with the OpenTelemetry SDK; `own` is an endpoint, for OTLP unless `exporter` is zipkin."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "shop", "host.name": "node-7", "tags": ["a", "b"]}))
    if "bridge" in target:
        from tracebridge import Client

        with Client(config=target["bridge"]) as client:
            provider.add_span_processor(client.source("opentelemetry"))
            trace_id = opentelemetry_application(provider)
            assert provider.force_flush(10_000)
        return trace_id
    if target.get("exporter") == "zipkin":
        from opentelemetry.exporter.zipkin.json import ZipkinExporter

        exporter: Any = ZipkinExporter(endpoint=target["own"])
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=target["own"])
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_id = opentelemetry_application(provider)
    provider.shutdown()
    return trace_id


if __name__ == "__main__":
    run = {"jaeger-client": jaeger_client, "py_zipkin": py_zipkin, "opentelemetry": opentelemetry}
    print(run[sys.argv[1]](json.loads(sys.argv[2])))
