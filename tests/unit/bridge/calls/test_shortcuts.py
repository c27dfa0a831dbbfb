"""The short way in C stands before the Python methods, which stay what a reader sees."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tracebridge import Client, TracebridgeError
from tracebridge.calls.shortcuts import SHORT
from tracebridge.native import functions
from tracebridge.spans.span import Span
from tracebridge.testing import records

pytestmark = pytest.mark.skipif(functions is None, reason="the native module is not in use")

WAITING = {"memory": {"sending_queue": {"flush_interval": "1h"}}}


@pytest.fixture
def client() -> Iterator[Client]:
    """One whose spans wait in its journal."""
    with Client(config={"adapters": WAITING}) as made:
        yield made


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in SHORT for name in names])
def test_a_method_looks_like_the_python_method(owner: type[Any], name: str) -> None:
    """Name, signature and documentation are those of the method behind it."""
    method = vars(owner)[name]
    python = method.__wrapped__
    assert inspect.isfunction(python)
    assert inspect.signature(method) == inspect.signature(python)
    assert (method.__name__, method.__qualname__, inspect.getdoc(method)) == (
        name,
        python.__qualname__,
        inspect.getdoc(python),
    )


def test_a_clock_in_python_means_the_python_way() -> None:
    """It could run anything in the middle of an end."""

    class Clock:
        def wall_ns(self) -> int:
            return 1_800_000_000_000_000_000

        def ticks_ns(self) -> int:
            return 5

    with Client(config={"adapters": WAITING}, clock=Clock()) as client:
        assert client._native is None


def test_a_wrong_call_is_refused_in_pythons_words(client: Client) -> None:
    """The Python method sees it, with the same arguments."""
    start: Any = client.start_span
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        start()
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        start("operation", wrong=1)
    with pytest.raises(TypeError, match="missing 2 required positional arguments: 'self' and 'name'"):
        vars(SHORT[1][0])["start_span"]()


def test_a_span_of_another_class_takes_the_python_way(client: Client) -> None:
    """Only exact types are looked into."""
    assert functions is not None
    end = functions.Method(vars(SHORT[3][0])["end"].__wrapped__)
    with pytest.raises(AttributeError):
        end(object())
    with pytest.raises(TypeError):
        functions.Method(print)
    with pytest.raises(ValueError, match="there is no short way for 'test_"):
        functions.Method(test_a_clock_in_python_means_the_python_way)


def test_who_finds_the_lock_taken_waits_for_it(client: Client) -> None:
    """A start and an end that meet another thread's move of the books come after it."""
    root = client.start_trace("root")
    child = client.start_span("child", root.trace_id, root.span_id)
    done = threading.Event()

    def work() -> None:
        client.start_span("other", root.trace_id, root.span_id)
        child.end()
        done.set()

    with client._accounts.mutex:
        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.2)
        assert client._accounts.open == 2
    assert done.wait(60)
    thread.join()
    assert [record.name for record in records(client)] == ["child"]


def test_classes_of_another_layout_are_refused() -> None:
    """Nothing of the short way is used then, and the calls go the Python way, with a warning."""
    code = (
        "import types, tracebridge.native as native\n"
        "prepare = native.functions.prepare_calls\n"
        "given = {**vars(native.functions), 'prepare_calls': lambda **given: prepare(**{**given, 'span': int})}\n"
        "native.functions = types.SimpleNamespace(**given)\n"
        "from tracebridge import Client\n"
        "client = Client(config={'adapters': {'memory': {}}})\n"
        "client.start_trace('root').end()\n"
        "print(client._native, client.stats().started)\n"
        "client.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "None 1\n"
    assert "the calls run without the native module: " in done.stderr


class Loop:
    """Garbage that only the collector finds, and that uses the client when it goes."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.me = self
        self.act = act

    def __del__(self) -> None:
        self.act()


@pytest.mark.parametrize("journal", ["memory", "disk"])
def test_a_collection_at_any_allocation_of_a_call_loses_nothing(journal: str, tmp_path: Path) -> None:
    """Finalizers start and end spans of the same trace, and end the trace, in the middle of starts and ends: the books balance and every span is recorded once."""
    on_disk = {"journal": {"directory": str(tmp_path)}} if journal == "disk" else {}
    client = Client(config={"adapters": WAITING, **on_disk})
    made = threading.Lock()
    ends: list[Any] = []

    def act() -> None:
        if not made.acquire(blocking=False):
            return
        try:
            if ends:
                ends.pop().end()
            ends.append(client.start_span("of a finalizer", "order-1", ends[-1].span_id if ends else None))
        except TracebridgeError:
            pass  # the trace is not open just now
        finally:
            made.release()

    before = gc.get_threshold()
    try:
        for _ in range(60):
            root = client.start_trace("request", trace_id="order-1", attributes={"a": 1, "b": "x"})
            gc.set_threshold(1, 1, 1)
            for _ in range(5):
                Loop(act)
                span = client.start_span(
                    "operation", "order-1", root.span_id, attributes={"a": 1, "b": "x"}, inputs={"q": [1]}
                )
                Loop(act)
                client.end_span("order-1", span.span_id, outputs={"a": "1"})
                Loop(act)
            client.end_trace("order-1")
            gc.set_threshold(*before)
            while ends:
                ends.pop().end()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    while ends:
        ends.pop().end()
    deadline = time.monotonic() + 60
    while client.stats().open and time.monotonic() < deadline:
        time.sleep(0.01)  # ends that came in the middle of another call are under way in threads of their own
    stats = client.stats()
    assert (stats.open, stats.balance("memory")) == (0, 0)
    assert stats.adapters["memory"].queued == stats.started
    client.close(timeout_s=0)


def test_an_end_that_waits_keeps_what_it_looks_at_afterwards(client: Client) -> None:
    """Another thread may put other tables in their places meanwhile, and the old ones must outlive the wait."""
    root = client.start_trace("root")
    child = client.start_span("child", root.trace_id, root.span_id)
    assert isinstance(child, Span)
    trace = child._trace
    spans, young = trace.spans, trace.ended.young
    before = [sys.getrefcount(spans), sys.getrefcount(young)]
    ends = threading.Thread(target=child.end)
    with client._accounts.lock:
        ends.start()
        while child.span_id in spans or child._end_time_ns is None:
            time.sleep(0.001)
        during = [sys.getrefcount(spans), sys.getrefcount(young)]
    ends.join()
    assert [count + 1 for count in before] == during


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_workers_that_cannot_start_do_not_raise_into_the_caller(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be out of threads: the trace begins all the same."""

    def fails(self: Client) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(Client, "_on_first_trace", fails)
        client.start_trace("begun without them").end()
    client.start_trace("begun with them").end()
    assert [record.name for record in records(client)] == ["begun without them", "begun with them"]
