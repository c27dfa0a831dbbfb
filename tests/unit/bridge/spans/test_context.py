"""Context managers and the stack: the current span, per thread and per task."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import Any

import pytest

import tracebridge.spans.context
from tracebridge import TraceStack
from tracebridge.process.threads import background
from tracebridge.spans.context import Frame, current, enter, innermost_span, leave


def parents(records):
    """Parent names by span name."""
    names = {record.span_id: record.name for record in records}
    return {record.name: names.get(record.parent_id) for record in records}


def test_nested_spans_find_their_parents(client, delivered):
    """with inside with is child inside parent."""
    with client.trace("a"), client.span("b"), client.span("c"):
        pass
    assert parents(delivered(client)) == {"a": None, "b": "a", "c": "b"}


def test_an_exception_is_recorded_and_goes_on(client, delivered):
    """The caller sees its own exception; the span has it as an event and an ERROR."""
    with pytest.raises(ValueError, match="boom"), client.trace("a"):
        raise ValueError("boom")
    (record,) = delivered(client)
    assert (record.status, record.status_message, record.events[0].attributes["exception.message"]) == (
        2,
        "ValueError: boom",
        "boom",
    )


def test_a_span_without_any_parent_starts_a_trace(client, delivered):
    """client.span at the top is a root of its own."""
    with client.span("alone"):
        pass
    assert delivered(client)[0].parent_id is None


def test_an_explicit_parent_wins_over_the_current_span(client, delivered):
    """parent= takes a span, of another trace too."""
    other = client.start_trace("other")
    with client.trace("a"), client.span("b", parent=other):
        pass
    other.end()
    assert parents(delivered(client))["b"] == "other"


def test_ending_inside_the_block_is_allowed(client, delivered):
    """The block's end then does nothing, and counts nothing."""
    with client.trace("a") as root:
        root.end(outputs=1)
    assert (delivered(client)[0].outputs, client.stats().misuse) == (1, {})


def test_threads_do_not_see_each_others_current_span(client):
    """A thread with an empty context, as every new one has unless Python lets it inherit its creator's, starts without a current span."""
    seen = []
    with client.trace("a") as root:

        def work() -> None:
            with client.span("b") as span:
                seen.append(span.trace_id == root.trace_id)

        thread = threading.Thread(target=contextvars.Context().run, args=(work,))
        thread.start()
        thread.join()
    assert seen == [False]


def test_tasks_inherit_and_do_not_disturb_each_other(client, delivered):
    """Each task nests under what was current when it started, whatever the others do meanwhile."""

    async def work(name: str) -> None:
        async with client.span(name):
            await asyncio.sleep(0)
            async with client.span(f"{name}.inner"):
                await asyncio.sleep(0)

    async def main() -> None:
        async with client.trace("root"):
            await asyncio.gather(work("x"), work("y"))

    asyncio.run(main())
    assert parents(delivered(client)) == {"root": None, "x": "root", "y": "root", "x.inner": "x", "y.inner": "y"}


def test_a_generator_may_leave_in_another_context(client, delivered):
    """Closing a span in another context than it was entered in never fails."""

    def steps():
        with client.span("generator"):
            yield

    generator = steps()
    contextvars.copy_context().run(next, generator)
    thread = threading.Thread(target=generator.close)
    thread.start()
    thread.join()
    assert [(r.name, r.status) for r in delivered(client)] == [("generator", 1)]


def test_two_clients_do_not_see_each_others_current_span(make_client):
    """Nothing is global."""
    one, two = make_client(), make_client()
    with one.trace("a") as a, two.trace("b") as b:
        assert one.start_span("c", a.trace_id).parent_id == a.span_id
        with two.span("d") as d:
            assert d.parent_id == b.span_id


def test_the_stack_pushes_and_pops(client, delivered):
    """push starts a child of the current span, pop ends the newest."""
    stack = TraceStack(client)
    root = stack.push("a", trace_id="job-7", inputs=1)
    stack.push("b", attributes={"k": 1})
    assert (len(stack), stack.current.name, root.trace_id) == (2, "b", "job-7")
    stack.pop(outputs="x")
    stack.pop(status="ERROR")
    assert [(r.name, r.outputs, r.status) for r in delivered(client)] == [("b", "x", 1), ("a", None, 2)]


def test_popping_an_empty_stack_is_harmless(client):
    """It returns None and is counted."""
    assert TraceStack(client).pop() is None
    assert client.stats().misuse == {"pop_of_empty_stack": 1}


def test_the_stack_is_safe_across_tasks(client, delivered):
    """Each task pops what it pushed."""
    stack = TraceStack(client)

    async def work(name: str) -> None:
        stack.push(name)
        await asyncio.sleep(0)
        stack.push(f"{name}.inner")
        await asyncio.sleep(0)
        assert stack.pop().name == f"{name}.inner"
        assert stack.pop().name == name

    async def main() -> None:
        await asyncio.gather(*(work(f"t{n}") for n in range(10)))

    asyncio.run(main())
    found = parents(delivered(client))
    assert found == {f"t{n}": None for n in range(10)} | {f"t{n}.inner": f"t{n}" for n in range(10)}


