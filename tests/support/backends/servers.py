"""The servers themselves: Zipkin, Jaeger 1, Jaeger 2 as a Collector, MLflow and Phoenix."""

from __future__ import annotations

import http.server
import queue
import shutil
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.backends.cache import MissingServerError, locked, need, run
from support.backends.process import ServerProcess, answers, free_ports
from support.backends.process import http as client

ZIPKIN_VERSION, JAEGER_VERSION, MLFLOW_VERSION, PHOENIX_VERSION = "3.6.1", "1.62.0", "3.17.2", "20.26.1"
DDTRACE_VERSION, ATHERIS_VERSION = "4.16.0", "3.0.0"
HERE = Path(__file__).parent


# ---------------------------------------------------------------------- fetching


def zipkin_jar() -> Path:
    """Return Zipkin's executable jar, fetched from Maven Central when it is not cached."""
    with locked("zipkin") as folder:
        jar = folder / f"zipkin-server-{ZIPKIN_VERSION}-exec.jar"
        if not jar.exists():
            need("java", "mvn")
            fresh = folder / "fresh"
            fresh.mkdir(exist_ok=True)
            artifact = f"-Dartifact=io.zipkin:zipkin-server:{ZIPKIN_VERSION}:jar:exec"
            run("fetching Zipkin", ["mvn", "-q", "dependency:copy", artifact, f"-DoutputDirectory={fresh}"], folder)
            (fresh / jar.name).rename(jar)
        need("java")
        return jar


def jaeger_binary(name: str) -> Path:
    """Return `all-in-one` (Jaeger 1) or `jaeger` (Jaeger 2), built from the Go module when it is not cached."""
    with locked("jaeger") as folder:
        binary = folder / JAEGER_VERSION / name
        if not binary.exists():
            need("go")
            source = folder / "source"
            source.mkdir(exist_ok=True)
            for file in (HERE / "jaeger").iterdir():
                shutil.copy(file, source / file.name.removesuffix(".txt"))
            packages = [f"github.com/jaegertracing/jaeger/cmd/{each}" for each in ("all-in-one", "jaeger")]
            fresh = folder / "fresh"
            run(
                "building Jaeger (minutes)",
                ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{fresh}/", *packages],
                source,
            )
            fresh.rename(folder / JAEGER_VERSION)
        return binary


def python_server(name: str, requirement: str, script: str) -> Path:
    """Return a script of a Python server, installed in a virtual environment of its own when it is not cached.

    `requirement` may be several, with blanks between.
    """
    with locked(f"{name}-{sys.version_info.major}.{sys.version_info.minor}") as folder:
        home = folder / requirement.replace("==", "-").replace(" ", "+")
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            run(f"installing {requirement}", [str(home / "bin" / "pip"), "install", "-q", *requirement.split()], folder)
            (home / "done").touch()
        return home / "bin" / script


def mlflow_script() -> Path:
    """Return MLflow's command."""
    return python_server("mlflow", f"mlflow=={MLFLOW_VERSION}", "mlflow")


def phoenix_script() -> Path:
    """Return Phoenix's command."""
    return python_server("phoenix", f"arize-phoenix=={PHOENIX_VERSION}", "phoenix")


def ddtrace_python() -> Path:
    """Return a Python that has Datadog's library: no server, but too heavy for everybody's environment."""
    return python_server("ddtrace", f"ddtrace=={DDTRACE_VERSION}", "python")


def atheris_python() -> Path:
    """Return a Python that has the coverage-guided fuzzer, and what `tracebridge.propagation` imports."""
    return python_server("atheris", f"atheris=={ATHERIS_VERSION} msgspec", "python")


FETCH = {
    "zipkin": zipkin_jar,
    "jaeger": lambda: jaeger_binary("all-in-one"),
    "collector": lambda: jaeger_binary("jaeger"),
    "mlflow": mlflow_script,
    "phoenix": phoenix_script,
    "ddtrace": ddtrace_python,
    "atheris": atheris_python,
}


# ---------------------------------------------------------------------- running


@dataclass
class Zipkin:
    """A running Zipkin."""

    url: str
    process: ServerProcess

    @property
    def spans_url(self) -> str:
        """Where v2 spans are posted."""
        return f"{self.url}/api/v2/spans"


def start_zipkin() -> Zipkin:
    """Start Zipkin with storage in memory."""
    jar = zipkin_jar()
    (port,) = free_ports(1)
    env = {"QUERY_PORT": str(port), "STORAGE_TYPE": "mem", "SELF_TRACING_ENABLED": "false"}
    process = ServerProcess("zipkin", ["java", "-Xmx256m", "-jar", str(jar)], env=env)
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/health"))
    return Zipkin(url, process)


