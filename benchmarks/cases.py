"""The cases: what is measured, and how each contestant does it. Times are microseconds a span unless a case says otherwise."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks import configuration

ATTRIBUTES = {
    "http.method": "GET",
    "http.route": "/users/{id}",
    "http.status_code": 200,
    "user.tier": "gold",
    "retries": 0,
    "cache.hit": True,
}
SPANS = 5_000  # spans a round


class Missing(Exception):
    """A peer is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    goal: str
    unit: str = "µs a span"
    contestants: dict[str, Callable[[], Callable[[], float]]] = field(default_factory=dict)


def _peer(module: str, package: str) -> Any:
    """Import a peer, or say how to have it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise Missing(f"pip install {package}") from None


def _timed(one_round: Callable[[], None], spans: int = SPANS) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        one_round()
        return (time.perf_counter() - started) / spans * 1e6

    return run


# ---------------------------------------------------------------------- start and end


def _client(**journal: Any) -> Any:
    """Queued, as the SDK's BatchSpanProcessor queues: delivery's thread waits for a full batch."""
    from tracebridge import Client

    queue = {"flush_interval": "1h", "max_batch": 10_000}
    journal = {"max_bytes": "1GiB", **journal}
    return Client(config={"journal": journal, "adapters": {"memory": {"sending_queue": queue}}})


def _tracebridge(attributes: dict[str, Any] | None, client: Any = None) -> Callable[[], float]:
    client = client or _client()
    root = client.start_trace("root")
    trace_id, root_id = root.trace_id, root.span_id

    def one_round() -> None:
        for _ in range(SPANS):
            span = client.start_span("operation", trace_id, root_id, attributes=attributes)
            client.end_span(trace_id, span.span_id)

    return _timed(one_round)


def _otel_tracer() -> Any:
    _peer("opentelemetry.sdk.trace", "opentelemetry-sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    return provider.get_tracer("benchmark")


def _otel(attributes: dict[str, Any] | None) -> Callable[[], float]:
    tracer = _otel_tracer()

    def one_round() -> None:
        for _ in range(SPANS):
            tracer.start_span("operation", attributes=attributes).end()

    return _timed(one_round)


def _jaeger(attributes: dict[str, Any] | None) -> Callable[[], float]:
    jaeger = _peer("jaeger_client", "jaeger-client six")
    tracer = jaeger.Tracer("benchmark", jaeger.reporter.NullReporter(), jaeger.ConstSampler(True))

    def one_round() -> None:
        for _ in range(SPANS):
            tracer.start_span("operation", tags=attributes).finish()

    return _timed(one_round)


def _py_zipkin(attributes: dict[str, Any] | None) -> Callable[[], float]:
    _peer("py_zipkin", "py-zipkin")
    from py_zipkin.encoding import Encoding
    from py_zipkin.zipkin import zipkin_span

    tags = {key: str(value) for key, value in (attributes or {}).items()}

    def one_round() -> None:
        with zipkin_span(
            "benchmark", "root", transport_handler=lambda _: None, sample_rate=100, encoding=Encoding.V2_JSON
        ):
            for _ in range(SPANS):
                with zipkin_span("benchmark", "operation", binary_annotations=tags):
                    pass

    return _timed(one_round)


def _mlflow(attributes: dict[str, Any] | None) -> Callable[[], float]:
    mlflow = _peer("mlflow", "mlflow-skinny (or mlflow)")
    client = mlflow.MlflowClient()
    spans = 200  # it takes a hundred times as long

    def one_round() -> None:
        root = client.start_trace("root")
        for _ in range(spans):
            span = client.start_span("operation", root.trace_id, root.span_id, attributes=attributes)
            client.end_span(root.trace_id, span.span_id)
        client.end_trace(root.trace_id)

    return _timed(one_round, spans)


def _lifecycle(attributes: dict[str, Any] | None) -> dict[str, Callable[[], Callable[[], float]]]:
    return {
        "tracebridge": lambda: _tracebridge(attributes),
        "opentelemetry-sdk": lambda: _otel(attributes),
        "jaeger-client": lambda: _jaeger(attributes),
        "py_zipkin (with its encoding)": lambda: _py_zipkin(attributes),
        "mlflow": lambda: _mlflow(attributes),
    }


OPEN_AT_A_TIME = 50  # as in a busy program


def _tracebridge_ends(attributes: dict[str, Any] | None, client: Any) -> Callable[[], float]:
    """Only the ends."""
    root = client.start_trace("root")
    trace_id, root_id = root.trace_id, root.span_id

    def run() -> float:
        took = 0.0
        for _ in range(SPANS // OPEN_AT_A_TIME):
            spans = [
                client.start_span("operation", trace_id, root_id, attributes=attributes) for _ in range(OPEN_AT_A_TIME)
            ]
            started = time.perf_counter()
            for span in spans:
                client.end_span(trace_id, span.span_id)
            took += time.perf_counter() - started
        return took / SPANS * 1e6

    return run


def _durable(work: Callable[..., Callable[[], float]]) -> Callable[[], float]:
    """On the disk when `end_span` returns: what `kill -9` leaves for the next process."""
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="tracebridge-benchmark-")
    client = _client(directory=folder)
    run: Any = work(ATTRIBUTES, client)

    def close() -> None:
        client.close(timeout_s=5)
        shutil.rmtree(folder)

    run.close = close
    return run


# ---------------------------------------------------------------------- encoding

BATCH = 500


def _records(fresh: bool) -> list[Any]:
    from tracebridge.record import Kind, Resource, SpanRecord

    resource = Resource({"service.name": "benchmark"})
    return [
        SpanRecord(
            trace_id=bytes(15) + b"\x01",
            span_id=(n + 1).to_bytes(8, "big"),
            parent_id=bytes(7) + b"\x01",
            name="operation",
            start_time_ns=1_790_000_000_000_000_000 + n,
            end_time_ns=1_790_000_000_005_000_000 + n,
            kind=int(Kind.SERVER),
            attributes={key: f"{value} {n}" for key, value in ATTRIBUTES.items()} if fresh else ATTRIBUTES,
            resource=resource,
        )
        for n in range(BATCH)
    ]


def _otel_spans(fresh: bool) -> list[Any]:
    _peer("opentelemetry.sdk.trace", "opentelemetry-sdk")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider(resource=Resource({"service.name": "benchmark"})).get_tracer("benchmark")
    spans = []
    for n in range(BATCH):
        given = {key: f"{value} {n}" for key, value in ATTRIBUTES.items()} if fresh else ATTRIBUTES
        span = tracer.start_span("operation", attributes=given)
        span.end()
        spans.append(span)
    return spans


def _encode_ours(module: str, fresh: bool) -> Callable[[], float]:
    import importlib
    from functools import partial

    from tracebridge_adapters.dialects import attributes_of

    shown = partial(attributes_of, dialect="openinference", trace_id_attribute="tracebridge.trace_id")
    encode = importlib.import_module(f"tracebridge_adapters.formats.{module}").encode
    records = _records(fresh)
    return _timed(lambda: encode(records, shown), BATCH)


def _encode_otel_otlp(fresh: bool) -> Callable[[], float]:
    encoder = _peer("opentelemetry.exporter.otlp.proto.common.trace_encoder", "opentelemetry-exporter-otlp")
    spans = _otel_spans(fresh)
    return _timed(lambda: encoder.encode_spans(spans).SerializeToString(), BATCH)


def _encode_otel_zipkin(fresh: bool) -> Callable[[], float]:
    encoder = _peer("opentelemetry.exporter.zipkin.json.v2", "opentelemetry-exporter-zipkin-json")
    from opentelemetry.exporter.zipkin.node_endpoint import NodeEndpoint

    made = encoder.JsonV2Encoder()
    spans = _otel_spans(fresh)
    return _timed(lambda: made.serialize(spans, NodeEndpoint()), BATCH)


def _encode_jaeger_ours(fresh: bool) -> Callable[[], float]:
    _peer("thrift", "tracebridge[jaeger]")
    from functools import partial

    from tracebridge_adapters.dialects import attributes_of
    from tracebridge_adapters.formats import jaeger_thrift

    shown = partial(attributes_of, dialect="openinference", trace_id_attribute="tracebridge.trace_id")
    datagrams = jaeger_thrift.Framing("compact", True, 2**31)
    records = _records(fresh)
    return _timed(lambda: jaeger_thrift.encode(records, shown, datagrams), BATCH)


def _encode_jaeger_client(fresh: bool) -> Callable[[], float]:
    """What its reporter does with a batch: Thrift structs, then the agent's call through the compact protocol. Tags were made by set_tag."""
    jaeger = _peer("jaeger_client", "jaeger-client six")
    from jaeger_client import thrift as maker
    from jaeger_client.thrift_gen.agent import Agent
    from thrift.protocol.TCompactProtocol import TCompactProtocol
    from thrift.Thrift import TMessageType
    from thrift.transport.TTransport import TMemoryBuffer

    tracer = jaeger.Tracer("benchmark", jaeger.reporter.NullReporter(), jaeger.ConstSampler(True))
    spans = []
    for n in range(BATCH):
        given = {key: f"{value} {n}" for key, value in ATTRIBUTES.items()} if fresh else ATTRIBUTES
        span = tracer.start_span("operation", tags=given)
        span.finish()
        spans.append(span)
    process = maker.make_process("benchmark", {}, 1024)

    def one_round() -> None:
        protocol = TCompactProtocol(TMemoryBuffer())
        protocol.writeMessageBegin("emitBatch", TMessageType.ONEWAY, 0)
        Agent.emitBatch_args(maker.make_jaeger_batch(spans, process)).write(protocol)
        protocol.writeMessageEnd()

    return _timed(one_round, BATCH)


