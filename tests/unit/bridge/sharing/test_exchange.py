"""The exchange: what happens while an engine is slow, down, full or empty, and which client delivers what."""

from __future__ import annotations

import logging

import pytest

from tracebridge import SpanRecord
from tracebridge.journal.base import encode_record
from tracebridge.plugins.open_spans import SpanKey
from tracebridge.sharing import exchange as module
from tracebridge.sharing.directory import DirectoryEngine
from tracebridge.sharing.exchange import Exchange
from tracebridge.sharing.guard import Unavailable
from tracebridge.sharing.parts import Kind, part, together

KEY = SpanKey(b"t" * 16, b"s" * 8)


class Ill:
    """A real engine behind a door that can be shut."""

    def __init__(self, engine):
        self.engine, self.shut, self.only = engine, False, ""
        self.asked = 0

    def __getattr__(self, name):
        call = getattr(self.engine, name)

        def ask(*args, **more):
            self.asked += 1
            if self.shut or name == self.only:
                raise ConnectionError("no route to redis://:hunter2@db:6379/0")
            return call(*args, **more)

        return ask


@pytest.fixture
def ill(tmp_path):
    """An engine that can be ill."""
    made = Ill(DirectoryEngine(str(tmp_path), 30.0))
    yield made
    made.engine.close()


@pytest.fixture
def make(ill, monkeypatch):
    """Exchanges over it, that deliver into a list each and look only when they are told to."""
    monkeypatch.setattr(Exchange, "start_looking", lambda self: None)
    monkeypatch.setattr("tracebridge.sharing.guard.FIRST_PAUSE_S", 0.0001)

    def made(**more):
        delivered: list[SpanRecord] = []

        def deliver(record):
            delivered.append(record)
            return True

        exchange = Exchange(ill, "test", deliver=deliver, max_open_s=more.pop("max_open_s", 60), **more)
        return exchange, delivered

    return made


def _data(name="", **fields):
    return encode_record(SpanRecord(*KEY, None, name, 1, 1, end_cause="unfinished", **fields))


def _start(exchange):
    return exchange.start(KEY, _data("order"), is_root=True)


def _end(exchange, **more):
    return exchange.end(KEY, _data(**more), has_status=False, even_unknown=True)


def _look(exchange):
    """Look until the engine is asked again."""
    while True:
        try:
            return exchange.look()
        except Unavailable:
            continue


def test_whoever_ends_first_delivers_the_whole_record(make):
    """And what others have set is in it; a second end is refused, wherever it comes from."""
    (one, delivered), (two, others) = make(), make()
    _start(one)
    two.change(KEY, _data(attributes={"k": "v"}))
    assert [_end(two), _end(one)] == [True, False]
    assert ([r.attributes for r in others], delivered) == ([{"k": "v"}], [])
    assert (two.stats().delivered, one.stats().delivered) == (1, 0)


def test_a_span_that_cannot_be_given_away_stays(make, ill):
    """It is counted, and said once."""
    exchange, _ = make()
    ill.shut = True
    assert _start(exchange) is None
    assert exchange.stats().kept_local == 1


def test_errors_are_said_once_without_their_secrets(make, ill, caplog):
    """An engine's words are foreign words."""
    exchange, _ = make()
    ill.shut = True
    with caplog.at_level(logging.WARNING, "tracebridge"):
        for _ in range(20):
            _start(exchange)
    assert (len(caplog.records), "hunter2" in caplog.text, "hunter2" in exchange.stats().last_error) == (
        1,
        False,
        False,
    )


def test_an_engine_that_is_down_is_not_asked_at_every_call(make, ill, monkeypatch):
    """A call costs one timeout now and then."""
    monkeypatch.setattr("tracebridge.sharing.guard.FIRST_PAUSE_S", 3600)
    exchange, _ = make()
    ill.shut = True
    for _ in range(50):
        _start(exchange)
    assert ill.asked == 1


def test_changes_and_ends_wait_in_order_until_the_engine_answers(make, ill):
    """Later ones do not overtake them; nothing is delivered twice."""
    exchange, delivered = make()
    _start(exchange)
    ill.shut = True
    exchange.change(KEY, _data(attributes={"k": 1}))
    exchange.change(KEY, _data(attributes={"k": 2}))
    ill.shut = False
    exchange.change(KEY, _data(attributes={"k": 3}))
    assert _end(exchange) is True
    assert (delivered, exchange.stats().waiting) == ([], 4)
    _look(exchange)
    assert ([r.attributes for r in delivered], exchange.stats().waiting) == ([{"k": 3}], 0)


def test_what_finds_no_room_to_wait_is_counted_and_an_end_is_delivered_all_the_same(make, ill, monkeypatch):
    """As one whose start is unknown."""
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    exchange, delivered = make()
    ill.shut = True
    for _ in range(3):
        exchange.change(KEY, _data(attributes={"k": 1}))
    _end(exchange, attributes={"e": 1})
    stats = exchange.stats()
    assert ([(r.attributes, r.end_cause) for r in delivered], stats.waiting, stats.lost_changes) == (
        [({"e": 1}, "orphaned")],
        1,
        2,
    )