@dataclass
class Jaeger:
    """A running Jaeger 1 all-in-one."""

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
    binary = jaeger_binary("all-in-one")
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
    local = "127.0.0.1"
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
    command = [str(binary), *(f"--{flag}={local}:{port}" for flag, port in flags.items())]
    process = ServerProcess("jaeger", command, env={"SPAN_STORAGE_TYPE": "memory"})
    url = f"http://{local}:{query}"
    process.wait_until(answers(f"{url}/api/services"))
    return Jaeger(
        url,
        f"http://{local}:{otlp_http}",
        f"http://{local}:{otlp_grpc}",
        f"http://{local}:{zipkin}/api/v2/spans",
        f"udp://{local}:{compact}",
        f"udp://{local}:{binary_}",
        f"http://{local}:{collector}/api/traces",
        process,
    )


class OtlpJsonSink:
    """A loopback receiver of OTLP JSON over HTTP: what the Collector understood, as it says it."""

    def __init__(self) -> None:
        self.bodies: queue.Queue[bytes] = queue.Queue()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sink.bodies.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Collector:
    """A running Jaeger 2, which is an OpenTelemetry Collector, fanning out what it understood as OTLP JSON."""

    query_url: str
    otlp_http: str
    otlp_grpc: str
    zipkin_url: str
    agent_compact: str
    agent_binary: str
    thrift_http: str
    process: ServerProcess
    sink: OtlpJsonSink
    seen: list[Any] = field(default_factory=list)


def start_collector() -> Collector:
    """Start Jaeger 2 with OTLP, Zipkin and Jaeger receivers and the sink as an exporter."""
    binary = jaeger_binary("jaeger")
    query, query_grpc, grpc, otlp, zipkin, compact, binary_, thrift_http = free_ports(8)
    sink = OtlpJsonSink()
    exporters = ["jaeger_storage_exporter", "otlphttp"]
    config = {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp", "zipkin", "jaeger"], "exporters": exporters}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_query": {
                "storage": {"traces": "mem"},
                "http": {"endpoint": f"127.0.0.1:{query}"},
                "grpc": {"endpoint": f"127.0.0.1:{query_grpc}"},
            },
            "jaeger_storage": {"backends": {"mem": {"memory": {"max_traces": 100_000}}}},
        },
        "receivers": {
            "otlp": {
                "protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{otlp}"}}
            },
            "zipkin": {"endpoint": f"127.0.0.1:{zipkin}"},
            "jaeger": {
                "protocols": {
                    "thrift_compact": {"endpoint": f"127.0.0.1:{compact}"},
                    "thrift_binary": {"endpoint": f"127.0.0.1:{binary_}"},
                    "thrift_http": {"endpoint": f"127.0.0.1:{thrift_http}"},
                }
            },
        },
        "exporters": {
            "jaeger_storage_exporter": {"trace_storage": "mem"},
            "otlphttp": {
                "endpoint": sink.url, "encoding": "json", "compression": "none", "tls": {"insecure": True},
                "sending_queue": {"enabled": False},
            },
        },
    }  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-collector-"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    process = ServerProcess("collector", [str(binary), "--config", "config.yaml"], folder=folder)
    url = f"http://127.0.0.1:{query}"
    process.wait_until(answers(f"{url}/api/services"))
    return Collector(
        url,
        f"http://127.0.0.1:{otlp}",
        f"http://127.0.0.1:{grpc}",
        f"http://127.0.0.1:{zipkin}/api/v2/spans",
        f"udp://127.0.0.1:{compact}",
        f"udp://127.0.0.1:{binary_}",
        f"http://127.0.0.1:{thrift_http}/api/traces",
        process,
        sink,
    )


@dataclass
class MLflow:
    """A running MLflow server with one experiment."""

    url: str
    experiment_id: str
    script: Path
    process: ServerProcess


def start_mlflow() -> MLflow:
    """Start an MLflow server over SQLite and make an experiment in it."""
    script = mlflow_script()
    (port,) = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-mlflow-"))
    database = f"sqlite:///{folder}/mlflow.db"
    command = [
        str(script),
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--backend-store-uri",
        database,
        "--workers",
        "1",
    ]
    process = ServerProcess(
        "mlflow", command, folder=folder, env={"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    )
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/health"))
    made = client.request("POST", f"{url}/api/2.0/mlflow/experiments/create", json={"name": "tracebridge"})
    return MLflow(url, made.json()["experiment_id"], script, process)


@dataclass
class Phoenix:
    """A running Phoenix."""

    url: str
    process: ServerProcess


def start_phoenix() -> Phoenix:
    """Start Phoenix in a folder of its own."""
    script = phoenix_script()
    port, grpc = free_ports(2)
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-phoenix-"))
    env = {
        "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_TELEMETRY_ENABLED": "false",
    }  # fmt: skip
    process = ServerProcess("phoenix", [str(script), "serve"], folder=folder, env=env)
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/healthz"))
    return Phoenix(url, process)


START = {
    "zipkin": start_zipkin,
    "jaeger": start_jaeger,
    "collector": start_collector,
    "mlflow": start_mlflow,
    "phoenix": start_phoenix,
}


def running(name: str) -> Iterator[Any]:
    """Start a server, hand it over, and stop it whatever happens."""
    server = START[name]()
    try:
        yield server
    finally:
        server.process.stop()
        if isinstance(server, Collector):
            server.sink.stop()


__all__ = ["FETCH", "START", "MissingServerError", "running"]
