"""What a process pays before its first span: importing, and reading a configuration. Each in a process of its own."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Case, Goal, Make, Missing, Run, child, environment
from benchmarks.peers import SDK

OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
FIVE = """\
resource: {attributes: {service.name: shop}}
adapters:
  otlp_http: {endpoint: "http://127.0.0.1:9"}
  zipkin: {endpoint: "http://127.0.0.1:9"}
  log: {}
  otlp_file: {path: spans.jsonl}
  store: {path: spans.db}
"""


def cpu_of_import(*modules: str) -> float:
    """ms of CPU that importing takes."""
    started = time.process_time()
    for module in modules:
        name, _, member = module.partition(":")
        try:
            found = importlib.import_module(name)
        except ImportError:
            raise Missing(f"pip install {SDK} opentelemetry-exporter-otlp-proto-http") from None
        if member:
            getattr(found, member)
    return (time.process_time() - started) * 1e3


def modules_after(*modules: str) -> float:
    """How many modules a plain interpreter has more after importing."""
    code = "import sys, importlib; before = set(sys.modules)\nfor each in sys.argv[1:]:\n    name, _, member = each.partition(':')\n"
    code += "    found = importlib.import_module(name)\n    member and getattr(found, member)\nprint(len(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], check=False, capture_output=True, text=True, env=environment()
    )
    if done.returncode:
        raise Missing(f"pip install {SDK} opentelemetry-exporter-otlp-proto-http")
    return float(done.stdout)


def cpu_of_start() -> float:
    """ms of CPU from nothing to a client with five destinations, by YAML."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "bridge.yaml")
        path.write_text(FIVE.replace("spans.", f"{folder}/spans."))
        started = time.process_time()
        from tracebridge import Client

        client = Client(config=path)
        spent = time.process_time() - started
        client.close(0)
        return spent * 1e3


def cpu_of_otel_start() -> float:
    """ms of CPU from nothing to a provider with five exporters, by code: the SDK's own file configuration takes longer."""
    started = time.process_time()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise Missing("pip install opentelemetry-exporter-otlp-proto-http") from None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    for _ in range(5):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter("http://127.0.0.1:9/v1/traces")))
    return (time.process_time() - started) * 1e3


def _counted(*modules: str) -> Make:
    def make() -> Run:
        count = modules_after(*modules)
        return lambda: count

    return make


def _imported(*modules: str) -> Make:
    return child(f"{__name__}:cpu_of_import", *modules)


CLIENT, PROVIDER = "tracebridge with its Client", "opentelemetry-sdk"
ROUNDS = 7

CASES = (
    Case(
        "import",
        {
            CLIENT: _imported("tracebridge:Client"),
            PROVIDER: _imported("opentelemetry.sdk.trace.export"),
            "opentelemetry-sdk with OTLP over HTTP": _imported("opentelemetry.sdk.trace.export", OTLP),
            "tracebridge alone": _imported("tracebridge"),
        },
        Goal(1, PROVIDER),
        "",
        "ms CPU a process",
        ROUNDS,
    ),
    Case(
        "import-modules",
        {
            CLIENT: _counted("tracebridge:Client"),
            PROVIDER: _counted("opentelemetry.sdk.trace.export"),
            "opentelemetry-sdk with OTLP over HTTP": _counted("opentelemetry.sdk.trace.export", OTLP),
            "tracebridge alone": _counted("tracebridge"),
        },
        Goal(1, PROVIDER),
        "",
        "modules",
        1,
    ),
    Case(
        "start-up",
        {
            "tracebridge, five adapters by YAML": child(f"{__name__}:cpu_of_start"),
            "opentelemetry-sdk, five exporters by code": child(f"{__name__}:cpu_of_otel_start"),
        },
        Goal(1, "opentelemetry-sdk, five exporters by code"),
        "imports included",
        "ms CPU a process",
        ROUNDS,
    ),
)
