"""What applications do: whole traces under IDs of their own, with values that no other span has, and delivery running meanwhile."""

from __future__ import annotations

import importlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import ours, peers, sink
from benchmarks.harness import Case, Goal, Make, Run, in_child

SPANS_OF_TRACE = 10
TRACES = 400
AT_ONCE = 1_000  # spans before everybody waits for delivery: the SDK's queue of 2,048 would drop what comes faster
WALL_SPANS = 10_000
PER_THREAD = 4_000
DISCARDED = "both deliver in the background, default settings, to where nothing is kept"

Values = list[dict[str, Any]]
"""The attributes of one trace's spans."""


def fresh_traces(spans: int) -> Iterator[list[tuple[str, Values]]]:
    """Rounds of traces, each an ID and the attributes of its spans: none of the values was there before."""
    number = itertools.count()
    while True:
        yield [
            (f"order-{n}", [ours.fresh_attributes(n * spans + k) for k in range(spans)])
            for n in itertools.islice(number, TRACES)
        ]


def trace_of_ours(client: Any, custom_id: str, values: Values) -> None:
    """One trace under the caller's own ID: a root and its children, each started and ended by IDs."""
    root = client.start_trace("request", trace_id=custom_id, attributes=values[0])
    trace_id, root_id = root.trace_id, root.span_id
    for attributes in values[1:]:
        span = client.start_span("operation", trace_id, root_id, attributes=attributes)
        client.end_span(trace_id, span.span_id)
    client.end_trace(trace_id)


def trace_of_sdk(tracer: Any, custom_id: str, values: Values) -> None:
    """The same with the SDK, which takes no ID of the caller's: it is an attribute there."""
    from opentelemetry.trace import set_span_in_context

    root = tracer.start_span("request", attributes={**values[0], "order.id": custom_id})
    context = set_span_in_context(root)
    for attributes in values[1:]:
        tracer.start_span("operation", context, attributes=attributes).end()
    root.end()


def _run(spans: int, trace: Callable[[str, Values], None], settle: Callable[[], object]) -> Run:
    """Return a run that tells the calling thread's CPU, µs a span; the values are made before it, unmeasured."""
    rounds = fresh_traces(spans)

    def run() -> float:
        traces = next(rounds)
        started = time.thread_time_ns()
        for custom_id, values in traces:
            trace(custom_id, values)
        spent = time.thread_time_ns() - started
        settle()
        return spent / (TRACES * spans) / 1e3

    return run


def mine(spans: int) -> Run:
    """Ours."""
    client = ours.client()
    return _run(spans, lambda custom_id, values: trace_of_ours(client, custom_id, values), client.flush)


def theirs(spans: int) -> Run:
    """The OpenTelemetry SDK's."""
    provider = peers.otel_provider()
    tracer = provider.get_tracer("benchmark")
    return _run(spans, lambda custom_id, values: trace_of_sdk(tracer, custom_id, values), provider.force_flush)


def wall(sender: str, ports: dict[str, int]) -> float:
    """µs of the clock on the wall that the calls of a span take while what came before is encoded and sent."""
    make, settle = getattr(importlib.import_module("benchmarks.senders"), sender)(ports)
    make(AT_ONCE)
    settle()
    spent = 0.0
    for _ in range(WALL_SPANS // AT_ONCE):
        started = time.perf_counter()
        make(AT_ONCE)
        spent += time.perf_counter() - started
        settle()
    return spent / WALL_SPANS * 1e6


def _wall(sender: str) -> Make:
    def make() -> Run:
        ports: dict[str, Any] = sink.ports()
        in_child("benchmarks.realistic:wall", sender, ports)
        return lambda: float(in_child("benchmarks.realistic:wall", sender, ports))

    return make


def threads(count: int, one_round_of: Callable[[], Callable[[], None]], settle: Callable[[], object]) -> Run:
    """The wall time of so many threads that do the same at once, µs a span of all of them: it halves where two scale."""
    rounds = [one_round_of() for _ in range(count)]

    def run() -> float:
        together = threading.Barrier(count + 1)

        def work(one_round: Callable[[], None]) -> None:
            together.wait()
            one_round()

        running = [threading.Thread(target=work, args=(each,)) for each in rounds]
        for thread in running:
            thread.start()
        together.wait()
        started = time.perf_counter()
        for thread in running:
            thread.join()
        spent = time.perf_counter() - started
        settle()
        return spent / (count * PER_THREAD) * 1e6

    return run


def _threads(count: int, sdk: bool) -> Make:
    def make() -> Run:
        if sdk:
            provider = peers.otel_provider()
            tracer = provider.get_tracer("benchmark")
            return threads(count, lambda: peers.otel_spans(tracer, PER_THREAD, ours.ATTRIBUTES), provider.force_flush)
        client = ours.client()
        return threads(count, lambda: ours.spans(client, PER_THREAD, ours.ATTRIBUTES), client.flush)

    return make


CASES = (
    Case(
        "traces-of-ten",
        {"tracebridge": lambda: mine(SPANS_OF_TRACE), peers.SDK: lambda: theirs(SPANS_OF_TRACE)},
        Goal(1 / 3, peers.SDK),
        f"ten spans a trace, the caller's own ID, values that are new; {DISCARDED}",
    ),
    Case(
        "traces-of-one",
        {"tracebridge": lambda: mine(1), peers.SDK: lambda: theirs(1)},
        Goal(1 / 1.4, peers.SDK),
        f"one span a trace under a text ID, values that are new; {DISCARDED}",
    ),
    Case(
        "wall-while-delivering",
        {
            "tracebridge, OTLP over HTTP": _wall("bridge_otlp_http"),
            "opentelemetry-sdk, OTLP over HTTP": _wall("sdk_otlp_http"),
        },
        None,
        "the clock on the wall, into a real receiver; a busy machine makes both slower",
        "µs of the wall a span",
        5,
    ),
    Case(
        "threads-wall",
        {
            "tracebridge, 2 threads": _threads(2, False),
            "tracebridge, 1 thread": _threads(1, False),
            f"{peers.SDK}, 2 threads": _threads(2, True),
            f"{peers.SDK}, 1 thread": _threads(1, True),
        },
        None,
        "whether two threads do more than one: half the time a span where they scale, which they can only without a global lock",
        "µs of the wall a span of all threads",
    ),
)
