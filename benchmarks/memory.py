"""Memory: of an open span, of one that waits to be delivered, and of a process that goes on and on. Each in a process of its own."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import Case, Goal, child
from benchmarks.ours import ATTRIBUTES

COUNT = 10_000
SOAK = 40
SOAK_SPANS = 10_000
ANYTIME = {"flush_interval": "1h", "max_batch": 10_000_000}


def _bytes_each(make: Callable[[], Any]) -> float:
    """Bytes that Python holds more, for each of COUNT, after `make` has run than before."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    del kept
    return (after - before) / COUNT


def open_ours(attributes: bool) -> float:
    """Bytes of an open span of ours."""
    client = ours.client()
    root = client.start_trace("root")
    ours.spans(client, 100, ATTRIBUTES)()  # caches are filled
    given = ATTRIBUTES if attributes else None
    return _bytes_each(
        lambda: [client.start_span("operation", root.trace_id, root.span_id, attributes=given) for _ in range(COUNT)]
    )


def open_otel(attributes: bool) -> float:
    """Bytes of an open span of the SDK."""
    tracer = peers.otel_provider().get_tracer("benchmark")
    given = ATTRIBUTES if attributes else None
    peers.otel_spans(tracer, 100, given)()
    return _bytes_each(lambda: [tracer.start_span("operation", attributes=given) for _ in range(COUNT)])


def open_jaeger() -> float:
    """Bytes of an open span of jaeger-client."""
    tracer = peers.jaeger_tracer()
    return _bytes_each(lambda: [tracer.start_span("operation", tags=ATTRIBUTES) for _ in range(COUNT)])


def queued_ours() -> float:
    """Bytes of a span of ours that waits."""
    from tracebridge import Client

    client = Client(config={"adapters": {"memory": {"sending_queue": ANYTIME}}})
    ours.spans(client, 100, ATTRIBUTES)()
    return _bytes_each(ours.spans(client, COUNT, ATTRIBUTES))


def queued_otel() -> float:
    """Bytes of a span of the SDK that waits."""
    peers.otel_provider()
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    provider = TracerProvider()
    size = 2 * COUNT
    provider.add_span_processor(
        BatchSpanProcessor(ConsoleSpanExporter(), size, schedule_delay_millis=1e7, max_export_batch_size=size)
    )
    return _bytes_each(peers.otel_spans(provider.get_tracer("benchmark"), COUNT, ATTRIBUTES))


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _grown(one_round: Callable[[], object], settle: Callable[[], object]) -> float:
    """KiB by which the process is bigger at the end than after the first quarter."""
    middle = 0
    for number in range(SOAK):
        one_round()
        settle()
        if number == SOAK // 4:
            middle = _resident_kib()
    return float(_resident_kib() - middle)


def soak_ours() -> float:
    """Traces and spans with values that are all new, delivered and gone."""
    client = ours.client()

    def one_round() -> None:
        for n in range(SOAK_SPANS // 10):
            root = client.start_trace("root", attributes=ours.fresh_attributes(n))
            for m in range(9):
                client.start_span("operation", root.trace_id, root.span_id, attributes=ours.fresh_attributes(m)).end()
            root.end()

    return _grown(one_round, client.flush)


def soak_otel() -> float:
    """The same with the SDK."""
    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")

    def one_round() -> None:
        for n in range(SOAK_SPANS):
            tracer.start_span("operation", attributes=ours.fresh_attributes(n)).end()

    return _grown(one_round, provider.force_flush)


HERE, ROUNDS = "benchmarks.memory", 3

CASES = (
    Case("memory-open", {"tracebridge": child(f"{HERE}:open_ours", True), peers.SDK: child(f"{HERE}:open_otel", True), "jaeger-client": child(f"{HERE}:open_jaeger")},
         Goal(1 / 2.5, peers.SDK), "six attributes; the goal in bytes: at most 1,024", "bytes an open span", ROUNDS),
    Case("memory-open-bare", {"tracebridge": child(f"{HERE}:open_ours", False), peers.SDK: child(f"{HERE}:open_otel", False)},
         None, "no attributes", "bytes an open span", ROUNDS),
    Case("memory-queued", {"tracebridge": child(f"{HERE}:queued_ours"), peers.SDK: child(f"{HERE}:queued_otel")},
         None, "ended, not delivered yet", "bytes a span", ROUNDS),
    Case("memory-soak", {"tracebridge": child(f"{HERE}:soak_ours"), peers.SDK: child(f"{HERE}:soak_otel")},
         None, f"growth over the last {SOAK - SOAK // 4} of {SOAK} rounds of {SOAK_SPANS:,} spans; goal: flat", "KiB more", 1),
)  # fmt: skip
