"""A real OpenTelemetry Collector that keeps its queue on the disk (`file_storage`), and a sender that hands it each span and waits for its answer.

The binary is the one that OTELCOL names, else `otelcol` on the path, else the one that the tests have built. A span counts as acknowledged when the Collector has answered 200. Collector and
sender are one life: whoever kills the sender kills the Collector in the same instant (Linux: its parent's death is its own). Each life has a storage
of its own, because two Collectors cannot share one; what dead ones left is delivered by Collectors that are started on it again.
"""

from __future__ import annotations

import ctypes
import functools
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from benchmarks.faults.plan import Plan
from benchmarks.faults.spans import IN_A_TRACE, attributes_of, name_of

BINARY = "OTELCOL"
QUEUE = 100_000  # requests; the default of 1,000 would be full within seconds, and then it refuses, and loses nothing
START_S = 30.0
AT_ONCE = 4  # Collectors that are started again on what was left
PR_SET_PDEATHSIG = 1
RETRY_S = 0.05


def binary() -> str:
    """Return the path of the Collector, or nothing."""
    return os.environ.get(BINARY) or shutil.which("otelcol") or _built_for_tests()


def _built_for_tests() -> str:
    """Return the one that the tests start, when this machine has it."""
    tests = str(Path(__file__).parents[2] / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    from support.backends.cache import cache_dir
    from support.backends.fetching import COLLECTOR_VERSION

    path = cache_dir() / "collector" / COLLECTOR_VERSION / "otelcol"
    return str(path) if path.exists() else ""


class Relay:
    """One Collector on one storage."""

    def __init__(self, storage: Path, destination: str, *, batch: bool) -> None:
        storage.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            self.port, self._metrics = one.getsockname()[1], other.getsockname()[1]
        config = storage.with_suffix(".yaml")
        made = _config(storage, self.port, self._metrics, destination, batch=batch)
        config.write_text(json.dumps(made))  # JSON is YAML
        self._command = [binary(), "--config", str(config)]
        self._log = storage.with_suffix(".log")
        until = time.monotonic() + START_S
        self.process = self._started()
        while time.monotonic() < until:
            if self.process.poll() is not None:  # the one that was killed has not let go of the storage yet
                time.sleep(1)
                self.process = self._started()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the Collector does not listen: {self._log.read_text()[-1000:]}")

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            die_with_us = functools.partial(_die_with, os.getpid())
            return subprocess.Popen(self._command, stdout=log, stderr=log, preexec_fn=die_with_us)  # noqa: PLW1509 - no threads yet

    def wait_until_empty(self, until: float) -> None:
        """Wait until its queue is, or that time (monotonic seconds) has come."""
        url = f"http://127.0.0.1:{self._metrics}/metrics"
        while time.monotonic() < until:
            with urllib.request.urlopen(url, timeout=10) as answer:
                lines = answer.read().decode().splitlines()
            if any(line.startswith("otelcol_exporter_queue_size{") and line.endswith(" 0") for line in lines):
                return
            time.sleep(0.1)

    def stop(self) -> None:
        """End it in peace."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_S)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was faster
        os._exit(1)


def _config(storage: Path, port: int, metrics: int, destination: str, *, batch: bool) -> dict[str, Any]:
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": metrics}}}}
    return {
        "extensions": {"file_storage": {"directory": str(storage), "create_directory": True}},
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {"batch": {}} if batch else {},
        "exporters": {
            "otlp_http": {
                "endpoint": destination,
                "tls": {"insecure": True},
                "sending_queue": {"storage": "file_storage", "queue_size": QUEUE},
                "retry_on_failure": {"initial_interval": "100ms", "max_interval": "1s"},
            }
        },
        "service": {
            "extensions": ["file_storage"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["batch"] if batch else [], "exporters": ["otlp_http"]}
            },
            "telemetry": {"metrics": {"level": "basic", "readers": [reader]}},
        },
    }


class ThroughCollector:
    """The sender."""

    batch = False

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        (self._destination,) = (f"{url}/{name}" for name, url in plan.destinations.items())
        self._directory = Path(plan.directory)
        self._threads = threading.local()
        self._relay = None
        if plan.ending != "drain":
            storage = self._directory / f"{plan.first}"
            self._relay = Relay(storage, self._destination, batch=self.batch)

    def start(self, number: int, parent: Any) -> Any:
        """Start a span."""
        now = time.time_ns()
        trace = number // IN_A_TRACE
        ids = (f"{self._plan.salt}{trace}".encode().hex()[-32:].rjust(32, "0"), number + 1)
        return number, now, ids, None if parent is None else parent[2][1]

    def end(self, span: Any) -> None:
        """Hand it to the Collector; returns when that has taken it."""
        number, begun, (trace_id, span_id), parent_id = span
        request = ExportTraceServiceRequest()
        made = request.resource_spans.add().scope_spans.add().spans.add()
        made.name, made.start_time_unix_nano, made.end_time_unix_nano = name_of(number), begun, time.time_ns()
        made.trace_id, made.span_id = bytes.fromhex(trace_id), span_id.to_bytes(8, "big")
        made.parent_span_id = b"" if parent_id is None else parent_id.to_bytes(8, "big")
        for key, value in attributes_of(number, self._plan.pad).items():
            kind = {int: "int_value", float: "double_value", str: "string_value"}[type(value)]
            made.attributes.append(KeyValue(key=key, value=AnyValue(**{kind: value})))
        body = request.SerializeToString()
        while not self._sent(body):
            time.sleep(RETRY_S)

    def _sent(self, body: bytes) -> bool:
        try:
            if getattr(self._threads, "connection", None) is None:
                assert self._relay is not None
                self._threads.connection = http.client.HTTPConnection("127.0.0.1", self._relay.port, timeout=10)
            connection = self._threads.connection
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._threads.connection = None
            return False
        return bool(answer.status == 200)

    def drain(self) -> None:
        """Start a Collector on each storage that was left, as an operator would, until it has delivered its queue."""
        until = time.monotonic() + self._plan.close_s
        storages = [path for path in sorted(self._directory.iterdir()) if path.is_dir()]
        for first in range(0, len(storages), AT_ONCE):
            relays = [Relay(path, self._destination, batch=self.batch) for path in storages[first : first + AT_ONCE]]
            for relay in relays:
                relay.wait_until_empty(until)
            for relay in relays:
                relay.stop()

    def close(self) -> None:
        """End the Collector in peace."""
        if self._relay is not None:
            self._relay.stop()

    def told(self) -> None:
        """It writes log lines; its counters go with it."""


class ThroughBatchingCollector(ThroughCollector):
    """With its batch processor, as most configurations have it."""

    batch = True


def missing() -> str:
    """Return how to have a Collector, when there is none."""
    build = "python -m support.backends collector"
    return (
        ""
        if binary()
        else f"a Collector with file_storage: `{build}` in tests/ builds one, or {BINARY} says where it is"
    )
