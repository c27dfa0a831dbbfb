"""Time, IDs and clients for tests."""

from __future__ import annotations

import pytest

from tracebridge import Client, SpanRecord
from tracebridge.plugins.source import Intake
from tracebridge.testing import Collected, SteppingClock, counting_ids, memory_client, records, sample_records
from tracebridge.testing.doubles import EPOCH_NS


def test_time_goes_on_step_by_step():
    """Two readings of the ticks are one step apart, so that every time in a trace is known."""
    with memory_client(clock=SteppingClock(step_ns=1_000)) as client:
        client.start_trace("r").end()
        (record,) = records(client)
    assert (record.start_time_ns, record.duration_ns > 0, record.duration_ns % 1_000) == (record.start_time_ns, True, 0)
    assert record.start_time_ns >= EPOCH_NS
    clock = SteppingClock()
    before = clock.wall_ns()
    clock.advance(1.5)
    assert clock.wall_ns() - before == 1_500_000_000


def test_ids_count():
    """Traces and spans from 1, whoever makes them; afterwards they are random again."""
    with memory_client() as client:
        for _ in range(2):
            with counting_ids():
                root = client.start_trace("r")
                child = client.start_span("c", root.trace_id, root.span_id)
                assert (root.trace_id, root.span_id, child.span_id) == ("0" * 31 + "1", "0" * 15 + "1", "0" * 15 + "2")
                for number in range(3, 600):
                    span = client.start_span("c", root.trace_id, root.span_id)
                    assert int(span.span_id, 16) == number
                    span.end()
                child.end()
                root.end()
        assert int(client.start_trace("r").trace_id, 16) > 2**64


def test_records_waits_for_what_is_queued_and_takes_a_name():
    """A test need not flush."""
    with memory_client() as client:
        for name in ("a", "b", "a"):
            client.start_trace(name).end()
        assert [record.name for record in records(client)] == ["a", "b", "a"]
        assert len(records(client, "a")) == 2


def test_records_needs_the_memory_adapter(tmp_path):
    """Of another client there is nothing to read."""
    with (
        Client(config={"adapters": {"store": {"path": str(tmp_path / "t.db")}}}) as client,
        pytest.raises(KeyError, match="memory"),
    ):
        records(client)


def test_a_source_is_tried_without_a_client():
    """What it hands over and what it refuses are lists."""
    collected = Collected()
    assert isinstance(collected.intake, Intake)
    collected.intake.ingest(sample_records()[0])
    collected.intake.reject("no IDs", {"odd": 1})
    assert ([record.name for record in collected.records], collected.rejected) == (["common"], [("no IDs", {"odd": 1})])


def test_the_samples_are_spans_that_a_client_takes(client, delivered):
    """Each can be ingested, and arrives."""
    for record in sample_records():
        client.ingest(record)
    assert [type(record) for record in delivered(client)] == [SpanRecord] * len(sample_records())


def test_the_fixtures_are_there_by_themselves(tracebridge_client: Client, tracebridge_ids: None):
    """pytest finds the plugin where tracebridge is installed."""
    assert tracebridge_client.start_trace("r").trace_id == "0" * 31 + "1"
