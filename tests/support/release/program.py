"""A program of somebody who has just installed tracebridge; run by the fresh environment's own Python, as `python program.py [EXTRA]`.

Without an extra a span goes through a journal on disk into a file and is read back. With one, whatever the extra brings is used.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from tracebridge import Client

NOWHERE = "127.0.0.1:1"  # refuses connections: the client library is loaded and used all the same


def plain() -> None:
    """Send one trace under an ID of our own through a journal into a file, and read it back from memory."""
    config: Any = {
        "resource": {"attributes": {"service.name": "release"}},
        "journal": {"directory": "./journal"},
        "adapters": {"memory": {}, "otlp_file": {"path": "./spans.jsonl"}, "store": {"path": "./spans.db"}},
    }
    with Client(config=config) as client:
        root = client.start_trace("checkout", trace_id="order-4711", attributes={"items": 2})
        client.start_span("payment", "order-4711", parent_id=root.span_id).end()
        client.end_trace("order-4711")
        client.flush()
        assert [span.name for span in client.get_trace("order-4711").data.spans] == ["checkout", "payment"]
    lines = [json.loads(line) for line in Path("spans.jsonl").read_text().splitlines()]
    spans = [span for line in lines for one in line["resourceSpans"] for scope in one["scopeSpans"] for span in scope["spans"]]  # fmt: skip
    assert sorted(span["name"] for span in spans) == ["checkout", "payment"]
    assert client.stats().adapters["otlp_file"].exported == 2


def through(adapter: str, options: dict[str, Any]) -> None:
    """Hand one span to a destination that refuses connections: it is kept, and why is told."""
    config: Any = {"adapters": {adapter: {**options, "retry_on_failure": {"initial_interval": "10ms"}}}}
    client = Client(config=config)
    client.start_trace("checkout").end()
    client.flush(2)
    stats = client.stats().adapters[adapter]
    assert (stats.queued, stats.exported) == (1, 0), stats
    client.close(0)


def otlp_grpc() -> None:
    """Speak gRPC."""
    through("otlp_grpc", {"endpoint": f"http://{NOWHERE}"})


def isal() -> None:
    """Compress with it."""
    through("otlp_http", {"endpoint": f"http://{NOWHERE}", "compression": "gzip"})
    assert "isal.igzip" in sys.modules


def kafka() -> None:
    """Speak Kafka's protocol."""
    through("kafka", {"brokers": [NOWHERE]})


def jaeger() -> None:
    """Send a datagram to an agent, and look at it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.settimeout(30)
        config: Any = {"adapters": {"jaeger_thrift": {"endpoint": f"udp://127.0.0.1:{agent.getsockname()[1]}"}}}
        with Client(config=config) as client:
            client.start_trace("checkout").end()
        assert b"checkout" in agent.recv(65536)


def source(name: str) -> None:
    """Take the spans of a foreign library."""
    config: Any = {"adapters": {"memory": {}}}
    with Client(config=config) as client:
        assert client.source(name) is not None


def opentelemetry() -> None:
    """Deliver through an exporter of OpenTelemetry's SDK, and take its spans."""
    source("opentelemetry")
    config: Any = {"adapters": {"otel_exporter": {"class": "opentelemetry.sdk.trace.export:ConsoleSpanExporter"}}}
    with Client(config=config) as client:
        client.start_trace("checkout").end()
    assert client.stats().adapters["otel_exporter"].exported == 1


def engine(name: str, url: str) -> None:
    """Ask an engine of shared spans that refuses connections: the span stays with its process."""
    config: Any = {"open_spans": {"engine": name, "url": url}, "adapters": {"memory": {}}}
    with Client(config=config) as client:
        client.start_trace("checkout", shared=True).end()
        client.flush()
    stats = client.stats()
    assert stats.adapters["memory"].exported == 1, stats


def re2() -> None:
    """Use an expression that could take exponential time with the standard library, and is refused there."""
    config: Any = {"redaction": {"deny_values": ["(a+)+b"]}, "adapters": {"memory": {}}}
    with Client(config=config) as client:
        root = client.start_trace("checkout", trace_id="order-4711", attributes={"text": "aaab"})
        root.end()
        client.flush()
        assert "aaab" not in str(client.get_trace("order-4711").data.spans[0].attributes)


def zstd() -> None:
    """Read a packed file of spans: a frame of one block that is not compressed, so that it can be written without the library."""
    config: Any = {"adapters": {"otlp_file": {"path": "./packed.jsonl"}}}
    with Client(config=config) as client:
        client.start_trace("checkout", attributes={"padding": "x" * 300}).end()
    data = Path("packed.jsonl").read_bytes()
    frame = b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(data) - 256) + struct.pack("<I", len(data) << 3 | 1)[:3]
    Path("packed.jsonl.zst").write_bytes(frame + data)
    command = [sys.executable, "-m", "tracebridge", "convert", "packed.jsonl.zst", "--to", "otlp_json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert '"checkout"' in done.stdout, done


PROGRAMS = {
    "": plain,
    "grpc": otlp_grpc,
    "isal": isal,
    "jaeger": jaeger,
    "jaeger-client": lambda: source("jaeger-client"),
    "kafka": kafka,
    "opentelemetry": opentelemetry,
    "postgresql": lambda: engine("postgresql", f"postgresql://{NOWHERE}/spans"),
    "py-zipkin": lambda: source("py_zipkin"),
    "re2": re2,
    "redis": lambda: engine("redis", f"redis://{NOWHERE}/0"),
    "zstd": zstd,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1] if len(sys.argv) > 1 else ""]()
