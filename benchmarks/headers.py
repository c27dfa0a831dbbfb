"""Headers: what one request costs, in and out, beside OpenTelemetry's propagator of the same format."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.cases import SPANS, Case, _peer

TRACEPARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
TRACESTATE = {**TRACEPARENT, "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"}
REQUEST = {
    "host": "shop.test", "user-agent": "curl/8", "accept": "*/*", "accept-encoding": "gzip", "connection": "close", "x-forwarded-for": "192.0.2.7",
    "content-type": "application/json", "content-length": "17", "authorization": "-", **TRACEPARENT,
}  # fmt: skip
ONLY = {"extract": ["tracecontext"], "inject": ["tracecontext"]}


def _timed(call: Callable[[], Any]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        for _ in range(SPANS):
            call()
        return (time.perf_counter() - started) / SPANS * 1e6

    return run


def _client() -> Any:
    from tracebridge import Client

    return Client(config={"adapters": {"memory": {}}, "propagation": ONLY})


def _inject() -> Callable[[], float]:
    client = _client()
    root = client.start_trace("root")
    span = client.start_span("call", root.trace_id, root.span_id)
    return _timed(lambda: client.inject(span, {}))


def _extract(headers: dict[str, str]) -> Callable[[], float]:
    client = _client()
    return _timed(lambda: client.extract(headers))


def _propagator() -> Any:
    return _peer("opentelemetry.trace.propagation.tracecontext", "opentelemetry-api").TraceContextTextMapPropagator()


def _otel_inject() -> Callable[[], float]:
    propagator = _propagator()
    trace, sdk = (
        _peer("opentelemetry.trace", "opentelemetry-api"),
        _peer("opentelemetry.sdk.trace", "opentelemetry-sdk"),
    )
    context = trace.set_span_in_context(sdk.TracerProvider().get_tracer("benchmark").start_span("call"))
    return _timed(lambda: propagator.inject({}, context))


def _otel_extract(headers: dict[str, str]) -> Callable[[], float]:
    propagator = _propagator()
    return _timed(lambda: propagator.extract(headers))


def _reading(name: str, headers: dict[str, str], goal: str) -> Case:
    contestants = {"tracebridge": lambda: _extract(headers), "opentelemetry": lambda: _otel_extract(headers)}
    return Case(name, goal, "µs a request", contestants)


CASES = {
    case.name: case
    for case in (
        Case(
            "inject",
            "at most 1/4 of OpenTelemetry's propagator (traceparent)",
            "µs a request",
            {"tracebridge": _inject, "opentelemetry": _otel_inject},
        ),
        _reading("extract", TRACEPARENT, "at most 1/4 of OpenTelemetry's propagator (traceparent)"),
        _reading("extract-tracestate", TRACESTATE, "no goal (traceparent and tracestate)"),
        _reading(
            "extract-request",
            REQUEST,
            "no goal (traceparent among nine others; names in any case, which OpenTelemetry's does not look for)",
        ),
    )
}
