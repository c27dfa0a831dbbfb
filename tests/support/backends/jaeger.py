"""Real Jaegers: 1.62, which teams still run, and 2.13, which is an OpenTelemetry Collector with Jaeger's storage."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.backends.collector import Receivers
from support.backends.fetching import jaeger_1_binary, jaeger_2_binary
from support.backends.process import ServerProcess, answers, free_ports

LOCAL = "127.0.0.1"


@dataclass
class Jaeger:
    """A running Jaeger."""

    query_url: str
    otlp_http: str
    otlp_grpc: str
    zipkin_url: str
    agent_compact: str
    agent_binary: str
    thrift_http: str
    process: ServerProcess


def start_jaeger() -> Jaeger:
    """Start Jaeger 1.62 all-in-one with every port of ours."""
    binary = jaeger_1_binary()
    ports = free_ports(12)
    (
        query,
        query_grpc,
        otlp_http,
        otlp_grpc,
        zipkin,
        collector,
        collector_grpc,
        admin,
        agent_http,
        compact,
        binary_,
        old,
    ) = ports
    flags = {
        "query.http-server.host-port": query,
        "query.grpc-server.host-port": query_grpc,
        "collector.otlp.http.host-port": otlp_http,
        "collector.otlp.grpc.host-port": otlp_grpc,
        "collector.zipkin.host-port": zipkin,
        "collector.http-server.host-port": collector,
        "collector.grpc-server.host-port": collector_grpc,
        "admin.http.host-port": admin,
        "http-server.host-port": agent_http,
        "processor.jaeger-compact.server-host-port": compact,
        "processor.jaeger-binary.server-host-port": binary_,
        "processor.zipkin-compact.server-host-port": old,
    }
    command = [str(binary), *(f"--{flag}={LOCAL}:{port}" for flag, port in flags.items())]
    process = ServerProcess("jaeger", command, env={"SPAN_STORAGE_TYPE": "memory"})
    url = f"http://{LOCAL}:{query}"
    process.wait_until(answers(f"{url}/api/services"))
    return Jaeger(
        url,
        f"http://{LOCAL}:{otlp_http}",
        f"http://{LOCAL}:{otlp_grpc}",
        f"http://{LOCAL}:{zipkin}/api/v2/spans",
        f"udp://{LOCAL}:{compact}",
        f"udp://{LOCAL}:{binary_}",
        f"http://{LOCAL}:{collector}/api/traces",
        process,
    )


MAX_TRACES = 100_000
"""Jaeger 2 refuses a search for more traces than its memory may hold."""


def start_jaeger_2(max_traces: int = MAX_TRACES, more_receivers: Mapping[str, Any] | None = None) -> Jaeger:
    """Start Jaeger 2 with every receiver that it has for us, `more_receivers` besides, and storage in memory."""
    binary = jaeger_2_binary()
    query, query_grpc = free_ports(2)
    receivers = Receivers.on_free_ports()
    reads = {**receivers.config, **(more_receivers or {})}
    config = {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": list(reads), "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": f"{LOCAL}:{query}"},
                "grpc": {"endpoint": f"{LOCAL}:{query_grpc}"},
            },
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": max_traces}}}},
        },
        "receivers": reads,
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-jaeger-2-"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    process = ServerProcess("jaeger-2", [str(binary), "--config", "config.yaml"], folder=folder)
    url = f"http://{LOCAL}:{query}"
    process.wait_until(answers(f"{url}/api/services"))
    return Jaeger(url, **receivers.addresses, process=process)
