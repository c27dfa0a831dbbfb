"""Laws of headers: reading never raises and never yields half an ID, what is written is read, and no format lends from another."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.headers import EVERY, FORMATS, NAMES, SEEDS, check, reader
from tracebridge import Client, RemoteParent
from tracebridge.propagation import baggage, tracestate
from tracebridge.propagation.propagator import Propagator, format_named

client = Client(config={"adapters": {"memory": {}}, "propagation": {"extract": EVERY, "inject": EVERY}})
APART = [name for name in FORMATS if name != "b3multi"]  # b3 reads the same headers


digits = st.integers(1, 2**128 - 1).map("{:032x}".format)
spans = st.integers(1, 2**64 - 1).map("{:016x}".format)
hexes = st.one_of(
    digits,
    spans,
    st.sampled_from(["0" * 32, "0" * 16, "", "0", "G" * 16]),
    st.text("0123456789abcdefABCDEF", max_size=40),
)
decimals = st.one_of(st.integers(-2, 2**65).map(str), st.just("0"))
pieces = st.one_of(
    hexes, decimals, st.sampled_from([*"01d23?", "00", "ff", "01", "true", "-1", "Root=1-", "Parent=", "Sampled=", "_dd.p.tid=", "k=v", "%3A", "\u0661"]),
    st.text(max_size=5),
)  # fmt: skip
joints = st.sampled_from(["-", ":", ";", "/", ",", "=", ";o=", " ", "", "\t", "\n", "%"])
nearly = st.lists(st.tuples(pieces, joints), min_size=1, max_size=8).map(
    lambda parts: "".join(a + b for a, b in parts)[:-1]
)
values = st.one_of(
    nearly, st.text(max_size=80), st.binary(max_size=80), nearly.map(str.encode), st.lists(nearly, max_size=3)
)


@settings(max_examples=2_000, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=5))
def test_headers_that_nearly_are_some_never_raise_nor_yield_half_an_id(headers):
    """Over every format at once."""
    found = client.extract(headers)
    assert found == reader.extract(headers)  # a dict is read the short way where it can be, with the same result
    check(found)


@settings(max_examples=1_000, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text(), st.binary()), values), max_size=6), st.booleans()
)
def test_pairs_of_anything_never_raise(pairs, as_bytes):
    """Lists of pairs, as servers hand them over."""
    if as_bytes:
        pairs = [(k.encode() if isinstance(k, str) else k, v) for k, v in pairs if isinstance(k, bytes) or k.isascii()]
    check(reader.extract(pairs))


ALPHABET = "0123456789abcdefABCDEFgd-:;/,=?%@ \t\r\n\x00\x7f\u0661\udc80"


def test_a_quarter_of_a_million_mutated_headers_never_raise_nor_yield_half_an_id():
    """Real headers with characters changed, cut out, doubled, swapped between formats. The seed is fixed: what fails, fails again."""
    chance = random.Random(20_261_125)
    found = 0
    for _ in range(250_000):
        headers = dict(chance.choice(SEEDS))
        if chance.random() < 0.3:
            headers.update(chance.choice(SEEDS))
        for _ in range(chance.randint(0, 3)):
            name = chance.choice(list(headers))
            text = headers[name]
            at, to = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
            headers[name] = (
                text[:at]
                + chance.choice(("", chance.choice(ALPHABET), text[at:to] * 2, text[at : at + 1].swapcase()))
                + text[to:]
            )
        if chance.random() < 0.1:
            headers[chance.choice(NAMES)] = headers.pop(chance.choice(list(headers)))
        context = client.extract(headers)
        assert context == reader.extract(headers)
        check(context)
        found += context is not None and context.span_id is not None
    assert 50_000 < found < 250_000  # neither all broken nor all whole


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text() | st.binary() | st.floats(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner) | st.tuples(inner, inner)
    ),
)


@settings(max_examples=1_000, suppress_health_check=list(HealthCheck), deadline=None)
@given(anything)
def test_whatever_is_given_as_a_carrier_extract_never_raises(carrier):
    """The client's own promise."""
    check(client.extract(carrier))


contexts = st.builds(
    RemoteParent,
    digits,
    spans,
    st.integers(0, 3),
    st.dictionaries(st.text("abcdefgh", min_size=1), st.text("xyz0", min_size=1), max_size=3).map(
        lambda d: tracestate.put("", d)
    ),
    baggage=st.dictionaries(
        st.text("abcdefgh", min_size=1), st.text(st.characters(exclude_categories=["Cs"])), max_size=3
    ).map(lambda d: baggage.put("", d)),
    parent_id=st.none() | spans,
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=100, deadline=None)
@given(contexts)
def test_what_is_written_is_read(name, context):
    """IDs and decision survive every format; the only exception is an ID that Datadog has no number for."""
    one = Propagator([name, "baggage"], [name, "baggage"], "X-Request-ID")
    headers: dict[str, str] = {}
    one.inject(context, headers)
    found = one.extract(headers)
    if name == "datadog" and not int(context.trace_id[16:], 16):
        assert found is None or found.trace_id is None
        return
    assert (found.trace_id, found.span_id, found.flags & 1) == (context.trace_id, context.span_id, context.flags & 1)
    assert baggage.decode(found.baggage) == baggage.decode(context.baggage)
    if name == "tracecontext":
        assert (found.flags, found.trace_state) == (context.flags, context.trace_state)


@settings(max_examples=2_000, suppress_health_check=list(HealthCheck), deadline=None)
@given(contexts, contexts, st.permutations(APART), st.sets(st.sampled_from(APART), min_size=2))
def test_no_format_lends_from_another(one, other, order, present):
    """With the headers of two contexts mixed, what is found is wholly the one or wholly the other, and the first in the list that is there."""
    headers: dict[str, str] = {}
    first = next(name for name in order if name in present)
    for name in present:
        format_named(name).write(one if name == first else other, headers)
    found = Propagator(order, [], "x").extract(headers)
    if first == "datadog" and not int(one.trace_id[16:], 16):
        return
    assert (found.trace_id, found.span_id, found.flags & 1) == (one.trace_id, one.span_id, one.flags & 1)


PATTERNS = [
    "a",
    "0",
    " ",
    "\t",
    ",",
    "=",
    ";",
    "a=",
    "a=1,",
    "a=1;",
    "a;",
    " ;",
    "; ",
    "a=b ",
    "a@",
    "a@a=",
    "%",
    "%3A",
    "-",
    ":",
    "a=1;p=1;",
    "Root=",
    "'",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_header_takes_long_to_refuse(name):
    """Nothing repeated any number of times makes reading slow."""
    ends = ["", "!", "\x00", ",", "=", "@", "a=1"]
    texts = [
        (pattern * size)[:size] + end for pattern in PATTERNS for size in (200, 500, 8_000, 32_000) for end in ends
    ]
    texts += [
        f"{'a' * 240}{'a' * 15}=1," * 2 + "!",
        ",".join(f"k{n}={'v' * 12}" for n in range(31)) + ",!" * 2,
        "a=" + " " * 510 + "!",
    ]
    seed = next((headers for headers in SEEDS if name in headers), {})
    for text in texts:
        started = time.process_time()
        reader.extract({**seed, name: text})
        assert time.process_time() - started < 0.05, (name, text[:40], len(text))


@settings(max_examples=2_000, deadline=None)
@given(st.text(max_size=80) | nearly, st.dictionaries(st.text("ab", min_size=1), st.text(max_size=5)))
def test_a_tracestate_that_is_put_to_is_valid(text, changes):
    """Whatever is put."""
    state = tracestate.put(tracestate.read(text), changes)
    assert tracestate.read(state) == state
