"""On the disk when `end_span` returns: what `kill -9` leaves for the next process. No peer offers it."""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import Any

from benchmarks import lifecycle, ours, peers
from benchmarks.harness import SPANS, Case, Goal, Run, in_thread
from benchmarks.ours import ATTRIBUTES

OPEN_AT_A_TIME = 50  # as in a busy program


def _client() -> tuple[Any, Any]:
    folder = tempfile.mkdtemp(prefix="tracebridge-benchmark-")
    client = ours.client(journal={"directory": folder, "max_bytes": "1GiB"})

    def close() -> None:
        client.close(timeout_s=5)
        shutil.rmtree(folder, ignore_errors=True)

    return client, close


def _both() -> Run:
    client, close = _client()
    run: Any = in_thread(ours.spans(client, SPANS, ATTRIBUTES), settle=client.flush)
    run.close = close
    return run


def _ends() -> Run:
    client, close = _client()
    root = client.start_trace("root")

    def run() -> float:
        took = 0
        for _ in range(SPANS // OPEN_AT_A_TIME):
            spans = [
                client.start_span("operation", root.trace_id, root.span_id, attributes=ATTRIBUTES)
                for _ in range(OPEN_AT_A_TIME)
            ]
            started = time.thread_time_ns()
            for span in spans:
                client.end_span(root.trace_id, span.span_id)
            took += time.thread_time_ns() - started
        client.flush()
        return took / SPANS / 1e3

    run.close = close  # type: ignore[attr-defined]
    return run


IN_MEMORY = f"{peers.SDK}, start and end, in memory only"

CASES = (
    Case(
        "durable",
        {
            "tracebridge, start and end on the disk": _both,
            IN_MEMORY: lambda: lifecycle.otel(ATTRIBUTES),
            "tracebridge, start and end in memory": lambda: lifecycle.tracebridge(ATTRIBUTES),
        },
        Goal(1 / 6, IN_MEMORY),
        "both records of every span are in the mapped file when the call returns",
    ),
    Case(
        "durable-end",
        {"tracebridge, end on the disk": _ends, IN_MEMORY: lambda: lifecycle.otel(ATTRIBUTES)},
        Goal(1 / 6, IN_MEMORY),
        "only the end is timed",
    ),
)
