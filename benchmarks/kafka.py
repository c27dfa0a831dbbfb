"""What a span costs on its way through Kafka, in processor time: into it, beside the peers, and out of it by `tracebridge relay`.

    python -m benchmarks.kafka

One Kafka of one node, one Collector; everything in one run, in turns, so that only ratios matter. Needs the servers of the tests.
"""

from __future__ import annotations

import http.server
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from tracebridge import Client

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.backends.collector import Collector, start_collector  # noqa: E402 - the tests' servers
from support.backends.kafka import Kafka, start_kafka  # noqa: E402
from support.kafka_topics import make_topic  # noqa: E402

IN_A_TRACE = 10
BATCH = 2_040  # spans, one flush
ROUNDS = 12
RELAYED = 300_000  # spans: starting is in the figures, and must not be most of them
ATTRIBUTES: dict[str, str | int | bool] = {
    "http.request.method": "GET",
    "http.route": "/orders/{id}",
    "http.response.status_code": 200,
    "retry": False,
}


def ours(kafka: Kafka, **options: Any) -> float:
    """CPU µs a span from the journal to the acknowledgement: what was recorded before is flushed."""
    adapter = {
        "brokers": kafka.brokers,
        "topic": make_topic(kafka),
        "sending_queue": {"flush_interval": "1h"},
        **options,
    }
    costs = []
    with Client(
        config={"resource": {"attributes": {"service.name": "shop"}}, "adapters": {"kafka": adapter}}
    ) as client:
        for _ in range(ROUNDS):
            record(client, BATCH)
            before = time.process_time()
            if not client.flush(120):
                raise RuntimeError("not acknowledged")
            costs.append((time.process_time() - before) / BATCH * 1e6)
    return median(costs[2:])


