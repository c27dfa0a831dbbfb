"""Laws of sampling: thresholds are exact, an `ot` is read back, no trace is half kept, the books balance."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tracebridge import Client
from tracebridge.propagation import tracestate
from tracebridge.sampling import member
from tracebridge.sampling.member import Member
from tracebridge.sampling.short_records import ending_of, exchanged, with_ending
from tracebridge.sampling.threshold import (
    NEVER,
    WHOLE,
    ratio_of,
    read_randomness,
    read_threshold,
    text_of,
    threshold_of,
)

RATIOS = st.floats(0, 1, allow_nan=False)
BELOW = st.integers(0, WHOLE - 1)
KEYS = st.from_regex(r"[a-np-z][a-z0-9]{0,7}", fullmatch=True)
STATES = st.dictionaries(KEYS, st.from_regex(r"[a-z0-9:;]{1,20}", fullmatch=True), max_size=31)


@given(RATIOS)
def test_a_threshold_is_the_exact_complement_of_its_ratio(ratio):
    """Within half a step of 2**-56, by exact fractions; a larger ratio never has a larger threshold."""
    exact = (1 - Fraction(ratio)) * WHOLE
    assert abs(threshold_of(ratio) - exact) <= Fraction(1, 2)
    assert threshold_of(ratio) >= threshold_of(min(1.0, ratio * 2))
    assert abs(Fraction(ratio_of(threshold_of(ratio))) - Fraction(ratio)) <= Fraction(1, WHOLE)


@given(BELOW)
def test_a_threshold_is_read_back_from_its_text(threshold):
    """At most 14 digits, no zero on the right, none but `0` for all; in either case."""
    text = text_of(threshold)
    assert (threshold, threshold) == (read_threshold(text), read_threshold(text.upper()))
    assert len(text) <= 14
    assert text == "0" or not text.endswith("0")


@given(st.text(max_size=20))
def test_what_is_none_is_none(text):
    """Only hex digits count, 1 to 14 of them for `th`, just 14 for `rv`."""
    digits = bool(text) and all(char in "0123456789abcdefABCDEF" for char in text)
    assert (read_threshold(text) is not None) is (digits and len(text) <= 14)
    assert (read_randomness(text) is not None) is (digits and len(text) == 14)


@given(STATES, st.none() | BELOW, st.none() | BELOW)
def test_what_is_put_into_a_tracestate_is_read_back_and_leaves_others_alone(others, threshold, randomness):
    """The member stands in front; what comes out is valid, has 31 members at most, and others keep their order."""
    before = tracestate.read(",".join(f"{key}={value}" for key, value in others.items()))
    state = member.put(before, Member(threshold, randomness))
    assert Member(threshold, randomness) == member.read(state)
    assert state == tracestate.read(state)
    left = [each for each in state.split(",") if each and not each.startswith("ot=")]
    assert left == [each for each in before.split(",") if each][: len(left)]
    assert len(state.split(",")) <= 31
    if threshold is None and randomness is None:
        assert state == before


@given(st.binary(min_size=16, max_size=16), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_who_keeps_at_a_ratio_keeps_at_every_larger_one(trace_id, ratios):
    """Whatever the trace."""
    small, large = sorted(ratios)
    randomness = int.from_bytes(trace_id[-7:], "big")
    assert not (randomness >= threshold_of(small)) or randomness >= threshold_of(large)
    assert threshold_of(0) == NEVER


@given(st.integers(6, 20), st.text(max_size=40), st.integers(0, 255))
def test_a_short_record_with_an_ending_is_the_record_with_these_two_fields(count, state, flags):
    """However many fields it was written with; and the ending can be exchanged for another."""
    import msgspec

    from tracebridge.journal.base import decode_record, encode_record
    from tracebridge.records.record import SpanRecord

    whole = SpanRecord(b"t" * 16, b"s" * 8, None, "n", 1, 2, attributes={"a": 1})
    short = encode_record(list(msgspec.structs.astuple(whole))[:count])
    ended = with_ending(short, ending_of(state, flags))
    assert ended is not None
    expected = msgspec.structs.replace(decode_record(short), trace_state=state, flags=flags)
    assert expected == decode_record(ended)
    other = exchanged(ended, ending_of(state, flags), ending_of("ot=th:0", 1))
    assert other is not None
    assert msgspec.structs.replace(expected, trace_state="ot=th:0", flags=1) == decode_record(other)
    assert with_ending(encode_record(whole), ending_of(state, flags)) is None


TREES = st.lists(
    st.tuples(
        st.integers(0, 2**128 - 1).map(lambda n: f"{n or 1:032x}"),
        st.lists(st.tuples(st.sampled_from(["OK", "ERROR"]), st.booleans()), max_size=4),
    ),
    max_size=6,
    unique_by=lambda tree: tree[0],
)
KEEP = st.none() | st.fixed_dictionaries({"errors": st.just(True)}, optional={"max_spans": st.integers(1, 3)})


@settings(deadline=None, max_examples=60)
@given(TREES, RATIOS, KEEP, st.none() | st.integers(1, 3))
def test_no_trace_is_half_kept_and_the_books_balance(trees, ratio, keep, limit):
    """By ratio, limit and `keep`, with children that end before and after their root, and with a bound that has it decided early."""
    sampling: dict[str, Any] = {"ratio": ratio, "keep": keep, "max_traces_per_second": limit}
    client = Client(config={"adapters": {"memory": {}}, "sampling": sampling})
    for trace_id, children in trees:
        root = client.start_trace("root", trace_id=trace_id)
        late = []
        for status, ends_late in children:
            span = client.start_span("child", trace_id, root.span_id)
            if ends_late:
                late.append((span, status))
            else:
                span.end(status=status)
        root.end()
        for span, status in late:
            span.end(status=status)
        assert [client.stats().balance(name) for name in client.stats().adapters] == [0]
    client.close()
    stats = client.stats()
    assert (0, 0, stats.started) == (stats.balance("memory"), stats.undecided, sum(len(c) + 1 for _, c in trees))
    memory: Any = client.adapter("memory")
    found: dict[str, list[str]] = {}
    for record in memory.records:
        found.setdefault(record.trace_id.hex(), []).append(record.trace_state)
    for trace_id, children in trees:
        states = found.get(trace_id, [])
        assert len(states) in {0, len(children) + 1}
        assert len(set(states)) <= 1
