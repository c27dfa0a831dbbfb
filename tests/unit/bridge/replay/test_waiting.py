"""Spans that wait for the rest of their trace."""

from __future__ import annotations

from tracebridge.records.record import SpanRecord
from tracebridge.replay import waiting as module
from tracebridge.replay.waiting import RESTED_S, SETTLED_S, Waiting


def span(trace: int, number: int, parent: int | None) -> SpanRecord:
    """A span of a trace."""
    raw = None if parent is None else parent.to_bytes(8, "big")
    return SpanRecord(trace.to_bytes(16, "big"), number.to_bytes(8, "big"), raw, f"s{number}", 1, 2)


def names(traces: list[list[SpanRecord]]) -> list[list[str]]:
    """The spans' names."""
    return [[record.name for record in trace] for trace in traces]


def test_a_trace_is_complete_shortly_after_its_root():
    """Stragglers are waited for; the root stands first."""
    waiting = Waiting()
    waiting.add(span(1, 2, 1), 0.0)
    waiting.add(span(1, 1, None), 1.0)
    waiting.add(span(1, 3, 1), 1.1)
    assert waiting.complete(1.1 + SETTLED_S - 0.01) == []
    assert names(waiting.complete(1.1 + SETTLED_S)) == [["s1", "s2", "s3"]]
    assert waiting.rest() == []


def test_a_trace_whose_root_is_elsewhere_is_given_out_when_it_has_been_silent():
    """It would wait for ever otherwise."""
    waiting = Waiting()
    waiting.add(span(1, 2, 1), 0.0)
    assert waiting.complete(RESTED_S - 0.1) == []
    assert names(waiting.complete(RESTED_S)) == [["s2"]]


def test_what_waits_is_bounded(monkeypatch):
    """The oldest traces, and traces that are too large, are given out early."""
    monkeypatch.setattr(module, "MOST_TRACES", 3)
    monkeypatch.setattr(module, "MOST_SPANS", 5)
    waiting = Waiting()
    for trace in range(1, 6):
        waiting.add(span(trace, trace, 99), 0.0)
    assert names(waiting.complete(0.0)) == [["s1"], ["s2"]]
    for number in range(10, 14):
        waiting.add(span(3, number, 99), 0.0)
    assert names(waiting.complete(0.0)) == [["s3", "s10", "s11", "s12", "s13"]]
    assert names(waiting.rest()) == [["s4"], ["s5"]]
