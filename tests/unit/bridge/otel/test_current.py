"""One tree with OpenTelemetry: what is current here is the parent there, and the other way round when asked."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Status, StatusCode

from tracebridge import TraceStack
from tracebridge.logs import add_trace_context
from tracebridge.otel.shadow import Shadow
from tracebridge.records.record import StatusCode as Code
from tracebridge.spans.context import current


@pytest.fixture(autouse=True)
def outside(caplog):
    """Every test starts and ends without a current span, with no provider set and no complaint of OpenTelemetry's."""
    provider = trace._TRACER_PROVIDER
    otel_context.attach(otel_context.Context())  # other tests may have left a span current on purpose
    current.set(None)
    yield
    assert trace.get_current_span() is INVALID_SPAN
    assert trace._TRACER_PROVIDER is provider
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


@pytest.fixture
def client(make_client):
    """A client with a memory adapter."""
    return make_client()


@pytest.fixture
def tracer(client):
    """An OpenTelemetry tracer of a provider that sends to the client; it is nobody's global."""
    provider = TracerProvider()
    provider.add_span_processor(client.source("opentelemetry"))
    return provider.get_tracer("library")


def tree(client: Any) -> dict[str, str | None]:
    """The name of each span's parent, by name; all spans are of one trace."""
    assert client.flush()
    records = client.adapter("memory").records
    assert len({record.trace_id for record in records}) == 1
    names = {record.span_id: record.name for record in records}
    return {record.name: None if record.parent_id is None else names[record.parent_id] for record in records}


def stamped() -> dict[str, Any]:
    """What a log line gets."""
    return dict(add_trace_context(None, "info", {}))


def test_spans_of_opentelemetry_are_children_of_the_current_span(client, tracer):
    """In the same trace, under the caller's own ID, at every depth."""
    with client.trace("job", trace_id="order-7"):
        tracer.start_span("a").end()
        with client.span("step"), tracer.start_as_current_span("b"):
            tracer.start_span("c").end()
        tracer.start_span("d").end()
    assert tree(client) == {"job": None, "a": "job", "step": "job", "b": "step", "c": "b", "d": "job"}
    assert {record.custom_trace_id for record in client.adapter("memory").records} == {"order-7"}
    assert {record.parent_is_remote for record in client.adapter("memory").records} == {False}


def test_what_instrumentation_sets_on_the_current_span_is_set_on_ours(client):
    """`get_current_span()` answers with a span that records."""
    with client.trace("job") as root:
        span = trace.get_current_span()
        assert span.is_recording()
        span.set_attribute("http.route", "/users")
        span.set_attributes({"n": 1})
        span.add_event("cache miss", {"key": "k"}, timestamp=root.start_time_ns + 5)
        span.add_link(span.get_span_context(), {"why": "self"})
        span.update_name("renamed")
        span.set_status(Status(StatusCode.UNSET))
        span.set_status(StatusCode.ERROR, "no luck")
        span.end()
        assert root.cause is None
    span.set_attribute("late", True)
    assert client.flush()
    (record,) = client.adapter("memory").records
    assert (record.name, record.attributes) == ("renamed", {"http.route": "/users", "n": 1})
    assert [(e.name, e.time_ns, e.attributes) for e in record.events] == [
        ("cache miss", record.start_time_ns + 5, {"key": "k"})
    ]
    assert [(k.trace_id, k.span_id, k.attributes) for k in record.links] == [
        (record.trace_id, record.span_id, {"why": "self"})
    ]
    assert (record.status, record.status_message) == (Code.ERROR, "no luck")
    assert client.stats().misuse == {}


def test_an_exception_recorded_through_opentelemetry_is_ours(client):
    """As with the span's own record_exception."""
    with client.trace("job"):
        trace.get_current_span().record_exception(ValueError("boom"), {"a": 1}, escaped=True)
    assert client.flush()
    (record,) = client.adapter("memory").records
    assert (record.status, record.status_message, record.events[0].name) == (
        Code.ERROR,
        "ValueError: boom",
        "exception",
    )


def test_a_remote_decision_and_trace_state_go_on(client):
    """What came with the trace is what OpenTelemetry hands on."""
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "tracestate": "vendor=1"}
    with client.trace("job", parent=client.extract(headers)) as root:
        context = trace.get_current_span().get_span_context()
    assert (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)) == ("a" * 32, root.span_id)
    assert (context.trace_flags, context.trace_state.to_header(), context.is_remote) == (0, "vendor=1", False)


