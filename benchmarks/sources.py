"""Foreign libraries' spans: what the application pays with each library's own reporter, and with the bridge's in its place.

Two clocks: the application's own thread (its CPU; for py_zipkin its time, because that library's transports wait for an answer), and the CPU
of the whole process until the spans are encoded.
"""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.harness import SPANS, Case, Goal, Make, Run, in_process, in_thread, peer
from benchmarks.ours import ATTRIBUTES

Setup = Callable[[], tuple[Callable[[], None], Callable[[], object]]]
"""Builds (one round of SPANS spans, wait until they are encoded)."""
ANYTIME = {"flush_interval": "1h", "max_batch": 10_000}
A_TRACE = 10  # spans of one py_zipkin trace, as a request has them


def _in_time(one_round: Callable[[], object], count: int = SPANS, settle: Callable[[], object] = lambda: None) -> Run:
    """Return a run that tells the calling thread's time: for a library that waits for an answer."""

    def run() -> float:
        started = time.perf_counter_ns()
        one_round()
        spent = time.perf_counter_ns() - started
        settle()
        return spent / count / 1e3

    return run


def _client() -> Any:
    from tracebridge import Client

    return Client(
        config={
            "journal": {"max_bytes": "1GiB"},
            "adapters": {"otlp_file": {"path": os.devnull, "sending_queue": ANYTIME}},
        }
    )


# ---------------------------------------------------------------------- OpenTelemetry


def _sdk(processor_of: Callable[[], tuple[Any, Callable[[], object]]]) -> Setup:
    def make() -> tuple[Callable[[], None], Callable[[], object]]:
        peer("opentelemetry.sdk.trace", "opentelemetry-sdk")
        from opentelemetry.sdk.trace import TracerProvider

        processor, settle = processor_of()
        provider = TracerProvider()
        if processor is not None:
            provider.add_span_processor(processor)
        tracer = provider.get_tracer("benchmark")

        def one_round() -> None:
            for _ in range(SPANS):
                tracer.start_span("operation", attributes=ATTRIBUTES).end()

        return one_round, settle

    return make


def _bridged_processor() -> tuple[Any, Callable[[], object]]:
    client = _client()
    return client.source("opentelemetry"), client.flush


def _batch_processor() -> tuple[Any, Callable[[], object]]:
    encoder = peer("opentelemetry.exporter.otlp.proto.common.trace_encoder", "opentelemetry-exporter-otlp")
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Encoder(SpanExporter):
        def export(self, spans: Any) -> Any:
            encoder.encode_spans(spans).SerializeToString()
            return SpanExportResult.SUCCESS

    processor = BatchSpanProcessor(Encoder(), max_queue_size=2 * SPANS)
    return processor, processor.force_flush


# ---------------------------------------------------------------------- jaeger-client


def _jaeger(reporter_of: Callable[[Any], tuple[Any, Callable[[], object]]]) -> Setup:
    def make() -> tuple[Callable[[], None], Callable[[], object]]:
        library = peer("jaeger_client", "jaeger-client six")
        reporter, settle = reporter_of(library)
        tracer = library.Tracer("benchmark", reporter, library.ConstSampler(True))

        def one_round() -> None:
            for _ in range(SPANS):
                tracer.start_span("operation", tags=dict(ATTRIBUTES)).finish()

        return one_round, settle

    return make


def _own_reporter(library: Any) -> tuple[Any, Callable[[], object]]:
    from jaeger_client.local_agent_net import LocalAgentSender

    agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    agent.bind(("127.0.0.1", 0))
    channel = LocalAgentSender("127.0.0.1", 0, agent.getsockname()[1])
    reporter = library.reporter.Reporter(channel, queue_capacity=2 * SPANS, batch_size=10)

    def settle() -> None:
        quiet = 0
        while quiet < 5:
            time.sleep(0.02)
            quiet = quiet + 1 if reporter.queue.qsize() == 0 else 0

    settle.agent = agent  # type: ignore[attr-defined] # kept open as long as the case runs
    return reporter, settle