def _line_ours() -> Callable[[], float]:
    from tracebridge_adapters.formats.spanlog.writer import Writer

    records = _records(False)
    writer = Writer(max_line_bytes=15_000)
    encode, numbering = writer.encode, writer.numbering("benchmrk")
    sink = io.BytesIO()

    def one_round() -> None:
        for number, record in enumerate(records):
            sink.write(encode(record)[:-2] + numbering % number)

    return _timed(one_round, BATCH)


def _line_structlog() -> Callable[[], float]:
    import structlog

    from tracebridge_adapters.formats.spanlog.writer import Writer

    writer = Writer()
    numbering = writer.numbering("benchmrk")
    fields = [json.loads(writer.encode(record)[:-2] + numbering % n) for n, record in enumerate(_records(False))]
    for each in fields:
        for key in ("event", "level", "timestamp"):
            each.pop(key)
    processors = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
    logger = structlog.wrap_logger(structlog.PrintLogger(io.StringIO()), processors=processors)

    def one_round() -> None:
        for each in fields:
            logger.info("span.end", **each)

    return _timed(one_round, BATCH)


# ---------------------------------------------------------------------- correlation


def _stamped(make: Callable[[], Callable[[Any, str, dict[str, Any]], Any]]) -> Callable[[], float]:
    """What a processor adds to a log line, inside a span."""
    from tracebridge import Client

    client = Client(config={"adapters": {"memory": {}}, "resource": {"attributes": {"service.name": "benchmark"}}})

    def run() -> float:
        with client.trace("root", trace_id="benchmark-trace"):
            process = make()
            started = time.perf_counter()
            for _ in range(SPANS):
                process(None, "info", {"event": "a line"})
            return (time.perf_counter() - started) / SPANS * 1e6

    return run


