"""A wire ID from the caller's own ID, beside what a tracer does anyway when a trace starts. New texts every time: nothing is remembered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from benchmarks import peers
from benchmarks.harness import SPANS, Case, Goal, Run, in_thread

OTEL_START = "opentelemetry-sdk, start_span"
_serial = itertools.count(1)


def _keys() -> list[str]:
    return [f"user{n}_report_20260101_{n:08x}" for n in itertools.islice(_serial, SPANS)]


def _derived(scheme: str, texts: Callable[[], list[str]]) -> Run:
    from tracebridge.ids.identity import Identity
    from tracebridge.settings.model import TraceIdSettings

    wire = Identity(TraceIdSettings(scheme=scheme)).wire
    given: Iterator[list[str]] = iter([])

    def one_round() -> None:
        for text in next(given):
            wire(text)

    timed = in_thread(one_round)

    def run() -> float:
        nonlocal given
        given = iter([texts()])  # made outside the time that counts
        return timed()

    return run


def _otel_start() -> Run:
    tracer = peers.otel_provider().get_tracer("benchmark")

    def one_round() -> None:
        for _ in range(SPANS):
            tracer.start_span("operation")

    return in_thread(one_round)


def _hex() -> list[str]:
    return [f"{n:032x}" for n in itertools.islice(_serial, SPANS)]


def _uuids() -> list[str]:
    return [f"{n:08x}-0000-4000-8000-{n:012x}" for n in itertools.islice(_serial, SPANS)]


def _ulids() -> list[str]:
    return [f"01ARZ3NDEK{n:016d}" for n in itertools.islice(_serial, SPANS)]


CASES = (
    Case(
        "wire-id",
        {
            "tracebridge": lambda: _derived("auto", _keys),
            "tracebridge, 32 hex digits": lambda: _derived("auto", _hex),
            "tracebridge, a UUID": lambda: _derived("auto", _uuids),
            "tracebridge, a ULID": lambda: _derived("ulid", _ulids),
            OTEL_START: _otel_start,
        },
        Goal(1, OTEL_START),
        "once a trace",
        "µs CPU a trace ID",
    ),
)