def test_a_close_while_the_engine_is_down_delivers_the_ends_that_wait(make, ill):
    """As ones whose start is unknown: never silence."""
    exchange, delivered = make()
    _start(exchange)
    ill.shut = True
    _end(exchange)
    exchange.close()
    assert [r.end_cause for r in delivered] == ["orphaned"]


def test_a_look_that_comes_just_after_the_close_asks_nothing(make, ill, monkeypatch):
    """The engine has been let go of."""
    exchange, _ = make()
    lock, asked = exchange._looking, []

    class Closing:
        def __enter__(self):
            exchange._looking = lock
            exchange.close()
            asked.append(ill.asked)

        def __exit__(self, *_):
            asked.append(ill.asked)

    exchange._looking = Closing()
    assert exchange.look() == 0
    assert asked[0] == asked[1]


def test_an_end_at_an_engine_that_lost_the_span_is_orphaned(make, ill):
    """It was restarted empty; the end is recorded, marked, once."""
    exchange, delivered = make()
    assert [_end(exchange), _end(exchange)] == [True, False]
    assert ([(r.name, r.end_cause) for r in delivered], exchange.stats().orphaned) == ([("unknown", "orphaned")], 1)


def test_an_overdue_span_is_delivered_as_unfinished_by_exactly_one(make):
    """The engine's clock says what is overdue."""
    (one, first), (two, second) = make(max_open_s=0), make()
    _start(one)
    assert [one.look(), two.look()] == [1, 0]
    assert ([r.end_cause for r in first], second, one.stats().unfinished) == (["unfinished"], [], 1)


def test_the_end_of_a_dead_process_is_taken_over_when_its_lease_is_over(make, ill):
    """It died between the end and its journal: the engine still has the span."""
    (dead, _), (one, delivered) = make(lease_s=0), make()
    dead._deliver = lambda record: False
    _start(dead)
    _end(dead)
    assert (one.look(), [r.end_cause for r in delivered], one.stats().taken_over) == (1, ["finished"], 1)


def test_a_span_that_could_not_be_settled_is_settled_later(make, ill):
    """It is not delivered twice by the same process."""
    exchange, delivered = make(lease_s=0)
    _start(exchange)
    ill.only = "settle"
    _end(exchange)
    ill.only = ""
    _look(exchange)
    assert (len(delivered), exchange.look()) == (1, 0)


def test_hostile_data_of_an_engine_costs_itself_alone(make, ill):
    """Parts that cannot be read are counted, and the IDs are those of the key."""
    exchange, delivered = make()
    ill.start(KEY, b"\xffhostile", is_root=True, max_open_s=0)
    other = SpanKey(KEY.trace_id, b"o" * 8)
    ill.start(other, b"", is_root=True, max_open_s=60)
    exchange.end(other, _data(name="x"), has_status=False, even_unknown=True)
    assert exchange.look() == 1
    assert ([(r.span_id, r.repaired) for r in delivered], exchange.stats().unreadable) == ([(b"o" * 8, 1)], 2)
    assert exchange.open(None) == []


def _newer(made):
    return b"\x02" + made[1:]


def test_a_span_that_a_newer_version_has_changed_is_left_to_it(make, ill, monkeypatch, caplog):
    """Ended here or overdue: it stays at the engine, counted and said once; a process that reads it delivers the whole."""
    (old, delivered), (new, whole) = make(lease_s=0), make(lease_s=0)
    _start(old)
    made = part(Kind.CHANGE, _data(attributes={"k": "v"}))
    ill.change(KEY, _newer(made))
    assert (_end(old), old.look(), old.look(), delivered) == (True, 0, 0, [])
    assert (old.stats().left_alone, old.stats().delivered, caplog.text.count("left to it for an hour")) == (1, 0, 1)
    monkeypatch.setattr("tracebridge.sharing.parts.VERSION", b"\x02")  # a newer process, that still reads 1
    monkeypatch.setattr(module, "together", lambda parts: together([b"\x02" + bytes(each[1:]) for each in parts]))
    new.look()
    assert [(r.name, r.attributes, r.end_cause) for r in whole] == [("order", {"k": "v"}, "finished")]


def test_where_no_newer_process_comes_what_can_be_read_is_delivered(make, ill, monkeypatch):
    """After an hour; what is left out is counted."""
    exchange, delivered = make(lease_s=0)
    _start(exchange)
    ill.change(KEY, _newer(part(Kind.CHANGE, _data(attributes={"k": "v"}))))
    _end(exchange)
    monkeypatch.setattr(module, "LEFT_FOR_S", 0.0)
    exchange._left.clear()
    assert (exchange.look(), [(r.name, r.repaired) for r in delivered]) == (1, [("order", 1)])
    assert (exchange.stats().unreadable, exchange.look()) == (1, 0)
