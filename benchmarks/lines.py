"""Log lines: a span as one line, and what a processor adds to a line inside a span."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from benchmarks import ours
from benchmarks.encoding import BATCH, NEW, REPEATING
from benchmarks.harness import SPANS, Case, Goal, Run, in_thread

STRUCTLOG = "structlog"


def _writer() -> tuple[Any, bytes]:
    from tracebridge_adapters.formats.spanlog.writer import Writer

    writer = Writer(max_line_bytes=15_000)
    return writer, writer.numbering("benchmrk")


def _ours(fresh: bool) -> Run:
    writer, numbering = _writer()
    records = ours.records(fresh, BATCH)
    encode, sink = writer.encode, io.BytesIO()

    def one_round() -> None:
        sink.seek(0)
        for number, record in enumerate(records):
            sink.write(encode(record)[:-2] + numbering % number)

    return in_thread(one_round, BATCH)


def _structlog(fresh: bool) -> Run:
    import structlog

    writer, numbering = _writer()
    fields = [
        json.loads(writer.encode(record)[:-2] + numbering % n) for n, record in enumerate(ours.records(fresh, BATCH))
    ]
    for each in fields:
        for key in ("event", "level", "timestamp"):
            each.pop(key)
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
    sink = io.StringIO()
    logger = structlog.wrap_logger(structlog.PrintLogger(sink), processors=processors)

    def one_round() -> None:
        sink.seek(0)
        for each in fields:
            logger.info("span.end", **each)

    return in_thread(one_round, BATCH)


def _stamped(make: Callable[[], Callable[[Any, str, dict[str, Any]], Any]]) -> Run:
    from tracebridge import Client

    client = Client(config={"adapters": {"memory": {}}, "resource": {"attributes": {"service.name": "benchmark"}}})

    def run() -> float:
        with client.trace("root", trace_id="benchmark-trace"):
            process = make()

            def one_round() -> None:
                for _ in range(SPANS):
                    process(None, "info", {"event": "a line"})

            return in_thread(one_round)()

    return run


def _add_trace_context() -> Any:
    from tracebridge.logs import add_trace_context

    return add_trace_context


def _merge_contextvars() -> Any:
    import structlog

    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        trace_id="0" * 32, span_id="0" * 16, trace_flags="01", custom_trace_id="benchmark-trace", service="benchmark"
    )
    return structlog.contextvars.merge_contextvars


MERGE = "structlog's merge_contextvars"

CASES = (
    Case(
        "span-line",
        {"tracebridge": lambda: _ours(False), STRUCTLOG: lambda: _structlog(False)},
        Goal(1 / 4, STRUCTLOG),
        f"structlog's own JSON line of the same fields; {REPEATING}",
    ),
    Case(
        "span-line-new",
        {"tracebridge": lambda: _ours(True), STRUCTLOG: lambda: _structlog(True)},
        None,
        f"the same; {NEW}",
    ),
    Case(
        "log-context",
        {"tracebridge": lambda: _stamped(_add_trace_context), MERGE: lambda: _stamped(_merge_contextvars)},
        Goal(1, MERGE),
        "the same five fields on a line",
        unit="µs CPU a log line",
    ),
)
