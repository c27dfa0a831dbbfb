"""Laws of the whole: nothing is lost, nothing is invented, and the books balance, whatever is interleaved."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.ill_server import OK, IllServer
from tracebridge import Client, Link, SpanEvent, TracebridgeError
from tracebridge.journal.accounts import Accounts, AdapterAccount
from tracebridge.journal.memory import MemoryJournal
from tracebridge.testing import records as records_of

MEMORY = {"memory": {"sending_queue": {"flush_interval": "0s"}}}


class Lifecycle(RuleBasedStateMachine):
    """Any interleaving of starts and ends, right or wrong, against a model of what must arrive."""

    @initialize()
    def begin(self) -> None:
        self.client = Client(config={"lifecycle": {"late_children": "1h"}, "adapters": MEMORY})
        self.open: dict[str, tuple[str, str]] = {}
        self.roots: dict[str, str] = {}
        self.ended: Counter[str] = Counter()
        self.number = 0

    @rule(custom=st.booleans())
    def start_trace(self, custom: bool) -> None:
        self.number += 1
        root = self.client.start_trace(f"t{self.number}", trace_id=f"custom {self.number}" if custom else None)
        self.open[root.span_id] = (root.trace_id, root.name)
        self.roots[root.trace_id] = root.span_id

    @precondition(lambda self: self.roots)
    @rule(
        data=st.data(),
        attributes=st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
    )
    def start_span(self, data: Any, attributes: dict[str, Any]) -> None:
        trace_id = data.draw(st.sampled_from(list(self.roots)))
        self.number += 1
        span = self.client.start_span(f"s{self.number}", trace_id, self.roots[trace_id], attributes=attributes)
        self.open[span.span_id] = (trace_id, span.name)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), status=st.sampled_from(["OK", "ERROR", "nonsense", None]))
    def end_span(self, data: Any, status: str | None) -> None:
        span_id = data.draw(st.sampled_from(list(self.open)))
        trace_id, name = self.open.pop(span_id)
        self.client.end_span(trace_id, span_id, status=status)
        self.ended[name] += 1
        if self.roots.get(trace_id) == span_id:
            del self.roots[trace_id]

    @rule(trace_id=st.text(max_size=8), span_id=st.text(max_size=16))
    def end_nonsense(self, trace_id: str, span_id: str) -> None:
        self.client.end_span(trace_id, span_id)

    @rule(trace_id=st.text(min_size=1, max_size=8), parent_id=st.text(max_size=16))
    def start_nonsense(self, trace_id: str, parent_id: str) -> None:
        try:
            span = self.client.start_span("never", trace_id, parent_id)
        except TracebridgeError:
            return
        self.open[span.span_id] = (span.trace_id, "never")

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "client"):
            stats = self.client.stats()
            assert (stats.balance("memory"), stats.open) == (0, len(self.open))

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        still_open = Counter(name for _, name in self.open.values())
        self.client.close(timeout_s=60)
        assert Counter(record.name for record in records_of(self.client)) == self.ended + still_open
        stats = self.client.stats()
        assert (stats.open, stats.adapters["memory"].exported, stats.balance("memory")) == (0, stats.started, 0)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(
    sizes=st.lists(st.integers(0, 400), max_size=120),
    max_bytes=st.integers(4096, 9000),
    reads=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), max_size=40),
)
@settings(deadline=None)
def test_the_journal_loses_only_what_it_counts(sizes: list[int], max_bytes: int, reads: list[tuple[int, int]]) -> None:
    """Each cursor sees every record in order, but for a counted number of the oldest, however small the journal is."""
    accounts = Accounts()
    names = ("a", "b", "c")
    accounts.adapters.update({name: AdapterAccount() for name in names})
    journal = MemoryJournal(accounts, max_bytes=max_bytes)
    cursors = [journal.cursor(name) for name in names]
    seen: list[list[int]] = [[], [], []]
    todo = list(reads)
    with accounts.mutex:
        for number, size in enumerate(sizes):
            journal.append(number.to_bytes(4, "big") + bytes(size))
            if todo and number % 3 == 0:
                which, most = todo.pop()
                claim = cursors[which].claim(most, 1_000_000)
                if claim is not None:
                    seen[which] += [int.from_bytes(data[:4], "big") for data in claim.records]
                    cursors[which].settle(claim, len(claim.records))
        for which, cursor in enumerate(cursors):
            while (claim := cursor.claim(7, 500)) is not None:
                seen[which] += [int.from_bytes(data[:4], "big") for data in claim.records]
                cursor.settle(claim, len(claim.records))
            assert cursor.queued == 0
            assert seen[which] == sorted(set(seen[which]))
            assert len(seen[which]) + sum(accounts.adapters[names[which]].dropped.values()) == len(sizes)


def test_no_span_is_lost_or_doubled_by_many_threads() -> None:
    """Eight threads start, end, double-end and share a trace, while another reads the books all the time."""
    client = Client(config={"adapters": MEMORY})
    root = client.start_trace("root")
    stop = threading.Event()
    imbalances: list[int] = []

    def watch() -> None:
        while not stop.is_set():
            imbalances.append(client.stats().balance("memory"))

    def work(number: int) -> None:
        for n in range(400):
            span = client.start_span(f"{number}/{n}", root.trace_id, root.span_id, attributes={"n": n})
            ender = threading.Thread(target=span.end) if n % 100 == 0 else None
            if ender:
                ender.start()
            client.end_span(root.trace_id, span.span_id)
            if ender:
                ender.join()

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    root.end()
    assert client.flush(60)
    names = Counter(record.name for record in records_of(client))
    client.close()
    assert names == Counter([f"{t}/{n}" for t in range(8) for n in range(400)] + ["root"])
    assert set(imbalances) == {0}


@given(
    script=st.lists(st.sampled_from(["ok", "503", "400 poison", "413", "partial"]), max_size=12),
    count=st.integers(1, 25),
)
@settings(max_examples=25, deadline=None)
def test_whatever_a_server_answers_the_books_balance(script: list[str], count: int) -> None:
    """The far end's own count equals exported, and every other span is under a reason."""
    server = IllServer()
    steps = iter(script)

    def answer(number: int, names: list[str]) -> Any:
        step = next(steps, "ok")
        if step == "503":
            return 503, {}, b""
        if step == "400 poison" and "s3" in names:
            return 400, {}, b"s3 is poison"
        if step == "413" and len(names) > 2:
            return 413, {}, b""
        return OK

    server.script = answer
    options = {
        "endpoint": server.url, "encoding": "json",
        "retry_on_failure": {"initial_interval": "1ms", "max_interval": "2ms"}, "sending_queue": {"flush_interval": "5ms"},
    }  # fmt: skip
    client = Client(config={"adapters": {"otlp_http": options}})
    try:
        with client.trace("root") as root:
            for n in range(count):
                client.start_span(f"s{n}", root.trace_id, root.span_id).end()
        assert client.flush(60)
        stats = client.stats()
        books = stats.adapters["otlp_http"]
        assert (stats.balance("otlp_http"), books.queued) == (0, 0)
        assert (books.exported, set(server.arrived.values())) == (sum(server.arrived.values()), {1})
        assert len(client.dead_letters()) == sum(books.dropped.values())
    finally:
        client.close()
        server.stop()


def test_nothing_that_many_threads_add_to_one_span_is_lost() -> None:
    """The first attribute, event and link of a span may come from several threads at the same instant."""
    client = Client(config={"adapters": {"memory": {}}})
    root = client.start_trace("shared")
    number_of_threads, rounds = 4, 200
    spans = [client.start_span("shared", root.trace_id, root.span_id) for _ in range(rounds)]
    together = threading.Barrier(number_of_threads)

    def add(number: int) -> None:
        for span in spans:
            together.wait(30)
            span.set_attribute(f"key {number}", number)
            span.add_event(SpanEvent(f"event {number}"))
            span.add_link(Link(f"{number + 1:032x}", f"{number + 1:016x}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(number_of_threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    for span in spans:
        assert span.attributes == {f"key {number}": number for number in range(number_of_threads)}
        assert sorted(event.name for event in span.events) == [f"event {number}" for number in range(number_of_threads)]
        assert sorted(link.span_id for link in span.links) == [
            f"{number + 1:016x}" for number in range(number_of_threads)
        ]
    client.close()
