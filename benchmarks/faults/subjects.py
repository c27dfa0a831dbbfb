"""Who is put to the test: tracebridge with either journal, and the peers, each set up as its documentation says.

What is set alike for all is how soon finished spans are sent, so that a run is short; tracebridge's pauses between retries are shortened for the same
reason. Everything else is at each library's own defaults.
"""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks.faults import relay
from benchmarks.faults.plan import Plan
from benchmarks.faults.receiver import LIFE_HEADER
from benchmarks.faults.spans import IN_A_TRACE, attributes_of, name_of

FLUSH_S = 0.2  # how long a finished span waits for company, everywhere


class Subject(Protocol):
    """A tracing library, in the workload's process."""

    def start(self, number: int, parent: Any) -> Any:
        """Start a span, under `parent` unless that is None."""
        ...

    def end(self, span: Any) -> None:
        """End it."""
        ...

    def close(self) -> None:
        """Close the library in the way that it documents."""
        ...

    def told(self) -> dict[str, int] | None:
        """Return how many spans it says that it lost, by destination; None when it does not say."""
        ...


class Tracebridge:
    """Either journal; as many destinations as there are."""

    def __init__(self, plan: Plan) -> None:
        from tracebridge import Client

        self._plan = plan
        delivery = {
            "sending_queue": {"flush_interval": f"{FLUSH_S}s", "max_in_flight": plan.max_in_flight},
            "retry_on_failure": {"initial_interval": "100ms", "max_interval": "1s"},
            "headers": {LIFE_HEADER: plan.life},
        }
        adapters: dict[str, Any] = {"store": {"path": plan.store}} if plan.store else {}
        for name, url in plan.destinations.items():
            if name.startswith("zipkin"):
                adapters[f"zipkin/{name}"] = {"endpoint": f"{url}/{name}/api/v2/spans", **delivery}
            else:
                adapters[f"otlp_http/{name}"] = {"endpoint": f"{url}/{name}", **delivery}
        journal = dict(plan.journal)
        if plan.directory:
            journal["directory"] = plan.directory
        self._client = Client(
            config={
                "resource": {"attributes": {"service.name": "faults"}},
                "lifecycle": {"shutdown_timeout": f"{plan.close_s}s", "flush_on_sigterm": plan.flush_on_sigterm},
                "limits": {"attribute_value_length_limit": max(65_536, plan.pad)},
                "journal": journal,
                "adapters": adapters,
                **({"sampling": plan.sampling} if plan.sampling else {}),
            }
        )

    def start(self, number: int, parent: Any) -> Any:
        """Start a span under a trace ID of the workload's own."""
        attributes = attributes_of(number, self._plan.pad)
        if parent is None:
            trace_id = f"trace {number // IN_A_TRACE} of {self._plan.salt}"
            return self._client.start_trace(name_of(number), trace_id=trace_id, attributes=attributes)
        return self._client.start_span(name_of(number), parent.trace_id, parent.span_id, attributes=attributes)

    def end(self, span: Any) -> None:
        """End it by its IDs."""
        self._client.end_span(span.trace_id, span.span_id)

    def drain(self) -> None:
        """Deliver until nothing is left in the journal's folder, or the time is up."""
        until = time.monotonic() + self._plan.close_s
        while time.monotonic() < until and _holds_segments(Path(self._plan.directory)):
            time.sleep(0.02)

    def close(self) -> None:
        """Deliver what there is, and close."""
        self._client.flush(self._plan.close_s)
        self._client.close()

    def told(self) -> dict[str, int]:
        """Read the counters."""
        return {
            name.partition("/")[2]: sum(books.dropped.values()) for name, books in self._client.stats().adapters.items()
        }

    def unbalanced(self) -> list[str]:
        """Return the destinations whose books do not balance."""
        stats = self._client.stats()
        return [f"{name} by {stats.balance(name)}" for name in stats.adapters if stats.balance(name)]


def _holds_segments(directory: Path) -> bool:
    """Look with `os.walk`, which takes a folder that goes away under it for empty; a glob would raise."""
    return any(
        name.endswith(".seg") and Path(folder).name != "damaged"
        for folder, _, names in os.walk(directory)
        for name in names
    )


class OpenTelemetry:
    """The SDK with one BatchSpanProcessor and OTLP/HTTP exporter for each destination."""

    def __init__(self, plan: Plan) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import set_span_in_context

        self._in_context = set_span_in_context
        self._provider = TracerProvider(resource=Resource({"service.name": "faults"}))
        for name, url in plan.destinations.items():
            exporter = OTLPSpanExporter(f"{url}/{name}/v1/traces", headers={LIFE_HEADER: plan.life})
            self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=FLUSH_S * 1e3))
        self._tracer = self._provider.get_tracer("faults")
        self._plan = plan

    def start(self, number: int, parent: Any) -> Any:
        """Start a span."""
        context = self._in_context(parent) if parent is not None else None
        attributes = attributes_of(number, self._plan.pad)
        return self._tracer.start_span(name_of(number), context=context, attributes=attributes)

    def end(self, span: Any) -> None:
        """End it."""
        span.end()

    def close(self) -> None:
        """Flush and shut down."""
        self._provider.force_flush(int(self._plan.close_s * 1e3))
        self._provider.shutdown()

    def told(self) -> None:
        """The SDK writes log lines, not numbers."""