def _add_trace_context() -> Any:
    from tracebridge.logs import add_trace_context

    return add_trace_context


def _merge_contextvars() -> Any:
    import structlog

    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        trace_id="0" * 32, span_id="0" * 16, trace_flags="01", custom_trace_id="benchmark-trace", service="benchmark"
    )
    return structlog.contextvars.merge_contextvars


# ---------------------------------------------------------------------- import


def _import(statement: str) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", statement], check=False, capture_output=True)
        if done.returncode:
            raise Missing(statement)
        return (time.perf_counter() - started) * 1e3

    run()
    return run


CASES = {
    case.name: case
    for case in (
        Case("lifecycle", "at most 1/6 of the OpenTelemetry SDK", contestants=_lifecycle(ATTRIBUTES)),
        Case("lifecycle-bare", "at most 1/6 of the OpenTelemetry SDK", contestants=_lifecycle(None)),
        Case(
            "durable",
            "end_span on the disk at most 1/5 of the OpenTelemetry SDK's span, which is in memory only",
            contestants={
                "tracebridge": lambda: _durable(_tracebridge_ends),
                "opentelemetry-sdk, start and end in memory": lambda: _otel(ATTRIBUTES),
                "tracebridge, start and end on the disk": lambda: _durable(_tracebridge),
                "tracebridge, start and end in memory": lambda: _tracebridge(ATTRIBUTES),
            },
        ),
        Case(
            "otlp-protobuf",
            "at most 1/10 of the OpenTelemetry exporter (attributes repeat)",
            contestants={
                "tracebridge": lambda: _encode_ours("otlp_protobuf", False),
                "opentelemetry": lambda: _encode_otel_otlp(False),
            },
        ),
        Case(
            "otlp-protobuf-fresh",
            "no goal (every attribute value is new)",
            contestants={
                "tracebridge": lambda: _encode_ours("otlp_protobuf", True),
                "opentelemetry": lambda: _encode_otel_otlp(True),
            },
        ),
        Case(
            "otlp-json",
            "at most 1/10 of the OpenTelemetry exporter's protobuf",
            contestants={
                "tracebridge": lambda: _encode_ours("otlp_json", False),
                "opentelemetry (protobuf)": lambda: _encode_otel_otlp(False),
            },
        ),
        Case(
            "zipkin-json",
            "at most 1/10 of the OpenTelemetry exporter",
            contestants={
                "tracebridge": lambda: _encode_ours("zipkin_json", False),
                "opentelemetry": lambda: _encode_otel_zipkin(False),
            },
        ),
        Case(
            "jaeger-thrift",
            "at most 1/10 of jaeger-client (attributes repeat)",
            contestants={
                "tracebridge": lambda: _encode_jaeger_ours(False),
                "jaeger-client": lambda: _encode_jaeger_client(False),
            },
        ),
        Case(
            "jaeger-thrift-fresh",
            "no goal (every attribute value is new)",
            contestants={
                "tracebridge": lambda: _encode_jaeger_ours(True),
                "jaeger-client": lambda: _encode_jaeger_client(True),
            },
        ),
        Case(
            "span-line",
            "at most 1/4 of structlog's own JSON line of the same fields",
            contestants={"tracebridge": _line_ours, "structlog": _line_structlog},
        ),
        Case(
            "log-context",
            "cheaper than structlog's merge_contextvars with the same five fields",
            unit="µs a log line",
            contestants={
                "tracebridge": lambda: _stamped(_add_trace_context),
                "structlog merge_contextvars": lambda: _stamped(_merge_contextvars),
            },
        ),
        Case(
            "configuration",
            "at most 3 times PyYAML's own safe load of the same file",
            unit="ms a file",
            contestants={"tracebridge": configuration.load_ours, "yaml.safe_load": configuration.load_yaml},
        ),
        Case(
            "validate",
            "at most 3 times a process that imports yaml and rich",
            unit="ms a process",
            contestants={"tracebridge": configuration.validate, "import yaml, rich": configuration.imports},
        ),
        Case(
            "import",
            "below the OpenTelemetry SDK's",
            unit="ms a process",
            contestants={
                "tracebridge": lambda: _import("import tracebridge"),
                "tracebridge with its Client": lambda: _import("import tracebridge; tracebridge.Client"),
                "opentelemetry-sdk": lambda: _import("import opentelemetry.sdk.trace.export"),
                "opentelemetry-sdk with OTLP": lambda: _import(
                    "import opentelemetry.sdk.trace.export, opentelemetry.exporter.otlp.proto.http.trace_exporter"
                ),
                "python alone": lambda: _import("pass"),
            },
        ),
    )
}
