"""The current span's IDs on the application's other log lines, under logging configurations as people have them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.handlers
import queue
import subprocess
import sys
from typing import Any

import pytest
import structlog
from pythonjsonlogger.json import JsonFormatter

from tracebridge import Client
from tracebridge.logs import TraceContext, TraceContextFilter, add_trace_context
from tracebridge_adapters.formats.files.spanlog_writers import writer_of
from tracebridge_adapters.formats.spanlog.profiles import PROFILES

RESOURCE = {"attributes": {"service.name": "shop", "service.version": "1.2", "deployment.environment.name": "prod"}}


@pytest.fixture
def shop(make_client) -> Client:
    """A client with a service to name."""
    return make_client(resource=RESOURCE)


@pytest.fixture(autouse=True)
def plain_structlog():
    """No test leaves structlog configured."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def stamped(processor: Any = add_trace_context, **event: Any) -> dict[str, Any]:
    """What a processor makes of an event."""
    return dict(processor(None, "info", dict(event)))


def test_nothing_is_added_when_no_span_is_current(shop):
    """A span that was only started is not current; one that has ended is not either."""
    root = shop.start_trace("root")
    assert stamped(event="x") == {"event": "x"}
    with shop.span("ended", parent=root) as span:
        span.end()
        assert stamped(event="x") == {"event": "x"}
    root.end()


def test_the_innermost_span_is_stamped(shop):
    """Trace, span, flags, the caller's own ID, service; the outer span again once the inner one is left."""
    with shop.trace("root", trace_id="cart-7") as root:
        outer = {
            "trace_id": root.wire_trace_id, "span_id": root.span_id, "trace_flags": "01", "custom_trace_id": "cart-7", "service": "shop",
        }  # fmt: skip
        assert stamped() == outer
        with shop.span("inner") as inner:
            assert stamped() == {**outer, "span_id": inner.span_id}
        assert stamped() == outer


def test_a_trace_without_an_id_of_its_own_has_no_custom_id(shop):
    """Absent means absent."""
    with shop.trace("root"):
        assert "custom_trace_id" not in stamped()


def test_keys_that_are_there_stay(shop):
    """setdefault: the application knows better."""
    with shop.trace("root"):
        assert stamped(service="mine", trace_id="t")["service"] == "mine"
        assert stamped(service="mine", trace_id="t")["trace_id"] == "t"


def test_each_of_two_clients_stamps_its_own_service(shop, make_client):
    """The innermost span's client counts."""
    other = make_client(resource={"attributes": {"service.name": "other"}})
    with shop.trace("root"), other.trace("root"):
        assert stamped()["service"] == "other"


def test_tasks_and_threads_have_their_own(shop):
    """Each asyncio task stamps the span that it entered."""

    async def one(name: str) -> bool:
        async with shop.trace(name) as span:
            await asyncio.sleep(0)
            first = stamped()["span_id"]
            await asyncio.sleep(0)
            return first == span.span_id == stamped()["span_id"]

    async def both() -> list[bool]:
        return await asyncio.gather(*(one(f"task {n}") for n in range(20)))

    assert asyncio.run(both()) == [True] * 20


def test_a_task_that_outlives_the_block_stamps_its_parent(shop):
    """Its lines are found with the trace that they belong to."""

    async def late(left: asyncio.Event) -> dict[str, Any]:
        await left.wait()
        return stamped()

    async def main() -> tuple[dict[str, Any], dict[str, Any]]:
        left = asyncio.Event()
        with shop.trace("root", trace_id="cart-7"):
            expected, task = stamped(), asyncio.create_task(late(left))
            await asyncio.sleep(0)
        assert stamped() == {}
        left.set()
        return expected, await task

    expected, found = asyncio.run(main())
    assert expected == found


EXPECTED: dict[str, dict[str, Any]] = {
    "otel": {"trace_id": "T", "span_id": "S", "trace_flags": "01", "custom_trace_id": "cart-7", "service": "shop"},
    "ecs": {"trace.id": "T", "span.id": "S", "spanlog.custom_trace_id": "cart-7", "service.name": "shop"},
    "datadog": {
        "trace_id": "T", "span_id": "S", "trace_flags": "01", "custom_trace_id": "cart-7", "service": "shop", "dd.trace_id": "TD",
        "dd.span_id": "SD", "dd.service": "shop", "dd.env": "prod", "dd.version": "1.2",
    },
    "gcp": {
        "logging.googleapis.com/trace": "projects/p/traces/T", "logging.googleapis.com/spanId": "S",
        "logging.googleapis.com/trace_sampled": True, "custom_trace_id": "cart-7", "service": "shop",
    },
}  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_the_names_are_those_of_the_span_lines(shop, delivered, profile):
    """Key by key, value by value, what the same span's own line says."""
    with shop.trace("root", trace_id="cart-7") as root:
        found = stamped(TraceContext(profile, project="p" if profile == "gcp" else ""))
    trace, span = root.wire_trace_id, root.span_id
    named = {"T": trace, "S": span, "TD": str(int(trace[16:], 16)), "SD": str(int(span, 16)), "projects/p/traces/T": f"projects/p/traces/{trace}"}  # fmt: skip
    assert found == {key: named.get(value, value) for key, value in EXPECTED[profile].items()}
    (record,) = delivered(shop)
    line = json.loads(writer_of(profile, project="p" if profile == "gcp" else "").encode(record))
    assert found.items() <= line.items()


