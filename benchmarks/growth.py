"""What happens to the cost of a span as everything else grows. Each ratio compares with the smallest of the row."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import Case, Make, Run, in_process, in_thread
from benchmarks.ours import ATTRIBUTES

COUNT = 2_000  # spans a round
OPEN = (1, 100, 10_000, 100_000)
DEPTHS = (1, 10, 100, 1_000)
SIZES = (0, 1, 8, 32, 128)
ADAPTERS = (1, 3, 5)


def _open(count: int) -> Run:
    client = ours.client()
    root = client.start_trace("root")
    kept = [client.start_span("open", root.trace_id, root.span_id) for _ in range(count)]
    run: Any = in_thread(ours.spans(client, COUNT, ATTRIBUTES), COUNT, client.flush)
    run.kept = kept
    return run


def _otel_open(count: int) -> Run:
    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")
    run: Any = in_thread(peers.otel_spans(tracer, COUNT, ATTRIBUTES), COUNT, provider.force_flush)
    run.kept = [tracer.start_span("open") for _ in range(count)]
    return run


def _depth(depth: int) -> Run:
    """Spans under the last of a chain of `depth` open ones."""
    client = ours.client()
    span = client.start_trace("root")
    for _ in range(depth):
        span = client.start_span("deeper", span.trace_id, span.span_id)
    trace_id, parent_id = span.trace_id, span.span_id

    def one_round() -> None:
        for _ in range(COUNT):
            child = client.start_span("operation", trace_id, parent_id, attributes=ATTRIBUTES)
            client.end_span(trace_id, child.span_id)

    return in_thread(one_round, COUNT, client.flush)


def _many(size: int) -> dict[str, Any]:
    return {f"attribute.{n}": f"value {n}" for n in range(size)}


def _attributes(size: int) -> Run:
    client = ours.client()
    return in_thread(ours.spans(client, COUNT, _many(size)), COUNT, client.flush)


def _otel_attributes(size: int) -> Run:
    provider = peers.otel_provider()
    return in_thread(
        peers.otel_spans(provider.get_tracer("benchmark"), COUNT, _many(size)), COUNT, provider.force_flush
    )


def _adapters(count: int, whole: bool) -> Run:
    client = ours.client(count)
    measured = in_process if whole else in_thread
    return measured(ours.spans(client, COUNT, ATTRIBUTES), COUNT, client.flush)


def _otel_adapters(count: int) -> Run:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = peers.otel_provider()
    first = provider._active_span_processor._span_processors[0]
    for _ in range(count - 1):
        provider.add_span_processor(BatchSpanProcessor(first.span_exporter))
    return in_thread(peers.otel_spans(provider.get_tracer("benchmark"), COUNT, ATTRIBUTES), COUNT, provider.force_flush)


def _row(make: Any, who: str, what: str, numbers: tuple[int, ...], *extra: Any) -> dict[str, Make]:
    return {f"{who}, {n:,} {what}": partial(make, n, *extra) for n in numbers}


CASES = (
    Case("grow-open", {**_row(_open, "tracebridge", "open spans", OPEN), **_row(_otel_open, peers.SDK, "open spans", (1, 100_000))},
         None, "goal: flat"),
    Case("grow-depth", _row(_depth, "tracebridge", "deep", DEPTHS), None, "goal: flat"),
    Case("grow-attributes", {**_row(_attributes, "tracebridge", "attributes", SIZES), **_row(_otel_attributes, peers.SDK, "attributes", (0, 8, 128))},
         None, "goal: linear"),
    Case("grow-adapters", {**_row(_adapters, "tracebridge", "destinations", ADAPTERS, False), **_row(_otel_adapters, peers.SDK, "destinations", ADAPTERS)},
         None, "the calling thread; goal: flat, because the journal is shared"),
    Case("grow-adapters-whole", _row(_adapters, "tracebridge", "destinations", ADAPTERS, True), None, "all threads: each destination decodes for itself"),
)  # fmt: skip
