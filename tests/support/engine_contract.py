"""What every engine of open spans must do, as tests: a class to derive from, with a `make` fixture that returns engines over one and the same store."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tracebridge.plugins.open_spans import SpanKey

KEY = SpanKey(bytes(range(16)), bytes(range(8)))
OTHER = SpanKey(bytes(range(16)), bytes(8))
ODD = SpanKey(b"\x00\n*?{}:%'\"\\\xff" + bytes(4), b"\xff\x00[a]\r\n*"[:8])
RACES = 100


class EngineContract:
    """Derive, and give a fixture `make`."""

    def test_an_end_returns_every_part_in_the_order_of_the_calls(self, make):
        """What several processes wrote comes back to whoever ends the span, once."""
        one, two = make(), make()
        assert one.start(KEY, b"start", is_root=True, max_open_s=60)
        assert (two.change(KEY, b"a"), one.change(KEY, b"\x00\xff"), two.change(KEY, b"")) == ("open",) * 3
        assert two.end(KEY, b"end", b"c" * 16, 60) == [b"start", b"a", b"\x00\xff", b"", b"end"]

    def test_a_second_end_is_refused_and_so_is_a_change_after_it(self, make):
        """An ended span is told from an unknown one, before and after it is settled."""
        one, two = make(), make()
        one.start(KEY, b"start", is_root=True, max_open_s=60)
        assert two.change(OTHER, b"x") == "unknown"
        one.end(KEY, b"end", b"c" * 16, 60)
        before = (
            two.end(KEY, b"again", b"d" * 16, 60),
            two.change(KEY, b"x"),
            two.start(KEY, b"s", is_root=True, max_open_s=60),
        )
        one.settle([KEY], b"c" * 16)
        after = (
            two.end(KEY, b"again", b"d" * 16, 60),
            two.change(KEY, b"x"),
            two.start(KEY, b"s", is_root=True, max_open_s=60),
        )
        assert (before, after) == ((None, "ended", False),) * 2

    def test_the_same_call_made_again_means_the_same(self, make):
        """An answer that was lost costs nothing: a start is a start, an end gives its parts again."""
        engine = make()
        assert [engine.start(KEY, b"start", is_root=True, max_open_s=60) for _ in range(2)] == [True, True]
        first, again = (engine.end(KEY, b"end", b"c" * 16, 60) for _ in range(2))
        assert (first, set(again)) == ([b"start", b"end"], {b"start", b"end"})

    def test_the_end_of_an_unknown_span_is_kept_when_it_is_asked_for(self, make):
        """It is claimed like any other; without `even_unknown` nothing is kept of it."""
        engine = make()
        assert engine.end(OTHER, b"end", b"c" * 16, 60, even_unknown=False) is None
        assert engine.end(KEY, b"end", b"c" * 16, 60) == [b"end"]
        assert (make().end(KEY, b"end2", b"d" * 16, 60), engine.change(OTHER, b"x")) == (None, "unknown")

    def test_a_claim_that_ran_out_goes_to_exactly_one_other(self, make):
        """Its holder is taken for dead; what it settles later is left alone."""
        dead, one, two = make(), make(), make()
        dead.start(KEY, b"start", is_root=True, max_open_s=60)
        dead.end(KEY, b"end", b"c" * 16, 0.2)
        assert one.take(b"d" * 16, 60, 10) == []
        time.sleep(0.3)
        assert one.take(b"d" * 16, 60, 10) == [(KEY, [b"start", b"end"])]
        assert two.take(b"e" * 16, 60, 10) == []
        dead.settle([KEY], b"c" * 16)
        assert one.end(KEY, b"end", b"d" * 16, 60) is not None  # still held
        one.settle([KEY], b"d" * 16)
        assert one.end(KEY, b"end", b"d" * 16, 60) is None

    def test_an_end_without_a_claim_is_for_whoever_takes_first(self, make):
        """A process that only writes ends a span so."""
        engine = make()
        engine.start(KEY, b"start", is_root=True, max_open_s=60)
        assert engine.end(KEY, b"end", b"", 60) is not None
        assert engine.end(KEY, b"end", b"", 60) is None
        assert [entry.key for entry in make().take(b"d" * 16, 60, 10)] == [KEY]

    def test_an_overdue_span_is_taken_without_an_end(self, make):
        """It ends by being taken."""
        engine = make()
        engine.start(KEY, b"start", is_root=True, max_open_s=0.1)
        engine.start(OTHER, b"start", is_root=True, max_open_s=60)
        time.sleep(0.2)
        assert engine.take(b"d" * 16, 60, 10) == [(KEY, [b"start"])]
        assert (engine.end(KEY, b"end", b"e" * 16, 60), engine.change(OTHER, b"x")) == (None, "open")

    def test_what_is_open_is_found_by_its_trace_and_by_being_a_root(self, make):
        """Ended spans are not among it."""
        engine = make()
        child, ended = SpanKey(KEY.trace_id, b"c" * 8), SpanKey(KEY.trace_id, b"e" * 8)
        elsewhere = SpanKey(b"x" * 16, b"r" * 8)
        for key, is_root in ((KEY, True), (child, False), (ended, False), (elsewhere, True)):
            engine.start(key, key.span_id, is_root=is_root, max_open_s=60)
        engine.end(ended, b"end", b"c" * 16, 60)
        assert sorted(engine.open(KEY.trace_id, 10)) == sorted([(KEY, [KEY.span_id]), (child, [child.span_id])])
        assert sorted(engine.open(None, 10)) == sorted([(KEY, [KEY.span_id]), (elsewhere, [elsewhere.span_id])])
        assert len(engine.open(None, 1)) == 1

    def test_ids_and_parts_are_any_bytes_of_any_size(self, make):
        """Patterns, quotes, ends of lines; ten megabytes."""
        engine, big = make(), bytes(range(256)) * 40_960
        engine.start(ODD, big, is_root=True, max_open_s=60)
        assert engine.open(ODD.trace_id, 10) == [(ODD, [big])]
        assert engine.end(ODD, b"\x00", b"c" * 16, 60) == [big, b"\x00"]

    def test_of_those_who_end_a_span_at_the_same_instant_exactly_one_wins(self, make):
        """From connections of their own, many times."""
        engines, won = [make() for _ in range(4)], []
        keys = [SpanKey(KEY.trace_id, number.to_bytes(8)) for number in range(1, RACES + 1)]
        for key in keys:
            engines[0].start(key, b"start", is_root=False, max_open_s=60)
        gate = threading.Barrier(len(engines))

        def race(number: int) -> None:
            for key in keys:
                gate.wait(60)
                if engines[number].end(key, b"end", bytes((number + 1,)) * 16, 60) is not None:
                    won.append(key)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(len(engines))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == keys

    def test_what_was_closed_connects_no_more(self, make):
        """A thread that was about to ask it as its client closed is told so: nobody would close what it opens."""
        engine = make()
        engine.start(KEY, b"start", is_root=True, max_open_s=60)
        engine.close()
        for ask in (
            lambda: engine.change(KEY, b"x"),
            lambda: engine.take(b"c" * 16, 60, 1),
            lambda: engine.open(None, 1),
        ):
            with pytest.raises(ConnectionError, match="closed"):
                ask()
        engine.close()
        assert make().change(KEY, b"x") == "open"


@pytest.fixture
def closing():
    """Close what was made, after the test."""
    made: list[Any] = []
    yield made
    for engine in made:
        engine.close()
