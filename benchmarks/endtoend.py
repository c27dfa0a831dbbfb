"""From call to a real receiver in another process: all the CPU that the sending process spends, for each span that arrived."""

from __future__ import annotations

import importlib
import time
from typing import Any

from benchmarks import sink
from benchmarks.harness import Case, Goal, Make, Run, in_child

SPANS = 10_000
AT_ONCE = 1_000  # spans before everybody waits for delivery: the SDK's queue of 2,048 would drop what comes faster
WARM_UP = 2_000
MISSING = 0.02  # share of the spans that may not arrive: UDP promises nothing


def cost(sender: str, ports: dict[str, int]) -> float:
    """µs of CPU, of all threads, for each span that arrived."""
    make, settle = getattr(importlib.import_module("benchmarks.senders"), sender)(ports)
    make(AT_ONCE)
    settle()
    before = _arrived(ports["http"])
    started = time.process_time()
    for _ in range(SPANS // AT_ONCE):
        make(AT_ONCE)
        settle()
    spent = time.process_time() - started
    arrived = _arrived(ports["http"]) - before
    if arrived < SPANS * (1 - MISSING):
        raise AssertionError(f"{sender}: {arrived} of {SPANS} spans arrived")
    return spent / arrived * 1e6


def _arrived(port: int) -> int:
    """Return the count once it stands still: what was sent last may still be on its way."""
    last = -1
    while (count := sink.arrived(port)) != last:
        last = count
        time.sleep(0.2)
    return count


def _sender(name: str) -> Make:
    def make() -> Run:
        ports: dict[str, Any] = sink.ports()
        in_child("benchmarks.endtoend:cost", name, ports)
        return lambda: float(in_child("benchmarks.endtoend:cost", name, ports))

    return make


HTTP, GRPC, ZIPKIN, PY_ZIPKIN, JAEGER = (
    "opentelemetry-sdk, OTLP over HTTP",
    "opentelemetry-sdk, OTLP over gRPC",
    "opentelemetry-sdk, Zipkin JSON",
    "py_zipkin",
    "jaeger-client",
)
UNIT, ROUNDS = "µs CPU of the sending process a span", 5

CASES = (
    Case(
        "end-to-end-otlp",
        {
            "tracebridge, OTLP over HTTP": _sender("bridge_otlp_http"),
            HTTP: _sender("sdk_otlp_http"),
            GRPC: _sender("sdk_otlp_grpc"),
            "tracebridge, OTLP over gRPC": _sender("bridge_otlp_grpc"),
        },
        Goal(1 / 7, HTTP),
        "default settings; every span arrived and was counted",
        UNIT,
        ROUNDS,
    ),
    Case(
        "end-to-end-otlp-new",
        {"tracebridge, OTLP over HTTP": _sender("bridge_otlp_http_new"), HTTP: _sender("sdk_otlp_http_new")},
        None,
        "every attribute value is new in its batch",
        UNIT,
        ROUNDS,
    ),
    Case(
        "end-to-end-grpc",
        {"tracebridge, OTLP over gRPC": _sender("bridge_otlp_grpc"), GRPC: _sender("sdk_otlp_grpc")},
        Goal(1 / 7, GRPC),
        "",
        UNIT,
        ROUNDS,
    ),
    Case(
        "end-to-end-zipkin",
        {
            "tracebridge, Zipkin JSON": _sender("bridge_zipkin"),
            ZIPKIN: _sender("sdk_zipkin"),
            PY_ZIPKIN: _sender("py_zipkin"),
        },
        Goal(1 / 7, ZIPKIN),
        "",
        UNIT,
        ROUNDS,
    ),
    Case(
        "end-to-end-jaeger",
        {"tracebridge, Thrift over UDP": _sender("bridge_jaeger"), JAEGER: _sender("jaeger_client")},
        Goal(1 / 7, JAEGER),
        "",
        UNIT,
        ROUNDS,
    ),
)