def test_an_unknown_profile_is_refused():
    """With the names that there are."""
    with pytest.raises(ValueError, match="'splunk' is not a profile: use one of otel, ecs, datadog, gcp"):
        TraceContext("splunk")  # type: ignore[arg-type]


# ---------------------------------------------------------------------- configurations


def test_structlog_over_the_standard_library(shop):
    """render_to_log_kwargs: the IDs travel as `extra` into the standard library's JSON formatter."""
    out = io.StringIO()
    logger = logging.getLogger("test.structlog")
    logger.propagate = False
    logger.handlers = [logging.StreamHandler(out)]
    logger.handlers[0].setFormatter(JsonFormatter())
    logger.setLevel(logging.INFO)
    structlog.configure(
        processors=[add_trace_context, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    with shop.trace("root") as root:
        structlog.get_logger("test.structlog").info("hello", n=1)
    line = json.loads(out.getvalue())
    assert (line["message"], line["n"], line["trace_id"]) == ("hello", 1, root.wire_trace_id)


def test_a_processor_formatter_stamps_structlogs_and_the_standard_librarys_lines(shop):
    """In `foreign_pre_chain` and in structlog's own chain."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[add_trace_context],
        )
    )
    logger = logging.getLogger("test.formatter")
    logger.propagate = False
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    structlog.configure(
        processors=[add_trace_context, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    with shop.trace("root") as root:
        structlog.get_logger("test.formatter").info("ours")
        logger.info("foreign")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["span_id"]) for line in lines] == [("ours", root.span_id), ("foreign", root.span_id)]


def configured(handler: logging.Handler, name: str) -> logging.Logger:
    """A logger with one handler, which has the filter."""
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    return logger


def test_a_plain_formatter_with_defaults(shop):
    """`%(trace_id)s`, and a dash where no span is current."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(trace_id)s %(message)s", defaults={"trace_id": "-"}))
    handler.addFilter(TraceContextFilter())
    logger = configured(handler, "test.plain")
    logger.info("before")
    with shop.trace("root") as root:
        logger.info("within")
    assert out.getvalue().splitlines() == ["- before", f"{root.wire_trace_id} within"]


def test_dotted_names_reach_formatters_too(shop):
    """As the profile datadog spells them."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("dd.span_id=%(dd.span_id)s", validate=False))
    handler.addFilter(TraceContextFilter("datadog"))
    logger = configured(handler, "test.dotted")
    with shop.trace("root") as root:
        logger.info("within")
    assert out.getvalue() == f"dd.span_id={int(root.span_id, 16)}\n"


def test_python_json_logger_shows_them_by_itself(shop):
    """Extra attributes of the record become keys; none when nothing is current."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(TraceContextFilter())
    logger = configured(handler, "test.json")
    logger.info("before")
    with shop.trace("root", trace_id="cart-7"):
        logger.info("within", extra={"service": "mine"})
    before, within = (json.loads(line) for line in out.getvalue().splitlines())
    assert before == {"message": "before"}
    assert (within["custom_trace_id"], within["service"]) == ("cart-7", "mine")


def test_a_queue_handler_stamps_in_the_thread_that_logs(shop):
    """The filter stands on the QueueHandler; the listener writes in a thread where no span is current."""
    out = io.StringIO()
    target = logging.StreamHandler(out)
    target.setFormatter(logging.Formatter("%(span_id)s"))
    waiting: queue.Queue[Any] = queue.Queue()
    handler = logging.handlers.QueueHandler(waiting)
    handler.addFilter(TraceContextFilter())
    listener = logging.handlers.QueueListener(waiting, target)
    listener.start()
    with shop.trace("root") as root:
        configured(handler, "test.queue").info("within")
    listener.stop()
    assert out.getvalue().strip() == root.span_id


# ---------------------------------------------------------------------- OpenTelemetry


def test_opentelemetrys_current_span_is_stamped(shop):
    """With its provider's service; a span of ours inside it wins, and it wins inside one of ours, in our trace."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider(resource=Resource({"service.name": "otel-shop"})).get_tracer("t")
    with tracer.start_as_current_span("theirs") as theirs:
        context = theirs.get_span_context()
        assert stamped() == {
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
            "trace_flags": f"{context.trace_flags:02x}",
            "service": "otel-shop",
        }
        with shop.trace("ours") as ours:
            assert stamped()["span_id"] == ours.span_id
    with shop.trace("ours", trace_id="cart-7") as ours, tracer.start_as_current_span("inner") as inner:
        found = stamped()
        assert (found["span_id"], found["trace_id"]) == (f"{inner.get_span_context().span_id:016x}", ours.wire_trace_id)
        assert found["custom_trace_id"] == "cart-7"


def test_neither_structlog_nor_opentelemetry_is_imported():
    """A program that has neither pays for neither."""
    program = "import sys, tracebridge.logs as logs; logs.add_trace_context(None, 'info', {}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"structlog", "opentelemetry"} & set(done.stdout.split())