def _bridged_reporter(_: Any) -> tuple[Any, Callable[[], object]]:
    client = _client()
    return client.source("jaeger-client"), client.flush


# ---------------------------------------------------------------------- py_zipkin


def _zipkin(handler_of: Callable[[], tuple[Any, Callable[[], object]]]) -> Setup:
    def make() -> tuple[Callable[[], None], Callable[[], object]]:
        peer("py_zipkin", "py-zipkin")
        from py_zipkin.zipkin import zipkin_span

        handler, settle = handler_of()
        tags = {key: str(value) for key, value in ATTRIBUTES.items()}

        def one_round() -> None:
            for _ in range(SPANS // A_TRACE):
                with zipkin_span("benchmark", "root", transport_handler=handler, sample_rate=100):
                    for _ in range(A_TRACE - 1):
                        with zipkin_span("benchmark", "operation", binary_annotations=tags):
                            pass

        return one_round, settle

    return make


def _own_transport() -> tuple[Any, Callable[[], object]]:
    from py_zipkin.transport import SimpleHTTPTransport

    class Accept(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Accept)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return SimpleHTTPTransport("127.0.0.1", server.server_address[1]), lambda: None


def _bridged_handler() -> tuple[Any, Callable[[], object]]:
    client = _client()
    return client.source("py_zipkin"), client.flush


def _nothing() -> tuple[Any, Callable[[], object]]:
    return (lambda _: None), lambda: None


OPENTELEMETRY: dict[str, Setup] = {
    "tracebridge": _sdk(_bridged_processor),
    "opentelemetry (batch processor, OTLP)": _sdk(_batch_processor),
    "opentelemetry alone": _sdk(lambda: (None, lambda: None)),
}
JAEGER_CLIENT: dict[str, Setup] = {
    "tracebridge": _jaeger(_bridged_reporter),
    "jaeger-client (its reporter, UDP)": _jaeger(_own_reporter),
    "jaeger-client alone": _jaeger(lambda library: (library.reporter.NullReporter(), lambda: None)),
}
PY_ZIPKIN: dict[str, Setup] = {
    "tracebridge": _zipkin(_bridged_handler),
    "py_zipkin (SimpleHTTPTransport)": _zipkin(_own_transport),
    "py_zipkin alone": _zipkin(_nothing),
}


def _cases(library: str, contestants: dict[str, Setup], own: str, goal: Goal | None) -> tuple[Case, Case]:
    """Two views of the same work: the application's thread, and the whole process until the spans are encoded."""

    def measured(how: Callable[..., Run], setup: Setup) -> Make:
        def make() -> Run:
            one_round, settle = setup()
            return how(one_round, SPANS, settle)

        return make

    waits = library == "py_zipkin"
    thread = {name: measured(_in_time if waits else in_thread, setup) for name, setup in contestants.items()}
    whole = {name: measured(in_process, setup) for name, setup in contestants.items()}
    unit = f"µs {'time' if waits else 'CPU'} of the application's thread a span"
    return (
        Case(f"source-{library}-thread", thread, None if library == "opentelemetry" else Goal(1, own), "", unit),
        Case(f"source-{library}", whole, goal, "", "µs CPU a span until encoded"),
    )


OWN_OTEL, OWN_JAEGER, OWN_ZIPKIN = (list(each)[1] for each in (OPENTELEMETRY, JAEGER_CLIENT, PY_ZIPKIN))

CASES = (
    *_cases("opentelemetry", OPENTELEMETRY, OWN_OTEL, Goal(1, OWN_OTEL)),
    *_cases("jaeger-client", JAEGER_CLIENT, OWN_JAEGER, Goal(1, OWN_JAEGER)),
    *_cases("py_zipkin", PY_ZIPKIN, OWN_ZIPKIN, None),
)