def record(client: Client, count: int) -> None:
    """Record traces of ten spans."""
    for _ in range(count // IN_A_TRACE):
        root = client.start_trace("GET /orders", trace_id=uuid.uuid4().hex, attributes=ATTRIBUTES)
        for number in range(IN_A_TRACE - 1):
            span = client.start_span(f"step {number}", root.trace_id, root.span_id, attributes=ATTRIBUTES)
            client.end_span(root.trace_id, span.span_id)
        client.end_trace(root.trace_id)


def opentelemetry(collector: Collector) -> tuple[float, float]:
    """CPU µs a span in the exporter of the OpenTelemetry SDK over HTTP, and in the Collector that writes to Kafka."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = OTLPSpanExporter(endpoint=f"{collector.otlp_http}/v1/traces")
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("bench")
    costs, behind = [], []
    for _ in range(ROUNDS):
        memory.clear()
        for _ in range(BATCH // IN_A_TRACE):
            with tracer.start_as_current_span("GET /orders", attributes=ATTRIBUTES):
                for number in range(IN_A_TRACE - 1):
                    tracer.start_span(f"step {number}", attributes=ATTRIBUTES).end()
        spans = memory.get_finished_spans()
        before, theirs = time.process_time(), cpu_of(collector.process.group)
        for first in range(0, len(spans), 512):
            exporter.export(spans[first : first + 512])
        costs.append((time.process_time() - before) / len(spans) * 1e6)
        time.sleep(0.3)
        behind.append((cpu_of(collector.process.group) - theirs) / len(spans) * 1e6)
    return median(costs[2:]), median(behind[2:])


def py_zipkin(kafka: Kafka) -> float:
    """CPU µs a span from a finished span of py_zipkin to the acknowledgement: its encoder, one message a trace, confluent-kafka."""
    from confluent_kafka import Producer
    from py_zipkin import Encoding, Kind
    from py_zipkin.encoding import create_endpoint, get_encoder
    from py_zipkin.encoding._helpers import Span

    producer = Producer(
        {"bootstrap.servers": ",".join(kafka.brokers), "enable.idempotence": True, "compression.type": "zstd"}
    )
    topic, encoder = make_topic(kafka), get_encoder(Encoding.V2_JSON)
    endpoint = create_endpoint(service_name="shop", host="127.0.0.1")
    tags = {key: str(value) for key, value in ATTRIBUTES.items()}
    costs = []
    for _ in range(ROUNDS):
        traces = []
        for _ in range(BATCH // IN_A_TRACE):
            trace, parent = uuid.uuid4().hex, uuid.uuid4().hex[:16]
            made: list[Any] = [
                Span(trace, f"step {n}", parent, uuid.uuid4().hex[:16], Kind.LOCAL, time.time(), 0.005, local_endpoint=endpoint, tags=dict(tags))
                for n in range(IN_A_TRACE)
            ]  # fmt: skip
            traces.append((trace, made))
        before = time.process_time()
        for trace, made in traces:
            producer.produce(topic, encoder.encode_queue([encoder.encode_span(span) for span in made]), trace)
            producer.poll(0)
        producer.flush()
        costs.append((time.process_time() - before) / BATCH * 1e6)
    return median(costs[2:])


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Sink:
    """A loopback server that takes OTLP/HTTP and counts bytes."""

    def __init__(self) -> None:
        self.taken = 0
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sink.taken += len(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def relay(kafka: Kafka, topic: str, sink: Sink) -> float:
    """Spans a CPU second of `tracebridge relay`, its start included, from a topic to OTLP over HTTP."""
    options = {"brokers": kafka.brokers, "topics": {topic: "otlp_proto"}, "group": uuid.uuid4().hex}
    adapter = {"endpoint": sink.url, "compression": "none"}
    config = Path(tempfile.mkdtemp(prefix="tracebridge-bench-")) / "relay.yaml"
    config.write_text(json.dumps({"adapters": {"otlp_http": adapter}, "relay": {"kafka": options}}))
    command = [
        str(Path(sys.executable).with_name("tracebridge")),
        "relay",
        "--config",
        str(config),
        "--until-end",
        "--json",
    ]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([*command, "--help"], env=compiled, stdout=subprocess.DEVNULL, check=True)
    process = subprocess.Popen(command, env=compiled, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.read().splitlines()[-1])
    _, _, usage = os.wait4(process.pid, 0)
    if told["adapters"]["otlp_http"]["exported"] != RELAYED:
        raise RuntimeError(f"not everything arrived: {told}")
    return RELAYED / (usage.ru_utime + usage.ru_stime)


def collectors_receiver(kafka: Kafka, topic: str, sink: Sink) -> float:
    """Spans a CPU second of the Collector's Kafka receiver, its start included, from the same topic to OTLP over HTTP."""
    receiver = {"brokers": kafka.brokers, "group_id": uuid.uuid4().hex, "initial_offset": "earliest"}
    receiver["traces"] = {"topics": [topic], "encoding": "otlp_proto"}  # type: ignore[assignment]  # one value is a mapping
    batch = {"batch": {"send_batch_size": 2048, "timeout": "200ms"}}
    collector = start_collector(
        {"endpoint": sink.url, "encoding": "proto"}, processors=batch, receivers={"kafka": receiver}
    )
    try:
        before, quiet = -1, 0
        while quiet < 10:
            time.sleep(0.5)
            quiet = quiet + 1 if sink.taken == before and sink.taken else 0
            before = sink.taken
        return RELAYED / cpu_of(collector.process.group)
    finally:
        collector.stop()


def main() -> int:
    """Measure all of it and print two tables."""
    kafka, sink = start_kafka(), Sink()
    exported = make_topic(kafka)
    exporter = {"kafka": {"brokers": kafka.brokers, "traces": {"topic": exported, "encoding": "otlp_proto"}}}
    collector = start_collector({"endpoint": sink.url, "encoding": "proto"}, exporters=exporter)
    try:
        print(
            f"Python {platform.python_version()}, {os.cpu_count()} processors; median of {ROUNDS - 2} rounds of {BATCH:,} spans\n",
            flush=True,
        )
        rows: list[tuple[str, Callable[[], float]]] = [
            ("tracebridge, `key: none`", lambda: ours(kafka, key="none")),
            ("tracebridge, `key: trace_id`, traces of ten spans", lambda: ours(kafka)),
            ("py_zipkin, V2 JSON, confluent-kafka, traces of ten spans", lambda: py_zipkin(kafka)),
        ]
        print("| into Kafka | CPU µs a span |\n|---|---|", flush=True)
        for name, measure in rows:
            print(f"| {name} | {measure():.1f} |", flush=True)
        exporting, behind = opentelemetry(collector)
        print(
            f"| OpenTelemetry SDK, OTLP/HTTP to a Collector, Kafka exporter | {exporting:.1f} + {behind:.1f} in the Collector |",
            flush=True,
        )
        topic = make_topic(kafka, 6)
        adapter = {"brokers": kafka.brokers, "topic": topic}
        with Client(
            config={"resource": {"attributes": {"service.name": "shop"}}, "adapters": {"kafka": adapter}}
        ) as client:
            for _ in range(10):
                record(client, RELAYED // 10)
                client.flush(120)
        print("\n| out of Kafka, to OTLP/HTTP | spans a CPU second |\n|---|---|", flush=True)
        print(f"| tracebridge relay | {relay(kafka, topic, sink):,.0f} |", flush=True)
        sink.taken = 0
        print(f"| Collector, receiver kafka | {collectors_receiver(kafka, topic, sink):,.0f} |", flush=True)
    finally:
        collector.stop()
        sink.stop()
        kafka.process.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
