"""Delivery, seen from an adapter: batches, flushes, retries, splits and closes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from support.delivery import QUICK, Bench, Scripted, until
from support.journals import Life, record
from tracebridge import Client
from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.worker import Delivery
from tracebridge.errors import Ambiguous, Misconfigured, Rejected, Retryable
from tracebridge.plugins.adapter import Part, Sent
from tracebridge.plugins.options import DeliveryOptions, RetryOnFailure, SendingQueue
from tracebridge.records.record import Resource, SpanRecord


def test_a_batch_waits_for_company_but_not_for_ever():
    """Spans leave together after the flush interval."""
    adapter = Scripted()
    bench = Bench(adapter, queue=SendingQueue(flush_interval=0.15))
    started = time.monotonic()
    bench.add("a", "b")
    until(lambda: bench.stats.exported == 2)
    assert (adapter.requests, time.monotonic() - started >= 0.15) == ([["a", "b"]], True)
    bench.close()


def test_a_full_batch_does_not_wait():
    """max_batch spans leave at once, and no request has more."""
    adapter = Scripted()
    bench = Bench(adapter, queue=SendingQueue(max_batch=3, flush_interval=60))
    bench.add(*"abcdefg")
    until(lambda: bench.stats.exported == 6)
    assert (adapter.requests, bench.stats.queued) == ([["a", "b", "c"], ["d", "e", "f"]], 1)
    assert bench.flush()
    assert adapter.requests[2] == ["g"]
    bench.close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exporter_that_exits_is_repeated_like_one_that_fails(error):
    """What it raises ends no worker."""

    def send(number: int, _: list[str]) -> Sent:
        if number == 1:
            raise error("leave me")
        return Sent()

    adapter = Scripted(send)
    bench = Bench(adapter)
    bench.add("a")
    assert bench.flush()
    assert (adapter.requests, bench.stats.exported) == ([["a"], ["a"]], 1)
    bench.close()


def test_a_failing_send_is_repeated_with_the_same_body():
    """What asks for time and what asks for a person are both waited for, and counted as nothing."""

    def send(number: int, names: list[str]) -> Sent:
        if number <= 3:
            raise [Retryable("later"), Misconfigured("who are you"), Retryable("later")][number - 1]
        return Sent()

    adapter = Scripted(send)
    bench = Bench(adapter)
    bench.add("a", "b")
    assert bench.flush()
    assert adapter.requests == [["a", "b"]] * 4
    assert (bench.stats.exported, dict(bench.stats.dropped), bench.stats.retrying_since) == (2, {}, None)
    bench.close()


@pytest.mark.parametrize("error", [Retryable("storage failed"), Ambiguous("storage failed"), OSError("storage failed")])
def test_max_elapsed_time_ends_in_dead_letters(error):
    """It gives a batch up, with its reason and message."""
    adapter = Scripted(lambda number, names: (_ for _ in ()).throw(error))
    bench = Bench(adapter, retry=RetryOnFailure(initial_interval=0.005, max_interval=0.01, max_elapsed_time=0.05))
    bench.add("a", "b")
    assert bench.flush()
    assert bench.stats.dropped == {"retries_exhausted": 2}
    assert sorted((letter.record.name, letter.message) for letter in bench.letters.list()) == [
        ("a", "storage failed"),
        ("b", "storage failed"),
    ]
    bench.close()


def test_bisection_asks_no_more_than_it_must():
    """One poison span among 64 costs a logarithm of requests."""

    def send(number: int, names: list[str]) -> Sent:
        if "poison" in names:
            raise Rejected("no")
        return Sent()

    adapter = Scripted(send)
    bench = Bench(adapter)
    bench.add(*[f"s{n}" for n in range(40)], "poison", *[f"t{n}" for n in range(23)])
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (63, {"rejected": 1})
    assert len(adapter.requests) <= 1 + 2 * 6
    bench.close()


def test_what_cannot_be_encoded_is_a_dead_letter_and_the_rest_goes():
    """A bug in an encoder costs the span that triggers it."""
    adapter = Scripted()
    adapter.unencodable = {"b"}
    bench = Bench(adapter)
    bench.add(*"abcd")
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (3, {"rejected": 1})
    assert "cannot say this" in bench.letters.list()[0].message
    bench.close()


def test_bodies_over_the_adapters_limit_are_split_before_they_are_sent():
    """max_batch_bytes is never exceeded on the wire."""
    adapter = Scripted()
    adapter.max_batch_bytes = 7
    bench = Bench(adapter)
    bench.add("aaa", "bbb", "ccc", "dddddddddd", "eee")
    assert bench.flush()
    assert all(len(",".join(names)) <= 7 for names in adapter.requests)
    assert (bench.stats.exported, bench.stats.dropped) == (4, {"too_large": 1})
    bench.close()


def test_unconfirmed_spans_are_sent_and_not_exported():
    """Where no answer exists the books say so."""
    bench = Bench(Scripted(lambda number, names: Sent(confirmed=False)))
    bench.add("a")
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.sent) == (0, 1)
    bench.close()


def test_closing_delivers_what_is_queued():
    """A close does not wait for company."""
    adapter = Scripted()
    bench = Bench(adapter, queue=SendingQueue(flush_interval=60))
    bench.add("a", "b")
    assert (bench.close(), adapter.requests, adapter.closed) == (0, [["a", "b"]], True)


def test_closing_gives_up_in_time_and_counts_what_was_left():
    """A destination that is down costs at most the time that was given, and usually less."""
    bench = Bench(
        Scripted(lambda number, names: (_ for _ in ()).throw(Retryable("down"))),
        retry=RetryOnFailure(initial_interval=300, max_interval=300),
    )
    bench.add("a", "b")
    until(lambda: bench.stats.retrying_since is not None)
    started = time.monotonic()
    assert bench.close(timeout_s=100) == 2  # less than two of its pauses
    assert time.monotonic() - started < 50
    assert (bench.stats.queued, bench.stats.dropped) == (0, {"shutdown": 2})


def test_an_answer_after_the_close_changes_nothing():
    """What was counted as dropped is not counted as exported too."""
    release = threading.Event()

    def send(number: int, names: list[str]) -> Sent:
        release.wait(60)
        return Sent()

    adapter = Scripted(send)
    bench = Bench(adapter)
    bench.add("a")
    until(lambda: adapter.requests != [])
    assert bench.close(timeout_s=0.05) == 1
    release.set()
    until(lambda: adapter.closed)  # the last that the worker does
    assert (bench.stats.exported, bench.stats.dropped) == (0, {"shutdown": 1})


def test_several_requests_in_flight_overlap():
    """max_in_flight workers each have a batch of their own."""
    together = threading.Barrier(3, timeout=60)

    def send(number: int, names: list[str]) -> Sent:
        together.wait()
        return Sent()

    bench = Bench(Scripted(send), queue=SendingQueue(max_batch=1, max_in_flight=3, flush_interval=0))
    bench.add("a", "b", "c")
    assert bench.flush()
    assert bench.stats.exported == 3
    bench.close()


@pytest.mark.parametrize("on_full", ["drop_oldest", "block"])
def test_a_full_journal_costs_only_the_adapter_that_lags(on_full):
    """The other has everything; the lagging one counts what it lost; the caller waits at most its bound."""
    client = Client(
        config={
            "journal": {"max_bytes": "16KiB", "on_full": on_full, "block_timeout": "20ms"},
            "adapters": {
                "memory": {"sending_queue": {"flush_interval": "0s"}},
                "otlp_http": {"endpoint": "http://127.0.0.1:1", "retry_on_failure": {"initial_interval": "10s"}},
            },
        }
    )
    with client.trace("root") as root:
        for n in range(400):
            client.start_span("s", root.trace_id, root.span_id, attributes={"n": n}).end()
            if n % 20 == 0:
                until(lambda: client.stats().adapters["memory"].queued == 0)
    until(lambda: client.stats().adapters["memory"].exported == 401)
    stats = client.stats()
    assert stats.adapters["memory"].exported == 401
    assert stats.adapters["otlp_http"].dropped["journal_full"] > 0
    assert {stats.balance(name) for name in stats.adapters} == {0}
    client.close(timeout_s=0.1)
    stats = client.stats()
    assert {stats.balance(name) for name in stats.adapters} == {0}


def test_the_age_of_the_oldest_queued_span_is_told():
    """It grows while a destination is down."""
    bench = Bench(Scripted(lambda number, names: (_ for _ in ()).throw(Retryable("down"))))
    assert bench.stats.oldest_queued_age_s is None
    bench.add("a")
    time.sleep(0.1)
    assert bench.stats.oldest_queued_age_s >= 0.09
    bench.close(timeout_s=0.01)


def test_a_process_that_dies_between_two_bodies_of_a_claim_loses_none_of_its_spans(tmp_path):
    """The first part is not the first records: what has arrived may come again, what has not must."""
    answer = threading.Event()

    class Parted(Scripted):
        def encode(self, records: Sequence[SpanRecord]) -> Any:
            groups = records[::2], records[1::2]
            return [Part(super(Parted, self).encode(group), group) for group in groups]

    adapter = Parted(lambda number, names: Sent() if number == 1 else (answer.wait(60), Sent())[1])
    life = Life(tmp_path, names=("x",))
    with life.accounts.lock:
        for number in range(4):
            life.journal.append(record(number))
    options = DeliveryOptions(sending_queue=SendingQueue(flush_interval=0), retry_on_failure=QUICK)
    delivery = Delivery("x", adapter, options, life.cursors["x"], life.accounts, DeadLetters(), Resource())
    delivery.start()
    until(lambda: len(adapter.requests) == 2)
    with life.accounts.lock:
        delivery._books.stopped = True  # whatever comes now, this process does not hear it
    life.die()
    answer.set()
    heir = Life(tmp_path, names=("x",))
    heir.adopt(tmp_path)
    assert {1, 3} <= set(heir.take("x"))
    heir.close()


def test_a_destination_that_hangs_does_not_hold_up_the_close(tmp_path):
    """A pipe that nobody reads blocks whoever opens it, and whoever would close it: the worker does so when it is free again."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    client = Client(config={"adapters": {"log": {"stream": "file", "path": str(pipe)}}})
    client.start_trace("root").end()
    client.flush(0.1)
    started = time.monotonic()
    client.close(0.2)
    assert time.monotonic() - started < 30
    stats = client.stats()
    assert (dict(stats.adapters["log"].dropped), stats.balance("log")) == ({"shutdown": 1}, 0)
    (worker,) = client._parts.deliveries["log"]._threads
    with pipe.open("rb") as file:
        assert b'"root"' in file.readline()
        worker.join(60)
        assert (worker.is_alive(), file.read()) == (False, b"")


@pytest.mark.parametrize("said", ["\x1b[31mno\n" + "x" * 10_000, ""], ids=["much", "nothing"])
@pytest.mark.parametrize("kind", [Rejected, Retryable])
def test_what_a_destination_says_is_one_bounded_line(kind, said):
    """It ends up in numbers, logs and terminals."""

    def refuse(number: int, names: list[str]) -> Sent:
        if number == 1:
            raise kind(said)
        return Sent(rejected=1, message=said)

    bench = Bench(Scripted(refuse))
    bench.add("a")
    assert bench.flush()
    error = bench.stats.last_error
    assert (error.isprintable(), len(error) <= 2000) == (True, True)
    bench.close()