def frames() -> int:
    """How many frames this context keeps."""
    count, frame = 0, current.get()
    while frame is not None:
        count, frame = count + 1, frame.before
    return count


def test_generators_that_are_left_behind_leave_nothing(client, delivered):
    """The event loop closes them in a context of its own: their frames go, and later spans are not their children."""

    async def pages():
        with client.span("pages"):
            yield 1
            yield 2

    async def main() -> list[int]:
        before, kept = frames(), []
        for _ in range(100):
            async for _page in pages():
                break
            await asyncio.sleep(0)  # the last one is only being closed: it lies below the next
            kept.append(frames() - before)
        while client.stats().open:
            await asyncio.sleep(0)
        with client.span("after"):
            kept.append(frames() - before)
        return kept

    kept = asyncio.run(main())
    assert (max(kept) <= 3, kept[-1]) == (True, 1)
    assert parents(delivered(client))["after"] is None


def test_what_is_left_behind_goes_when_somebody_looks(client):
    """A task that only logs from then on does not look through it at each line."""

    async def pages():
        with client.span("pages"):
            yield 1

    async def main() -> int:
        before = frames()
        for _ in range(100):
            async for _page in pages():
                break
        while client.stats().open:
            await asyncio.sleep(0)
        assert innermost_span() is None
        return frames() - before

    assert asyncio.run(main()) <= 1


def test_what_another_thread_leaves_is_gone_here(client):
    """As when a server finishes a response in another thread than it began it."""
    before = frames()
    for _ in range(3):
        manager = client.span("request")
        manager.__enter__()
        thread = threading.Thread(target=manager.__exit__, args=(None, None, None))
        thread.start()
        thread.join()
    assert frames() == before + 1
    with client.span("after") as after:
        assert (frames(), after.parent_id) == (before + 1, None)
    assert frames() == before


def test_leaving_in_another_order_brings_nothing_back(client):
    """The frame that was current when the inner one was entered is gone by then."""
    outer, inner = client.trace("outer"), client.span("inner")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    with client.span("after") as after:
        assert after.parent_id is None


def test_a_task_that_outlives_the_block_keeps_its_parent(client, delivered):
    """In the finished trace, under the caller's own ID, by every call that looks for the current span."""

    async def late(left: asyncio.Event, ids: tuple[str, str]) -> None:
        await left.wait()
        with client.span("span"):
            client.start_span("implicit").end()
        client.start_span("current", parent="current").end()
        with client.trace("segment", parent="current"):
            pass
        stack = TraceStack(client)
        stack.push("pushed")
        stack.pop()
        carried = client.extract(client.inject(None, {}))
        assert (carried.trace_id, carried.span_id) == ids
        with client.trace("apart"):
            pass

    async def main() -> None:
        left = asyncio.Event()
        with client.trace("root", trace_id="T"), client.span("inner") as inner:
            task = asyncio.create_task(late(left, (inner.wire_trace_id, inner.span_id)))
            await asyncio.sleep(0)
        with client.span("here"):
            pass
        left.set()
        await task

    asyncio.run(main())
    records = delivered(client)
    under_inner = ("span", "current", "segment", "pushed")
    assert parents(records) == {
        "root": None, "inner": "root", "here": None, "implicit": "span", "apart": None, **dict.fromkeys(under_inner, "inner"),
    }  # fmt: skip
    (trace_id,) = {record.trace_id for record in records if record.name == "root"}
    assert {record.name for record in records if record.trace_id != trace_id} == {"here", "apart"}
    assert {record.custom_trace_id for record in records if record.trace_id == trace_id} == {"T"}
    assert client.stats().misuse == {}


def test_a_task_that_outlives_the_block_keeps_its_parent_while_the_trace_goes_on(client, delivered):
    """The inner block is over, the outer one is not."""

    async def late(left: asyncio.Event) -> None:
        await left.wait()
        with client.span("late"):
            pass

    async def main() -> None:
        left = asyncio.Event()
        with client.trace("root"):
            with client.span("inner"):
                task = asyncio.create_task(late(left))
                await asyncio.sleep(0)
            left.set()
            await task

    asyncio.run(main())
    assert parents(delivered(client)) == {"root": None, "inner": "root", "late": "inner"}


def test_a_parent_that_is_outlived_is_never_forgotten(client, delivered):
    """However many spans of its trace have ended since."""
    with client.trace("root") as root, client.span("inner"):
        outliving = contextvars.copy_context()
    root._trace.ended.young.clear()
    outliving.run(lambda: client.span("late").__enter__().end())
    assert parents(delivered(client))["late"] == "inner"


