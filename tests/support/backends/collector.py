"""A real OpenTelemetry Collector, and the receiver behind it that shows what it understood."""

from __future__ import annotations

import http.server
import queue
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import yaml

from support.backends.fetching import collector_binary
from support.backends.process import ServerProcess, answers, free_ports
from support.http_server import LocalServer

LOCAL = "127.0.0.1"


class Addresses(TypedDict):
    """Where each receiver listens."""

    otlp_http: str
    otlp_grpc: str
    zipkin_url: str
    agent_compact: str
    agent_binary: str
    thrift_http: str


@dataclass
class Receivers:
    """The receivers that a Collector and Jaeger 2 share: their configuration, and where they listen."""

    config: dict[str, Any]
    addresses: Addresses

    @classmethod
    def on_free_ports(cls) -> Receivers:
        """Return receivers of OTLP, Zipkin and Jaeger on free loopback ports."""
        grpc, otlp, zipkin, compact, binary, thrift_http = free_ports(6)

        def at(port: int) -> dict[str, str]:
            return {"endpoint": f"{LOCAL}:{port}"}

        jaeger = {"thrift_compact": at(compact), "thrift_binary": at(binary), "thrift_http": at(thrift_http)}
        return cls(
            {
                "otlp": {"protocols": {"grpc": at(grpc), "http": at(otlp)}},
                "zipkin": at(zipkin),
                "jaeger": {"protocols": jaeger},
            },
            {
                "otlp_http": f"http://{LOCAL}:{otlp}",
                "otlp_grpc": f"http://{LOCAL}:{grpc}",
                "zipkin_url": f"http://{LOCAL}:{zipkin}/api/v2/spans",
                "agent_compact": f"udp://{LOCAL}:{compact}",
                "agent_binary": f"udp://{LOCAL}:{binary}",
                "thrift_http": f"http://{LOCAL}:{thrift_http}/api/traces",
            },
        )


class OtlpJsonSink:
    """A loopback receiver of OTLP JSON over HTTP: what the Collector understood, as it says it.

    `status` is what it answers from now on; with another than 200 it keeps nothing. A body that has `refused` in it is answered with 400.
    """

    def __init__(self) -> None:
        self.bodies: queue.Queue[bytes] = queue.Queue()
        self.status = 200
        self.refused: bytes | None = None
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 400 if sink.refused is not None and sink.refused in body else sink.status
                if status == 200:
                    sink.bodies.put(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = LocalServer((LOCAL, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{LOCAL}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Collector:
    """A running Collector, passing on what it understood to `sink` as OTLP JSON."""

    otlp_http: str
    otlp_grpc: str
    zipkin_url: str
    agent_compact: str
    agent_binary: str
    thrift_http: str
    health_url: str
    process: ServerProcess
    sink: OtlpJsonSink
    seen: list[Any] = field(default_factory=list)

    def stop(self) -> None:
        """End the process and the sink."""
        self.process.stop()
        self.sink.stop()


def start_collector(
    exporter: Mapping[str, Any] | None = None,
    processors: Mapping[str, Any] | None = None,
    extensions: Mapping[str, Any] | None = None,
    receivers: Mapping[str, Any] | None = None,
    exporters: Mapping[str, Any] | None = None,
    *,
    span_metrics: bool = False,
) -> Collector:
    """Start a Collector that waits for its next hop's answer before it gives its own.

    `exporter` is laid over the settings of its OTLP/HTTP exporter (`{"endpoint": …}` for another next hop, `sending_queue`,
    `retry_on_failure`); `processors` (in their order), `extensions`, `receivers` and `exporters` are added. With `span_metrics` the sink gets counts of
    calls, too.
    """
    binary = collector_binary()
    listening = Receivers.on_free_ports()
    reads = {**listening.config, **(receivers or {})}
    (health,) = free_ports(1)
    sink = OtlpJsonSink()
    processors, extensions = dict(processors or {}), dict(extensions or {})
    config = {
        "service": {
            "extensions": ["health_check", *extensions],
            "pipelines": {
                "traces": {
                    "receivers": list(reads), "processors": list(processors), "exporters": ["otlp_http", *(exporters or {})],
                }
            },
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {"health_check": {"endpoint": f"{LOCAL}:{health}"}, **extensions},
        "receivers": reads,
        "processors": processors,
        "exporters": {
            "otlp_http": {
                "endpoint": sink.url, "encoding": "json", "compression": "none", "tls": {"insecure": True},
                "sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}, **(exporter or {}),
            },
            **(exporters or {}),
        },
    }  # fmt: skip
    if span_metrics:
        pipelines: Any = config["service"]
        pipelines["pipelines"]["traces"]["exporters"].append("span_metrics")
        pipelines["pipelines"]["metrics"] = {"receivers": ["span_metrics"], "exporters": ["otlp_http"]}
        config["connectors"] = {
            "span_metrics": {
                "metrics_flush_interval": "1s",
                "aggregation_temporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
            }
        }
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-collector-"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    process = ServerProcess("collector", [str(binary), "--config", "config.yaml"], folder=folder)
    health_url = f"http://{LOCAL}:{health}"
    process.wait_until(answers(health_url))
    return Collector(**listening.addresses, health_url=health_url, process=process, sink=sink)
