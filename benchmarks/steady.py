"""The specification's steady load: 10,000 spans a second into a real receiver, and the share of one core that the process takes."""

from __future__ import annotations

import importlib
import time
from typing import Any

from benchmarks import sink
from benchmarks.harness import Case, Goal, Make, Run, in_child

A_SECOND = 10_000
STEPS = 100  # a second, in each of which as many spans are made
SECONDS = 4


def share(sender: str, ports: dict[str, int]) -> float:
    """Percent of one core, over the time that SECONDS of load took."""
    make, settle = getattr(importlib.import_module("benchmarks.senders"), sender)(ports)
    make(A_SECOND // STEPS)
    settle()
    cpu = time.process_time()
    due = time.monotonic()
    for _ in range(SECONDS * STEPS):
        make(A_SECOND // STEPS)
        due += 1 / STEPS
        time.sleep(max(0.0, due - time.monotonic()))
    settle()
    return (time.process_time() - cpu) / SECONDS * 100


def _sender(name: str) -> Make:
    def make() -> Run:
        ports: dict[str, Any] = sink.ports()
        in_child("benchmarks.steady:share", name, ports)
        return lambda: float(in_child("benchmarks.steady:share", name, ports))

    return make


SDK = "opentelemetry-sdk, OTLP over HTTP"

CASES = (
    Case(
        "steady",
        {
            "tracebridge, OTLP over HTTP": _sender("bridge_otlp_http"),
            SDK: _sender("sdk_otlp_http"),
            "the loop alone": _sender("nothing"),
        },
        Goal(1 / 7, SDK),
        f"{A_SECOND:,} spans a second for {SECONDS} s",
        "% of one core",
        3,
    ),
)
