"""Explicit traces and auto-instrumentation in one tree, told by a real Jaeger."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import requests
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from support import readback
from support.http_server import LocalServer
from tracebridge import Client, SpanRecord

pytestmark = pytest.mark.server
OFFICIAL = "opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter"


class Echo:
    """A loopback server that keeps the traceparent of each request."""

    def __init__(self) -> None:
        self.parents: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.parents.append(self.headers["traceparent"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server to call."""
    server = Echo()
    yield server
    server.stop()


@pytest.fixture(params=["otlp_http", "otel_exporter"])
def client(request, jaeger) -> Iterator[Client]:
    """A client that delivers to Jaeger: by our own OTLP, or by the official exporter, whose requests are instrumented too."""
    adapters: dict[str, Any] = {
        "otlp_http": {"otlp_http": {"endpoint": jaeger.otlp_http}},
        "otel_exporter": {"otel_exporter": {"class": OFFICIAL, "args": {"endpoint": f"{jaeger.otlp_http}/v1/traces"}}},
    }
    resource = {"attributes": {"service.name": "one-tree"}}
    with Client(
        config={"resource": resource, "adapters": {request.param: adapters[request.param][request.param]}}
    ) as client:
        yield client


@pytest.fixture
def instrumented(client) -> Iterator[TracerProvider]:
    """requests and httpx instrumented with a provider of their own that sends to the client; nothing is global."""
    provider = TracerProvider(resource=Resource({"service.name": "one-tree"}))
    provider.add_span_processor(client.source("opentelemetry"))
    instrumentors: list[Any] = [RequestsInstrumentor(), HTTPXClientInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    yield provider
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


def tree(jaeger: Any, client: Client, root: Any, count: int) -> list[tuple[str, str, str]]:
    """(parent, span, kind) of every span that Jaeger has of the trace, by names, sorted."""
    assert client.flush()
    record = SpanRecord(bytes.fromhex(root.wire_trace_id), root._raw_id, None, "", 0, 0)
    spans = readback.jaeger_says(jaeger, [record] * count)
    names = {span_id: span["name"] for span_id, span in spans.items()}
    assert {span["service"] for span in spans.values()} == {"one-tree"}
    assert {span["tags"]["tracebridge.trace_id"] for span in spans.values()} == {root.trace_id}
    return sorted(
        (
            names[span["references"][0][2]] if span["references"] else "",
            span["name"],
            span["tags"]["span.kind"],
        )
        for span in spans.values()
    )


def test_calls_in_threads_are_children_of_the_explicit_spans(jaeger, client, instrumented, echo, salt):
    """`requests` in the main thread and in workers: one trace, and the callee is told so."""
    with client.trace("import", trace_id=f"import-{salt}") as root:
        requests.get(f"{echo.url}/list", timeout=5)

        def work(number: int) -> None:
            with client.span(f"row {number}", parent=root):
                requests.get(f"{echo.url}/row", timeout=5)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))
    assert tree(jaeger, client, root, 8) == sorted(
        [
            ("", "import", "internal"),
            ("import", "GET", "client"),
            *(("import", f"row {n}", "internal") for n in range(3)),
            *((f"row {n}", "GET", "client") for n in range(3)),
        ]
    )
    assert {parent.split("-")[1] for parent in echo.parents} == {root.wire_trace_id}


def test_calls_in_tasks_are_children_of_the_explicit_spans(jaeger, client, instrumented, echo, salt):
    """`httpx` in asyncio tasks: each call under the span of its own task."""

    async def work(http_client: httpx.AsyncClient, number: int) -> None:
        async with client.span(f"row {number}"):
            await http_client.get(f"{echo.url}/row")

    async def main() -> Any:
        async with client.trace("import", trace_id=f"async-{salt}") as root, httpx.AsyncClient() as http_client:
            await asyncio.gather(*(work(http_client, n) for n in range(4)))
        return root

    root = asyncio.run(main())
    assert tree(jaeger, client, root, 9) == sorted(
        [
            ("", "import", "internal"),
            *(("import", f"row {n}", "internal") for n in range(4)),
            *((f"row {n}", "GET", "client") for n in range(4)),
        ]
    )


def test_explicit_spans_go_on_in_an_instrumented_request(jaeger, client, instrumented, echo):
    """A request that OpenTelemetry traces, explicit spans under it, and instrumented calls under those."""
    tracer = instrumented.get_tracer("server")
    with tracer.start_as_current_span("GET /report") as request, client.span("render", parent="current") as span:
        requests.get(f"{echo.url}/data", timeout=5)
    assert client.flush()
    record = SpanRecord(request.context.trace_id.to_bytes(16, "big"), b"", None, "", 0, 0)
    spans = readback.jaeger_says(jaeger, [record] * 3)
    parents = {s["name"]: [ref[2] for ref in s["references"]] for s in spans.values()}
    assert parents == {
        "GET /report": [],
        "render": [f"{request.context.span_id:016x}"],
        "GET": [span.span_id],
    }


def test_our_own_delivery_is_not_traced(client, instrumented, echo):
    """Nothing but the application's own spans was ever ingested."""
    with client.trace("alone"):
        pass
    for _ in range(3):
        assert client.flush()
    assert (client.stats().started, client.stats().ingested) == (1, 0)
