"""Headers: what one request costs, in and out, beside OpenTelemetry's propagator of the same format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import SPANS, Case, Goal, Run, in_thread, peer

TRACEPARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
TRACESTATE = {**TRACEPARENT, "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"}
REQUEST = {
    "host": "shop.test", "user-agent": "curl/8", "accept": "*/*", "accept-encoding": "gzip", "connection": "close", "x-forwarded-for": "192.0.2.7",
    "content-type": "application/json", "content-length": "17", "authorization": "-", **TRACEPARENT,
}  # fmt: skip
ONLY = {"extract": ["tracecontext"], "inject": ["tracecontext"]}
OTEL, UNIT = "opentelemetry", "µs CPU a request"


def _repeated(call: Callable[[], Any]) -> Run:
    def one_round() -> None:
        for _ in range(SPANS):
            call()

    return in_thread(one_round)


def _client() -> Any:
    from tracebridge import Client

    return Client(config={"adapters": {"memory": {}}, "propagation": ONLY})


def _inject() -> Run:
    client = _client()
    root = client.start_trace("root")
    span = client.start_span("call", root.trace_id, root.span_id)
    return _repeated(lambda: client.inject(span, {}))


def _extract(headers: dict[str, str]) -> Run:
    client = _client()
    return _repeated(lambda: client.extract(headers))


def _propagator() -> Any:
    return peer("opentelemetry.trace.propagation.tracecontext", "opentelemetry-api").TraceContextTextMapPropagator()


def _otel_inject() -> Run:
    propagator = _propagator()
    trace = peer("opentelemetry.trace", "opentelemetry-api")
    sdk = peer("opentelemetry.sdk.trace", "opentelemetry-sdk")
    context = trace.set_span_in_context(sdk.TracerProvider().get_tracer("benchmark").start_span("call"))
    return _repeated(lambda: propagator.inject({}, context))


def _otel_extract(headers: dict[str, str]) -> Run:
    propagator = _propagator()
    return _repeated(lambda: propagator.extract(headers))


def _reading(name: str, headers: dict[str, str], goal: Goal | None, note: str) -> Case:
    contestants = {"tracebridge": lambda: _extract(headers), OTEL: lambda: _otel_extract(headers)}
    return Case(name, contestants, goal, note, UNIT)


CASES = (
    Case("inject", {"tracebridge": _inject, OTEL: _otel_inject}, Goal(1 / 4, OTEL), "traceparent", UNIT),
    _reading("extract", TRACEPARENT, Goal(1 / 4, OTEL), "traceparent"),
    _reading("extract-tracestate", TRACESTATE, None, "traceparent and tracestate"),
    _reading(
        "extract-request",
        REQUEST,
        None,
        "traceparent among nine others; ours takes names in any case, which OpenTelemetry's does not look for",
    ),
)
