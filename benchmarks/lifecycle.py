"""Start and end of one span: what the calling thread pays, with delivery running in the background at its defaults."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import SPANS, Case, Goal, Make, Run, in_process, in_thread, peer
from benchmarks.ours import ATTRIBUTES, INPUTS, OUTPUTS

PER_THREAD = 2_000
MLFLOW_SPANS = 100  # it takes a hundred times as long
DISCARDED = "both deliver in the background, default settings, to where nothing is kept"


def tracebridge(attributes: dict[str, Any] | None, inputs: Any = None, outputs: Any = None) -> Run:
    """Ours."""
    client = ours.client()
    return in_thread(ours.spans(client, SPANS, attributes, inputs, outputs), settle=client.flush)


def otel(attributes: dict[str, Any] | None) -> Run:
    """The OpenTelemetry SDK."""
    provider = peers.otel_provider()
    one_round = peers.otel_spans(provider.get_tracer("benchmark"), SPANS, attributes)
    return in_thread(one_round, settle=provider.force_flush)


def _jaeger(attributes: dict[str, Any] | None) -> Run:
    tracer = peers.jaeger_tracer()
    root = tracer.start_span("root")

    def one_round() -> None:
        for _ in range(SPANS):
            tracer.start_span("operation", child_of=root, tags=attributes).finish()

    return in_thread(one_round)


def _py_zipkin(attributes: dict[str, Any] | None) -> Run:
    return in_thread(peers.py_zipkin_spans(SPANS, attributes, lambda _: None))


def _mlflow(attributes: dict[str, Any] | None) -> Run:
    mlflow = peer("mlflow", "mlflow-skinny")
    peer("sqlalchemy", "mlflow-skinny sqlalchemy alembic")
    import tempfile

    mlflow.set_tracking_uri(f"sqlite:///{tempfile.mkdtemp(prefix='benchmark-')}/mlflow.db")
    client = mlflow.MlflowClient()

    def one_round() -> None:
        root = client.start_trace("root")
        for _ in range(MLFLOW_SPANS):
            span = client.start_span("operation", root.trace_id, root.span_id, attributes=attributes)
            client.end_span(root.trace_id, span.span_id)
        client.end_trace(root.trace_id)

    return in_thread(one_round, MLFLOW_SPANS)


def _contestants(attributes: dict[str, Any] | None) -> dict[str, Make]:
    return {
        "tracebridge": lambda: tracebridge(attributes),
        peers.SDK: lambda: otel(attributes),
        "jaeger-client (discards at once)": lambda: _jaeger(attributes),
        "py_zipkin (with its encoding)": lambda: _py_zipkin(attributes),
        "mlflow (with its export)": lambda: _mlflow(attributes),
    }


# ---------------------------------------------------------------------- other forms of the same


def _otel_payload() -> Run:
    """The SDK takes no nested values: applications set them as JSON text."""
    import json

    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")

    def one_round() -> None:
        for _ in range(SPANS):
            span = tracer.start_span("operation", attributes={**ATTRIBUTES, "input.value": json.dumps(INPUTS)})
            span.set_attribute("output.value", json.dumps(OUTPUTS))
            span.end()

    return in_thread(one_round, settle=provider.force_flush)


def _events(count: int = 2) -> Run:
    from tracebridge import SpanEvent

    client = ours.client()
    root = client.start_trace("root")

    def one_round() -> None:
        for _ in range(SPANS):
            span = client.start_span("operation", root.trace_id, root.span_id, attributes=ATTRIBUTES)
            for _ in range(count):
                span.add_event(SpanEvent("cache.miss", attributes={"key": "user:7"}))
            client.end_span(root.trace_id, span.span_id)

    return in_thread(one_round, settle=client.flush)


def _otel_events(count: int = 2) -> Run:
    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")

    def one_round() -> None:
        for _ in range(SPANS):
            span = tracer.start_span("operation", attributes=ATTRIBUTES)
            for _ in range(count):
                span.add_event("cache.miss", {"key": "user:7"})
            span.end()

    return in_thread(one_round, settle=provider.force_flush)


def _manager() -> Run:
    client = ours.client()

    def one_round() -> None:
        with client.trace("root"):
            for _ in range(SPANS):
                with client.span("operation", attributes=ATTRIBUTES):
                    pass

    return in_thread(one_round, settle=client.flush)


def _otel_manager() -> Run:
    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")

    def one_round() -> None:
        with tracer.start_as_current_span("root"):
            for _ in range(SPANS):
                with tracer.start_as_current_span("operation", attributes=ATTRIBUTES):
                    pass

    return in_thread(one_round, settle=provider.force_flush)


TASKS = 50


def _async() -> Run:
    client = ours.client()

    async def task() -> None:
        for _ in range(SPANS // TASKS):
            async with client.span("operation", attributes=ATTRIBUTES):
                await asyncio.sleep(0)

    async def main() -> None:
        async with client.trace("root"):
            await asyncio.gather(*(task() for _ in range(TASKS)))

    return in_thread(lambda: asyncio.run(main()), settle=client.flush)


def _otel_async() -> Run:
    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")

    async def task() -> None:
        for _ in range(SPANS // TASKS):
            with tracer.start_as_current_span("operation", attributes=ATTRIBUTES):
                await asyncio.sleep(0)

    async def main() -> None:
        with tracer.start_as_current_span("root"):
            await asyncio.gather(*(task() for _ in range(TASKS)))

    return in_thread(lambda: asyncio.run(main()), settle=provider.force_flush)


def _async_alone() -> Run:
    async def task() -> None:
        for _ in range(SPANS // TASKS):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(task() for _ in range(TASKS)))

    return in_thread(lambda: asyncio.run(main()))


# ---------------------------------------------------------------------- threads


def in_threads(count: int, one_round_of: Callable[[], Callable[[], None]], settle: Callable[[], object]) -> Run:
    """The CPU of so many threads that do the same at once, µs a span."""
    rounds = [one_round_of() for _ in range(count)]

    def one_round() -> None:
        threads = [threading.Thread(target=each) for each in rounds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        settle()

    return in_process(one_round, count * PER_THREAD)


def _threads(count: int) -> dict[str, Make]:
    def mine() -> Run:
        client = ours.client()
        return in_threads(count, lambda: ours.spans(client, PER_THREAD, ATTRIBUTES), client.flush)

    def theirs() -> Run:
        provider = peers.otel_provider()
        tracer = provider.get_tracer("benchmark")
        return in_threads(count, lambda: peers.otel_spans(tracer, PER_THREAD, ATTRIBUTES), provider.force_flush)

    return {"tracebridge": mine, peers.SDK: theirs}


def _two_clocks() -> Run:
    """What no tracing library can do without, for scale: two clock readings and two calls."""

    def one_round() -> None:
        for _ in range(SPANS):
            time.monotonic_ns()
            time.monotonic_ns()

    return in_thread(one_round)


CASES = (
    Case("lifecycle", _contestants(ATTRIBUTES), Goal(1 / 8, peers.SDK), f"six attributes; {DISCARDED}"),
    Case(
        "lifecycle-bare",
        {**_contestants(None), "two clock readings, for scale": _two_clocks},
        Goal(1 / 8, peers.SDK),
        f"no attributes; {DISCARDED}",
    ),
    Case(
        "lifecycle-payload",
        {"tracebridge": lambda: tracebridge(ATTRIBUTES, INPUTS, OUTPUTS), peers.SDK: _otel_payload},
        Goal(1 / 4, peers.SDK),
        "inputs and outputs with nested values; the SDK gets them as JSON text",
    ),
    Case("lifecycle-events", {"tracebridge": _events, peers.SDK: _otel_events}, Goal(1 / 4, peers.SDK), "two events"),
    Case("lifecycle-with", {"tracebridge": _manager, peers.SDK: _otel_manager}, Goal(1 / 5, peers.SDK), "`with` form"),
    Case(
        "lifecycle-async",
        {"tracebridge": _async, peers.SDK: _otel_async, "the tasks alone": _async_alone},
        None,
        "50 tasks that give way inside every span",
    ),
    *(
        Case(
            f"lifecycle-threads-{count}",
            _threads(count),
            Goal(1 / 6, peers.SDK),
            f"{count} threads at once; the CPU of all threads, delivery's included",
        )
        for count in (1, 4, 16)
    ),
)