class JaegerClient:
    """The tracer with its reporter over UDP, as `Config` builds it."""

    def __init__(self, plan: Plan) -> None:
        from jaeger_client import ConstSampler, Tracer
        from jaeger_client.local_agent_net import LocalAgentSender
        from jaeger_client.metrics import MetricsFactory
        from jaeger_client.reporter import Reporter

        self._lost = 0
        self._closed = threading.Event()
        self._plan = plan
        outer = self

        class Counting(MetricsFactory):
            def create_counter(self, name: str, tags: Any = None) -> Callable[[int], None]:
                if name != "jaeger:reporter_spans" or (tags or {}).get("result") == "ok":
                    return lambda value: None

                def count(value: int) -> None:
                    outer._lost += value

                return count

            def create_gauge(self, name: str, tags: Any = None) -> Callable[[float], None]:
                return lambda value: None

            def create_timer(self, name: str, tags: Any = None) -> Callable[[float], None]:
                return lambda value: None

        sender = LocalAgentSender("127.0.0.1", 0, plan.agent_port)
        reporter = Reporter(sender, flush_interval=FLUSH_S, metrics_factory=Counting())
        self._tracer = Tracer("faults", reporter, ConstSampler(True))

    def start(self, number: int, parent: Any) -> Any:
        """Start a span."""
        return self._tracer.start_span(
            name_of(number), child_of=parent, tags=attributes_of(number, self._plan.pad), ignore_active_span=True
        )

    def end(self, span: Any) -> None:
        """End it."""
        span.finish()

    def close(self) -> None:
        """Close, and wait for the reporter's queue."""
        self._tracer.close().add_done_callback(lambda _: self._closed.set())
        self._closed.wait(self._plan.close_s)

    def told(self) -> dict[str, int]:
        """Read the reporter's counters of failed and dropped spans."""
        return {next(iter(self._plan.destinations)): self._lost}


class PyZipkin:
    """`zipkin_span` with the HTTP transport of the package, which sends when a root ends, in the caller's thread."""

    def __init__(self, plan: Plan) -> None:
        from py_zipkin.encoding import Encoding
        from py_zipkin.transport import SimpleHTTPTransport
        from py_zipkin.zipkin import zipkin_span

        port = urlsplit(next(iter(plan.destinations.values()))).port
        transport = SimpleHTTPTransport("127.0.0.1", port)
        self._root = {"transport_handler": transport, "sample_rate": 100.0, "encoding": Encoding.V2_JSON}
        self._span = zipkin_span
        self._plan = plan

    def start(self, number: int, parent: Any) -> Any:
        """Start a span; children find their parent in the thread."""
        tags: dict[str, str | None] = {key: str(value) for key, value in attributes_of(number, self._plan.pad).items()}
        root: dict[str, Any] = self._root if parent is None else {}
        return self._span("faults", name_of(number), binary_annotations=tags, **root).start()

    def end(self, span: Any) -> None:
        """End it."""
        span.stop()

    def close(self) -> None:
        """Nothing waits."""

    def told(self) -> None:
        """It writes log lines, not numbers."""


@dataclass(frozen=True)
class Kind:
    """A subject as the harness knows it."""

    title: str
    make: Callable[[Plan], Subject]
    needs: dict[str, str]
    """Module to the package that has it."""
    imports: tuple[str, ...]
    """What is imported before the clock of a life begins to run, so that it is not killed while it only imports."""
    ours: bool = False
    durable: bool = False
    """Has a journal on disk."""
    protocol: str = "otlp"
    """`otlp`, `zipkin`, `udp`, or `relay` for a Collector that each span is handed to."""
    starts_early: bool = False
    """Whether it is set up before the clock begins to run, too: a server of its own takes a second to start."""

    @property
    def missing(self) -> str:
        """How to install what is missing here; empty when nothing is."""
        if self.protocol == "relay" and relay.missing():
            return relay.missing()
        absent = [package for module, package in self.needs.items() if importlib.util.find_spec(module) is None]
        return f"pip install {' '.join(absent)}" if absent else ""


OURS = (
    "tracebridge.client",
    "tracebridge.journal.disk",
    "tracebridge.journal.maintenance",
    "tracebridge_adapters.otlp_http",
    "tracebridge_adapters.formats.files.otlp_json_lines",
)
SUBJECTS = {
    "disk": Kind("tracebridge, journal on disk", Tracebridge, {}, OURS, ours=True, durable=True),
    "memory": Kind("tracebridge, journal in memory", Tracebridge, {}, OURS, ours=True),
    "opentelemetry": Kind(
        "OpenTelemetry SDK",
        OpenTelemetry,
        {"opentelemetry.sdk": "opentelemetry-sdk", "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http"},
        ("opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
    ),
    "jaeger-client": Kind("jaeger-client (UDP)", JaegerClient, {"jaeger_client": "jaeger-client", "six": "six"}, ("jaeger_client",), protocol="udp"),
    "py_zipkin": Kind("py_zipkin", PyZipkin, {"py_zipkin": "py-zipkin"}, ("py_zipkin.zipkin",), protocol="zipkin"),
    "collector": Kind("Collector 0.165.1, file_storage", relay.ThroughCollector, {}, (), durable=True, protocol="relay", starts_early=True),
    "collector-batch": Kind("the same, with its batch processor", relay.ThroughBatchingCollector, {}, (), durable=True, protocol="relay", starts_early=True),
}  # fmt: skip
