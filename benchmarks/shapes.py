"""Other people's benchmarks: the shapes of OpenTelemetry Python's own, and the two scenarios of the OpenTelemetry specification.

The specification ("Performance Benchmark of OpenTelemetry API") asks for spans without a parent, one 64-bit attribute and one event,
each ended at once; and for spans with ten attributes of two 20-character strings. Its 10,000 spans a second are in `steady.py`.
"""

from __future__ import annotations

import uuid
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import SPANS, Case, Goal, Run, in_thread
from benchmarks.lifecycle import DISCARDED

RESOURCE = {"service.name": "A123456789", "service.version": "1.34567890", "service.instance.id": str(uuid.uuid4())}
TEN_OF_TWENTY = {f"attribute.{n:010}": f"value {n:014}" for n in range(10)}
SDKS_OWN = {"long.attribute": -1_000_000_000_100_000_000, "text.attribute": "text", "bool.attribute": False}


def _client() -> Any:
    return ours.client(resource={"attributes": RESOURCE})


def _root_spans(attributes: dict[str, Any], event: str | None) -> Run:
    from tracebridge import SpanEvent

    client = _client()

    def one_round() -> None:
        for _ in range(SPANS):
            span = client.start_trace("benchmarkedSpan", attributes=attributes)
            if event is not None:
                span.add_event(SpanEvent(event))
            client.end_trace(span.trace_id)

    return in_thread(one_round, settle=client.flush)


def _otel_root_spans(attributes: dict[str, Any], event: str | None) -> Run:
    provider = peers.otel_provider(resource=RESOURCE)
    tracer = provider.get_tracer("benchmark")

    def one_round() -> None:
        for _ in range(SPANS):
            span = tracer.start_span("benchmarkedSpan", attributes=attributes)
            if event is not None:
                span.add_event(event)
            span.end()

    return in_thread(one_round, settle=provider.force_flush)


def _current(attributes: dict[str, Any]) -> Run:
    from tracebridge import SpanEvent

    client = _client()

    def one_round() -> None:
        for _ in range(SPANS):
            with client.trace("benchmarkedSpan", attributes=attributes) as span:
                span.add_event(SpanEvent("benchmarkEvent"))

    return in_thread(one_round, settle=client.flush)


def _otel_current(attributes: dict[str, Any]) -> Run:
    provider = peers.otel_provider(resource=RESOURCE)
    tracer = provider.get_tracer("benchmark")

    def one_round() -> None:
        for _ in range(SPANS):
            with tracer.start_as_current_span("benchmarkedSpan", attributes=attributes) as span:
                span.add_event("benchmarkEvent")

    return in_thread(one_round, settle=provider.force_flush)


def _children(attributes: dict[str, Any]) -> Run:
    client = _client()
    return in_thread(ours.spans(client, SPANS, attributes), settle=client.flush)


def _otel_children(attributes: dict[str, Any]) -> Run:
    provider = peers.otel_provider(resource=RESOURCE)
    return in_thread(peers.otel_spans(provider.get_tracer("benchmark"), SPANS, attributes), settle=provider.force_flush)


INT64 = {"attribute": 2**62}

CASES = (
    Case(
        "shape-sdk-start-span",
        {
            "tracebridge": lambda: _root_spans(SDKS_OWN, "benchmarkEvent"),
            peers.SDK: lambda: _otel_root_spans(SDKS_OWN, "benchmarkEvent"),
        },
        None,
        f"as OpenTelemetry Python measures itself: a root, three attributes, an event; {DISCARDED}",
    ),
    Case(
        "shape-sdk-current-span",
        {"tracebridge": lambda: _current(SDKS_OWN), peers.SDK: lambda: _otel_current(SDKS_OWN)},
        None,
        "the same as the current span",
    ),
    Case(
        "shape-specification-span",
        {
            "tracebridge": lambda: _root_spans(INT64, "event"),
            peers.SDK: lambda: _otel_root_spans(INT64, "event"),
        },
        None,
        "a root, one 64-bit attribute, one event",
    ),
    Case(
        "shape-specification-throughput",
        {"tracebridge": lambda: _children(TEN_OF_TWENTY), peers.SDK: lambda: _otel_children(TEN_OF_TWENTY)},
        Goal(1 / 8, peers.SDK),
        "ten attributes of 20 characters each, names and values",
    ),
)