def test_current_as_a_parent_is_opentelemetrys_span(client, tracer):
    """A trace of theirs goes on here, with its flags and its trace state, and not as a remote one."""
    with tracer.start_as_current_span("request") as request:
        with client.trace("job", parent="current"):
            client.start_span("implicit").end()
        client.start_trace("explicit", parent="current").end()
        client.start_span("explicit child", parent="current").end()
        with client.span("spanned", parent="current"):
            tracer.start_span("query").end()
        with client.trace("apart"):
            pass
    assert client.flush()
    apart = next(r for r in client.adapter("memory").records if r.name == "apart")
    client.adapter("memory").records.remove(apart)
    assert apart.trace_id != request.get_span_context().trace_id.to_bytes(16, "big")
    assert tree(client) == {
        "request": None,
        "job": "request",
        "implicit": "job",
        "explicit": "request",
        "explicit child": "request",
        "spanned": "request",
        "query": "spanned",
    }
    assert {record.parent_is_remote for record in client.adapter("memory").records} == {False}


def test_current_is_whichever_span_is_innermost(client, tracer):
    """Ours under theirs under ours: each asked for the current one gets the nearest."""
    with client.trace("job"), tracer.start_as_current_span("theirs"):
        with client.span("asked", parent="current"), client.span("deeper", parent="current"):
            pass
        client.start_span("explicit", parent="current").end()
        with client.span("not asked"):
            pass
    assert tree(client) == {
        "job": None,
        "theirs": "job",
        "asked": "theirs",
        "deeper": "asked",
        "explicit": "theirs",
        "not asked": "job",
    }


def test_without_anything_current_it_starts_a_trace(client):
    """Asking costs nothing where nobody is."""
    with client.span("alone", parent="current"):
        pass
    client.start_trace("root", parent="current").end()
    client.start_span("also a root", parent="current").end()
    assert client.flush()
    assert [record.parent_id for record in client.adapter("memory").records] == [None, None, None]


def test_without_anything_current_the_ids_decide(client):
    """The explicit parent is what is left."""
    root = client.start_trace("job", trace_id="batch-7")
    client.start_span("child", "batch-7", parent="current").end()
    root.end()
    assert tree(client) == {"job": None, "child": "job"}


def test_ours_is_current_for_itself_too(client):
    """Without any span of OpenTelemetry's."""
    with client.trace("job"):
        client.start_trace("segment", parent="current").end()
        with client.span("child", parent="current"):
            pass
    assert tree(client) == {"job": None, "segment": "job", "child": "job"}


def test_threads_have_trees_of_their_own(client, tracer):
    """A span made current in a thread is the parent there and nowhere else."""
    with client.trace("job") as root:

        def work(number: int) -> None:
            tracer_seen = trace.get_current_span()
            assert tracer_seen is INVALID_SPAN
            with client.span(f"worker {number}", parent=root):
                tracer.start_span(f"call {number}").end()

        with ThreadPoolExecutor(4) as pool:
            list(
                pool.map(lambda number: contextvars.Context().run(work, number), range(8))
            )  # what threads inherit is a setting
        tracer.start_span("after").end()
    assert tree(client) == {
        "job": None,
        "after": "job",
        **{f"worker {n}": "job" for n in range(8)},
        **{f"call {n}": f"worker {n}" for n in range(8)},
    }


def test_a_thread_with_a_copied_context_goes_on_in_the_tree(client, tracer):
    """`contextvars.copy_context` brings both libraries' current spans along."""
    with client.trace("job"):
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(lambda: tracer.start_span("call").end(),)
        )
        thread.start()
        thread.join()
    assert tree(client) == {"job": None, "call": "job"}


def test_asyncio_tasks_have_trees_of_their_own(client, tracer):
    """Interleaved tasks do not see each other's spans."""

    async def work(number: int) -> None:
        async with client.span(f"task {number}"):
            for step in range(3):
                await asyncio.sleep(0)
                with tracer.start_as_current_span(f"call {number}.{step}"):
                    await asyncio.sleep(0)

    async def main() -> None:
        async with client.trace("job"):
            await asyncio.gather(*(work(n) for n in range(5)))

    asyncio.run(main())
    assert tree(client) == {
        "job": None,
        **{f"task {n}": "job" for n in range(5)},
        **{f"call {n}.{s}": f"task {n}" for n in range(5) for s in range(3)},
    }


