"""A wire ID from the caller's own ID, beside what a tracer does anyway when a trace starts. New texts every time: nothing is remembered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from benchmarks.cases import SPANS, Case, _otel_tracer, _timed

GOAL = "less than one start_span of the OpenTelemetry SDK, once per trace"
_serial = itertools.count(1)


def _keys() -> list[str]:
    return [f"user{n}_report_20260101_{n:08x}" for n in itertools.islice(_serial, SPANS)]


def _derived(scheme: str, texts: Callable[[], list[str]]) -> Callable[[], float]:
    from tracebridge.ids.identity import Identity
    from tracebridge.settings.model import TraceIdSettings

    wire = Identity(TraceIdSettings(scheme=scheme)).wire
    given: Iterator[list[str]] = iter([])

    def one_round() -> None:
        for text in next(given):
            wire(text)

    timed = _timed(one_round)

    def run() -> float:
        nonlocal given
        given = iter([texts()])  # made outside the time that counts
        return timed()

    return run


def _otel_start() -> Callable[[], float]:
    tracer = _otel_tracer()

    def one_round() -> None:
        for _ in range(SPANS):
            tracer.start_span("operation")

    return _timed(one_round)


def _hex() -> list[str]:
    return [f"{n:032x}" for n in itertools.islice(_serial, SPANS)]


def _uuids() -> list[str]:
    return [f"{n:08x}-0000-4000-8000-{n:012x}" for n in itertools.islice(_serial, SPANS)]


def _ulids() -> list[str]:
    return [f"01ARZ3NDEK{n:016d}" for n in itertools.islice(_serial, SPANS)]


CASES = {
    case.name: case
    for case in (
        Case(
            "wire-id",
            GOAL,
            "µs a trace ID",
            {
                "tracebridge": lambda: _derived("auto", _keys),
                "tracebridge, 32 hex digits": lambda: _derived("auto", _hex),
                "tracebridge, a UUID": lambda: _derived("auto", _uuids),
                "tracebridge, a ULID": lambda: _derived("ulid", _ulids),
                "opentelemetry-sdk, start_span": _otel_start,
            },
        ),
    )
}
