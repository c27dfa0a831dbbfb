"""A destination that does not say whether it is failing or a span is wrong (HTTP 500 of Zipkin and Thrift ports): delivery finds out."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from support.delivery import QUICK, Bench, Scripted, until
from support.journals import Life
from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.unclear import CERTAIN
from tracebridge.delivery.worker import Delivery
from tracebridge.errors import Ambiguous
from tracebridge.plugins.adapter import Sent
from tracebridge.plugins.options import DeliveryOptions, RetryOnFailure, SendingQueue
from tracebridge.records.record import Resource


def refusing(wrong: Callable[[int, list[str]], bool], error: Exception | None = None) -> Scripted:
    """Return a destination that refuses some bodies without saying why."""

    def send(number: int, names: list[str]) -> Sent:
        if wrong(number, names):
            raise error or Ambiguous("HTTP 500")
        return Sent()

    return Scripted(send)


def names(count: int) -> list[str]:
    """Return so many names of spans."""
    return [f"s{number}" for number in range(count)]


@pytest.mark.parametrize(
    "error", [Ambiguous("HTTP 500"), KeyError("a bug"), SystemExit("leave me")], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("place", [0, 1, 31, 62, 63])
def test_one_wrong_span_among_many_is_a_dead_letter_and_the_others_arrive(place, error):
    """It is found by halving, and judged only when it was refused alone again and again."""
    adapter = refusing(lambda _, sent: f"s{place}" in sent, error)
    bench = Bench(adapter, retry=QUICK)
    bench.add(*names(64))
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (63, {"rejected": 1})
    assert [letter.record.name for letter in bench.letters.list()] == [f"s{place}"]
    assert len([sent for sent in adapter.requests if sent == [f"s{place}"]]) == CERTAIN
    assert len(adapter.requests) <= 1 + 2 * 6 + CERTAIN
    bench.close()


def test_a_destination_that_refuses_everything_is_waited_for_and_halved_once():
    """Nothing becomes a dead letter, and the bodies stay large."""
    adapter = refusing(lambda number, _: number <= 20)
    bench = Bench(adapter, retry=QUICK)
    bench.add(*names(64))
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped, bench.stats.retrying_since) == (64, {}, None)
    assert {len(sent) for sent in adapter.requests} == {64, 32}
    bench.close()


def test_halving_goes_on_when_something_has_been_taken_again():
    """A wrong span that was met while the destination was failing is found when it takes spans again."""
    adapter = refusing(lambda number, sent: number <= 8 or "s5" in sent)
    bench = Bench(adapter, retry=QUICK)
    bench.add(*names(16))
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (15, {"rejected": 1})
    bench.close()


def test_wrong_spans_in_both_halves_are_told_when_others_are_taken():
    """Neither half is taken, so that both wait; the next batch shows that the destination is well."""
    adapter = refusing(lambda _, sent: bool({"s1", "s14"} & set(sent)))
    bench = Bench(adapter, retry=QUICK)
    bench.add(*names(16))
    until(lambda: len(adapter.requests) > 6)
    assert bench.stats.queued == 16
    bench.add("well")
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (15, {"rejected": 2})
    bench.close()


def test_a_lone_span_waits_while_others_overtake_it():
    """As long as nobody else shows that the destination is well, the span is not to blame; then it is."""
    adapter = refusing(lambda _, sent: "wrong" in sent)
    bench = Bench(adapter, retry=QUICK)
    bench.add("wrong")
    until(lambda: len(adapter.requests) > 3 * CERTAIN)
    assert (bench.stats.queued, bench.stats.dropped, bench.stats.retrying_since is None) == (1, {}, False)
    bench.add("well")
    until(lambda: bench.stats.exported == 1)
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped, bench.stats.retrying_since) == (1, {"rejected": 1}, None)
    bench.close()


def test_a_destination_that_takes_every_other_body_loses_nothing():
    """A full queue that empties slowly refuses whatever comes at the wrong moment: no span is blamed for it."""
    adapter = refusing(lambda number, _: number % 2 == 1)
    bench = Bench(adapter, queue=SendingQueue(flush_interval=0, max_batch=4), retry=QUICK)
    for _ in range(30):
        bench.add(*names(8))
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (240, {})
    bench.close()


def test_while_it_is_ill_few_batches_are_tried_and_the_rest_stays_in_the_journal():
    """What waits aside is bounded."""
    down = threading.Event()
    adapter = refusing(lambda *_: not down.is_set())
    bench = Bench(adapter, queue=SendingQueue(flush_interval=0, max_batch=8), retry=QUICK)
    bench.add(*names(800))
    until(lambda: len(adapter.requests) > 60)
    assert len({name for sent in adapter.requests for name in sent}) <= 40
    down.set()
    assert bench.flush()
    assert (bench.stats.exported, bench.stats.dropped) == (800, {})
    bench.close()


def test_several_workers_find_out_together():
    """Bodies in flight at once are judged by what the destination does, not by who sent them."""
    adapter = refusing(lambda _, sent: bool({"s7", "s99", "s100"} & set(sent)))
    bench = Bench(adapter, queue=SendingQueue(flush_interval=0, max_batch=16, max_in_flight=4), retry=QUICK)
    bench.add(*names(400))
    until(lambda: bench.stats.exported == 397)
    while not bench.flush(0.05):
        bench.add("well")
    assert sorted(letter.record.name for letter in bench.letters.list()) == ["s100", "s7", "s99"]
    bench.close()


def test_a_pending_flush_does_not_make_later_bodies_small():
    """What waits aside does not take the company from what comes after it."""
    adapter = refusing(lambda _, sent: "wrong" in sent)
    patient = RetryOnFailure(initial_interval=0.2, max_interval=0.2)
    bench = Bench(adapter, queue=SendingQueue(flush_interval=0.15, max_batch=100), retry=patient)
    bench.add("wrong")
    assert not bench.flush(0.3)
    for each in range(5):
        bench.add(f"well{each}")
    assert bench.flush()
    assert ["well0", "well1", "well2", "well3", "well4"] in adapter.requests
    bench.close()


def test_closing_tries_once_more_and_ends_in_time():
    """A journal in memory gives up what was not taken, and counts it."""
    adapter = refusing(lambda *_: True)
    bench = Bench(adapter, retry=RetryOnFailure(initial_interval=20, max_interval=20))
    bench.add(*names(4))
    until(lambda: bench.stats.retrying_since is not None)
    assert bench.close(2) == 4
    assert len(adapter.requests) > 3
    assert bench.stats.dropped == {"shutdown": 4}


def test_what_waits_aside_is_not_lost_with_the_process(tmp_path):
    """A process that dies meanwhile leaves it in the journal's directory, though its neighbours have arrived."""
    here = Life(tmp_path, names=("x",))
    here.append(*range(8))
    adapter = refusing(lambda _, sent: "span 2" in sent)
    adapter.name_of = lambda record: f"span {record.attributes['n']}"
    slow = DeliveryOptions(
        sending_queue=SendingQueue(flush_interval=0),
        retry_on_failure=RetryOnFailure(initial_interval=60, max_interval=60),
    )
    delivery = Delivery(
        "x", adapter, slow, here.cursors["x"], here.accounts, DeadLetters(), Resource({"service.name": "s"})
    )
    delivery.start()
    until(lambda: here.accounts.adapters["x"].exported == 7)
    here.die()
    heir = Life(tmp_path, names=("x",))
    heir.adopt(tmp_path)
    assert 2 in heir.take("x")
    heir.close()