def test_a_task_that_outlives_the_block_keeps_its_parent(client, tracer):
    """What was started under a span is under it, also when it ends later; their spans and ours alike."""

    async def main() -> None:
        ready = asyncio.Event()

        async def late() -> None:
            await ready.wait()
            tracer.start_span("theirs").end()
            with client.span("ours"), tracer.start_as_current_span("between"):
                client.start_span("asked", parent="current").end()
            client.start_trace("segment", parent="current").end()

        with client.trace("job", trace_id="order-7"):
            task = asyncio.create_task(late())
            await asyncio.sleep(0)
        ready.set()
        await task

    asyncio.run(main())
    assert tree(client) == {
        "job": None,
        "theirs": "job",
        "ours": "job",
        "between": "ours",
        "asked": "between",
        "segment": "job",
    }
    ours = [record for record in client.adapter("memory").records if record.name != "theirs"]
    assert {record.custom_trace_id for record in ours} == {"order-7"}


def shadows() -> int:
    """How many spans of ours OpenTelemetry's context leads to."""
    count, there = 0, trace.get_current_span()
    while isinstance(there, Shadow):
        count, there = count + 1, there.before
    return count


def test_a_generator_that_is_left_behind_is_nobodys_parent(client, tracer):
    """The event loop closes it in a context of its own; nothing of it stays, here or with OpenTelemetry."""

    async def pages():
        with client.span("pages"):
            yield 1
            yield 2

    async def main() -> None:
        otel_context.attach(baggage.set_baggage("user", "ada"))
        for _ in range(20):
            async for _page in pages():
                break
            await asyncio.sleep(0)
            assert shadows() <= 3
        while client.stats().open:
            await asyncio.sleep(0)
        tracer.start_span("theirs").end()
        with client.span("ours"):
            assert (shadows(), baggage.get_baggage("user")) == (1, "ada")
        assert (shadows(), baggage.get_baggage("user")) == (0, "ada")

    asyncio.run(main())
    assert client.flush()
    after = [record for record in client.adapter("memory").records if record.name != "pages"]
    assert [(record.name, record.parent_id) for record in after] == [("theirs", None), ("ours", None)]