def test_a_trace_id_is_free_again_while_a_late_span_is_open(client, delivered):
    """What outlives a trace is no root of it."""
    with client.trace("root", trace_id="T"):
        outliving = contextvars.copy_context()
    late = outliving.run(client.start_span, "late", parent="current")
    with client.trace("again", trace_id="T"):
        late.end()
    assert parents(delivered(client)) == {"root": None, "late": "root", "again": None}
    assert client.stats().misuse == {}


def test_a_span_that_the_garbage_collector_leaves_meanwhile_is_nobodys_parent(client, monkeypatch):
    """It closes a generator that is part of a cycle whenever it likes: here, while the next span is entered."""

    def collected(*arguments):
        gc.collect()
        return Frame(*arguments)

    class Reader:
        def __init__(self) -> None:
            self.pages = self.read()
            next(self.pages)

        def read(self):
            with client.span("read"):
                yield self  # the cycle

    manager = client.span("next")
    before = frames()
    begin = client.start_trace("next")
    gc.disable()
    try:
        Reader()
        with monkeypatch.context() as patch:
            patch.setattr(tracebridge.spans.context, "Frame", collected)
            enter(client, begin, manager)
    finally:
        gc.enable()
        entered = frames()
        leave(manager)
        begin.end()
    assert entered == before + 1
    with client.span("after") as after:
        assert (after.parent_id, frames()) == (None, before + 1)


def in_thread_that_inherits(call):
    """Run something in a thread that starts with a copy of this context, as every thread does under `-X thread_inherit_context=1`."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(call,))
    thread.start()
    thread.join(60)


def test_a_finished_span_is_never_current_in_another_thread(client, delivered):
    """A pool's thread that was started within a request inherits its context, and serves others for the rest of its life."""
    begin, done = threading.Event(), threading.Event()
    seen: list[Any] = []

    def pool() -> None:
        with client.span("job of the first request"):
            seen.append(innermost_span().name)
        done.set()
        begin.wait(60)
        seen.append(innermost_span())
        with client.span("job of a later request"):
            seen.append(innermost_span().name)
        with client.span("parent=current", parent="current"):
            pass

    with client.trace("first request"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(pool,))
        thread.start()
        done.wait(60)
    begin.set()
    thread.join(60)
    assert seen == ["job of the first request", None, "job of a later request"]
    assert parents(delivered(client)) == {
        "first request": None,
        "job of the first request": "first request",
        "job of a later request": None,
        "parent=current": None,
    }


def test_what_the_current_span_was_before_a_finished_one_counts_in_another_thread(client, delivered):
    """The outer span is open: it is the parent."""

    def work() -> None:
        with client.span("work"):
            pass

    with client.trace("outer"):
        with client.span("inner"):
            context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(work,))
        thread.start()
        thread.join(60)
    assert parents(delivered(client))["work"] == "outer"


def test_a_task_that_outlives_its_block_keeps_its_parent_a_thread_of_it_does_not(client, delivered):
    """The task belongs to the block that started it; which block a thread belongs to nobody can say."""

    async def task(left: asyncio.Event) -> None:
        await left.wait()
        with client.span("in the task"):
            pass
        await asyncio.to_thread(lambda: client.span("in a thread").__enter__().end())

    async def main() -> None:
        left = asyncio.Event()
        with client.trace("root"):
            going = asyncio.create_task(task(left))
            await asyncio.sleep(0)
        left.set()
        await going

    asyncio.run(main())
    assert parents(delivered(client)) == {"root": None, "in the task": "root", "in a thread": None}


def test_a_thread_that_gets_the_number_of_the_one_that_left_is_another(client):
    """Numbers of threads are given again: the second one here most likely has the first one's."""
    contexts: list[Any] = []

    def first() -> None:
        with client.trace("first"):
            contexts.append(contextvars.copy_context())

    def second() -> None:
        contexts.append(contexts[0].run(innermost_span))

    for call in (first, second):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(60)
    assert contexts[1] is None


def test_opentelemetrys_current_span_in_such_a_thread_is_not_the_finished_one(client):
    """What is shown there follows."""
    otel = pytest.importorskip("opentelemetry.trace")
    left, seen = threading.Event(), []

    def pool() -> None:
        left.wait(60)
        seen.append(otel.get_current_span().get_span_context().is_valid)

    with client.trace("request"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(pool,))
        thread.start()
    left.set()
    thread.join(60)
    assert seen == [False]


def test_our_own_threads_start_with_an_empty_context(make_client):
    """Whatever is current where the first span is started, and however Python is set."""
    probe: contextvars.ContextVar[str] = contextvars.ContextVar("probe", default="empty")
    seen = []
    probe.set("of the application")
    thread = background(lambda: seen.append(probe.get()))
    in_thread_that_inherits(lambda: seen.append(probe.get()))
    thread.start()
    thread.join(60)
    assert seen == ["of the application", "empty"]
    client = make_client()
    adapter = client.adapter("memory")
    sending = adapter.send
    adapter.send = lambda body, spans: seen.append(probe.get()) or sending(body, spans)
    with client.trace("root"):
        pass
    assert client.flush(60)
    assert seen[2:] == ["empty"]
