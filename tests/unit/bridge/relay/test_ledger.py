"""Which offsets may be committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracebridge.plugins.receiver import Partition
from tracebridge.relay.ledger import Ledger

ONE, TWO = Partition("spans", 1), Partition("spans", 2)


def test_an_offset_is_committed_when_everything_up_to_it_is_settled():
    """One journal position settles messages of all partitions; nothing is told twice."""
    ledger = Ledger()
    ledger.assigned([ONE, TWO])
    one, two = ledger.partitions[ONE], ledger.partitions[TWO]
    ledger.took(one, 7, 10)
    ledger.took(two, 100, 15)
    ledger.took(one, 8, 20)
    assert [ledger.settle(position) for position in (9, 10, 19, 20, 20)] == [{}, {ONE: 8}, {TWO: 101}, {ONE: 9}, {}]


def test_a_message_without_spans_is_settled_with_the_one_before_it():
    """A run of a million dead letters takes one entry."""
    ledger = Ledger()
    ledger.assigned([ONE])
    holding = ledger.partitions[ONE]
    ledger.took(holding, 0, 10)
    for offset in range(1, 1_000):
        ledger.took(holding, offset, 10)
    assert len(holding.taken) == 1
    assert (ledger.settle(9), ledger.settle(10)) == ({}, {ONE: 1_000})


def test_a_partition_that_was_given_up_is_not_committed():
    """Its next owner does that; when it comes back it begins anew."""
    ledger = Ledger()
    ledger.assigned([ONE])
    before = ledger.partitions[ONE]
    ledger.took(before, 5, 10)
    ledger.forget([ONE])
    assert ledger.settle(100) == {}
    ledger.assigned([ONE])
    ledger.took(before, 6, 11)
    assert ledger.settle(100) == {}


def test_a_topic_that_was_created_anew_begins_anew():
    """An offset below one that was read: nothing of the old topic is committed to the new one, not what was committed last either."""
    ledger = Ledger()
    ledger.assigned([ONE])
    holding = ledger.partitions[ONE]
    assert not holding.is_behind(0)
    ledger.took(holding, 999, 9)
    assert ledger.settle(9) == {ONE: 1_000}
    ledger.took(holding, 1_000, 10)
    holding.next_offset = 1_001
    assert [holding.is_behind(offset) for offset in (1_001, 1_000, 0)] == [False, True, True]
    holding.begin_anew()
    assert (holding.committed, holding.is_behind(0)) == (None, False)
    ledger.took(holding, 3, 11)
    assert ledger.settle(11) == {ONE: 4}


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(0, 5))), st.lists(st.integers(0, 400)))
def test_nothing_that_is_not_settled_is_ever_committed(messages, positions):
    """Whatever messages bring how many spans, and in whatever steps they are settled."""
    ledger = Ledger()
    ledger.assigned([ONE, TWO])
    ends: dict[Partition, list[int]] = {ONE: [], TWO: []}
    position = 0
    for partition, spans in messages:
        position += spans
        ledger.took(ledger.partitions[partition], len(ends[partition]), position)
        ends[partition].append(position)
    for settled in sorted(positions):
        for partition, offset in ledger.settle(settled).items():
            assert all(end <= settled for end in ends[partition][:offset])
            assert offset == len(ends[partition]) or ends[partition][offset] > settled


def test_a_message_whose_spans_are_held_is_committed_when_they_are_decided_about_and_delivered():
    """And so is everything behind it, in order: a decision gives it the position at which the journal ends then."""
    ledger = Ledger()
    ledger.assigned([ONE])
    holding = ledger.partitions[ONE]
    ledger.took(holding, 0, 10)
    ledger.holds(holding, 1, now=100.0)
    ledger.took(holding, 2, 12)
    assert ledger.settle(12) == {ONE: 1}
    ledger.decided(100.0, 15)
    assert ledger.settle(15) == {}
    ledger.decided(100.1, 16)
    assert (ledger.settle(15), ledger.settle(16)) == ({}, {ONE: 3})
    ledger.holds(holding, 3, now=101.0)
    ledger.decided(None, 17)
    assert ledger.settle(17) == {ONE: 4}