def test_what_another_thread_leaves_is_nobodys_parent(client, tracer):
    """As when a server finishes a response in another thread than it began it."""
    manager = client.span("request")
    manager.__enter__()
    thread = threading.Thread(target=manager.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert stamped() == {}
    tracer.start_span("theirs").end()
    client.start_span("asked", parent="current").end()
    with client.span("ours"):
        pass
    assert client.flush()
    assert [record.parent_id for record in client.adapter("memory").records] == [None] * 4
    assert trace.get_current_span() is INVALID_SPAN


def test_separate_spans_are_stamped_on_log_lines(make_client):
    """Where OpenTelemetry is not told of our spans, nobody knows which stands inside which: log lines are ours, who asks gets theirs."""
    client = make_client(opentelemetry={"current_span": "separate"})
    with TracerProvider().get_tracer("t").start_as_current_span("theirs") as theirs:
        assert stamped()["span_id"] == trace.format_span_id(theirs.get_span_context().span_id)
        with client.trace("ours") as ours:
            assert stamped()["span_id"] == ours.span_id
            with client.span("asked", parent="current") as asked:
                assert asked.parent_id == trace.format_span_id(theirs.get_span_context().span_id)


@pytest.mark.parametrize("answer", [None, RuntimeError("no context today")])
def test_a_strangers_span_that_has_no_context_is_nobodys_trouble(client, answer):
    """Log lines have the span of ours, and who asks for the current span gets it."""

    class Odd(NonRecordingSpan):
        def get_span_context(self) -> Any:
            if answer is not None:
                raise answer

    with client.trace("job") as job:
        token = otel_context.attach(trace.set_span_in_context(Odd(INVALID_SPAN.get_span_context())))
        assert stamped()["span_id"] == job.span_id
        client.start_span("child", parent="current").end()
        client.start_trace("segment", parent="current").end()
        otel_context.detach(token)
    assert stamped() == {}
    assert tree(client) == {"child": "job", "segment": "job", "job": None}


def test_an_async_generator_closed_in_another_context_complains_to_nobody(client, tracer):
    """The case in which OpenTelemetry's own context manager logs "Failed to detach context"."""

    async def pages():
        with client.span("pages"):
            for number in range(3):
                tracer.start_span(f"page {number}").end()
                yield number

    async def main() -> None:
        with client.trace("job"):
            generator = pages()
            await asyncio.create_task(generator.__anext__())
            await asyncio.create_task(generator.aclose())
            tracer.start_span("after").end()

    asyncio.run(main())
    assert tree(client) == {"job": None, "pages": "job", "page 0": "pages", "after": "job"}


def test_left_out_of_order_nobody_is_anybodys_wrong_parent(client, tracer):
    """A context that somebody's detach restores after our span was left does not make strangers our children."""
    ours = client.trace("ours")
    ours.__enter__()
    theirs = trace.use_span(tracer.start_span("theirs"), end_on_exit=True)
    theirs.__enter__()
    ours.__exit__(None, None, None)
    theirs.__exit__(None, None, None)  # restores the context in which ours was current
    with tracer.start_as_current_span("stranger") as stranger:
        assert stranger.parent is None
    assert trace.get_current_span().get_span_context() == INVALID_SPAN.get_span_context()
    otel_context.attach(otel_context.Context())


def test_baggage_that_was_added_meanwhile_stays(client):
    """Leaving takes our span out of the context and nothing else."""
    ours = client.trace("ours")
    ours.__enter__()
    token = otel_context.attach(baggage.set_baggage("user", "ada"))
    ours.__exit__(None, None, None)
    assert baggage.get_baggage("user") == "ada"
    assert trace.get_current_span() is INVALID_SPAN
    otel_context.detach(token)
    otel_context.attach(otel_context.Context())


def test_a_trace_stack_takes_part(client, tracer):
    """What push makes current is the parent until pop."""
    stack = TraceStack(client)
    stack.push("job")
    stack.push("step")
    tracer.start_span("call").end()
    stack.pop()
    tracer.start_span("next").end()
    stack.pop()
    assert tree(client) == {"job": None, "step": "job", "call": "step", "next": "job"}


def test_two_clients_do_not_mix_their_traces(make_client):
    """The innermost span is the current one, whoever's it is."""
    one, two = make_client(), make_client()
    with one.trace("one") as first, two.trace("two", parent="current") as second:
        assert second.wire_trace_id == first.wire_trace_id
        assert trace.get_current_span().get_span_context().span_id == int(second.span_id, 16)
        with one.span("inner", parent="current") as inner:
            assert inner.parent_id == second.span_id


def test_it_can_be_switched_off(make_client):
    """`opentelemetry: {current_span: separate}` leaves OpenTelemetry's context alone; asking still works."""
    client = make_client(opentelemetry={"current_span": "separate"})
    theirs = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    with client.trace("job"):
        assert trace.get_current_span() is INVALID_SPAN
        provider.get_tracer("t").start_span("call").end()
    assert theirs.get_finished_spans()[0].parent is None
    with (
        provider.get_tracer("t").start_as_current_span("request") as request,
        client.trace("job", parent="current") as root,
    ):
        assert int(root.wire_trace_id, 16) == request.get_span_context().trace_id


def test_opentelemetry_is_not_imported_for_this():
    """A process without it stays without it."""
    program = """
import sys
from tracebridge import Client
client = Client(config={"adapters": {"memory": {}}})
with client.trace("job"), client.span("step", parent="current"):
    pass
client.close()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_context_that_cannot_be_set_costs_no_span(client, monkeypatch, caplog):
    """OpenTelemetry's context implementation is replaceable, and a bad one is not the caller's trouble."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("no context today")

    caplog.set_level(logging.WARNING, "tracebridge")
    monkeypatch.setattr(otel_context, "attach", broken)
    with client.trace("job"), client.span("step"):
        pass
    monkeypatch.undo()
    assert tree(client) == {"job": None, "step": "job"}
    assert client.stats().misuse == {"internal_error": 2}
