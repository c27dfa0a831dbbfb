"""The short look at values copies what the long way would have left as it is, and refuses everything else. The long way is the reference."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.strategies import json_values, numbers, texts
from tracebridge import Client, SpanEvent
from tracebridge.journal.base import encode_record
from tracebridge.masking.patterns import MASK
from tracebridge.records.record import SpanRecord
from tracebridge.records.values import Reducer, Tally
from tracebridge.stages.redaction import Redaction

TEXT_LIMIT, PAYLOAD_LIMIT = 300, 4_000


class Text(str):
    """A text that is not quite one."""

    __slots__ = ()


class Mapping(dict[Any, Any]):
    """A dict that is not quite one."""


class Level(enum.IntEnum):
    HIGH = 3


SECRETS = [
    "password",
    "max_tokens",
    "api-key",
    "url.full",
    "Bearer abc",
    "basic dXNlcg==",
    "best",
    "https://a:b@c/?token=1",
]
odd_texts = st.text(max_size=8) | st.sampled_from(SECRETS) | st.text("x", min_size=250, max_size=500)
odd = st.recursive(
    odd_texts
    | st.integers(-(2**64), 2**65)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=5)
    | st.sampled_from([Text("a"), Level.HIGH, object, 1 + 2j]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(odd_texts | st.integers() | st.just(Text("key")), inner, max_size=5)
        | st.dictionaries(odd_texts, inner, max_size=2).map(Mapping)
        | st.dictionaries(odd_texts, inner, max_size=2).map(OrderedDict)
    ),
    max_leaves=25,
)


def nested(depth: int) -> Any:
    """So many lists inside lists."""
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> Any:
    """A mapping with itself in it."""
    value: dict[str, Any] = {"a": 1}
    value["self"] = [value]
    return value


def shared(levels: int) -> Any:
    """A small value that has 2 to the power of `levels` leaves when it is written out."""
    value: Any = "leaf"
    for _ in range(levels):
        value = [value, value]
    return value


def long_way(redaction: Redaction, value: Any) -> bytes | None:
    """Return what the reducer makes of a payload, encoded; None when it or the redaction has something to say about it."""
    tally = Tally()
    reduced = Reducer(text_limit=TEXT_LIMIT, payload_limit=PAYLOAD_LIMIT, keys=redaction.keys).payload(value, tally)
    record = SpanRecord(bytes(16), bytes(8), None, "", 0, 0, inputs=reduced)
    unchanged = redaction(record) is record and not (tally.repaired or tally.truncated)
    return encode_record(reduced) if unchanged else None


@settings(deadline=None)
@given(odd | json_values)
def test_what_the_short_look_takes_the_long_way_leaves_as_it_is(value: Any) -> None:
    """Whatever the value, however hostile: the short look refuses it, or both make the same bytes of it."""
    agree(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nested(10),
        lambda: nested(32),
        lambda: nested(33),
        lambda: nested(5_000),
        cyclic,
        lambda: shared(6),
        lambda: shared(40),
        lambda: ["x" * 300] * 13,
        lambda: "x" * (PAYLOAD_LIMIT - 8),
        lambda: {"key": "\ud800"},
        lambda: "\udfff",
        lambda: {str(n): n for n in range(1_000)},
    ],
    ids=[
        "short",
        "deep",
        "too deep",
        "far too deep",
        "cycle",
        "shared",
        "exponential",
        "full",
        "one text",
        "surrogate",
        "alone",
        "wide",
    ],
)
def test_enormous_values_are_refused_or_agreed_upon(make: Callable[[], Any]) -> None:
    """Too deep, in itself, exponentially large when written out, at the limit: refused in bounded time, or the same bytes."""
    agree(make())


def agree(value: Any) -> None:
    """The short look refuses a value, or makes the same bytes of it as the long way."""
    redaction = Redaction()
    taken = Reducer(text_limit=TEXT_LIMIT, payload_limit=PAYLOAD_LIMIT, keys=redaction.keys).fast_payload(value)
    encoded = None if taken is None else encode_record(taken)
    same = encoded is None or encoded == long_way(redaction, value)
    assert same


scalars = texts.map("a".__add__) | numbers | st.floats() | st.booleans() | st.none()
usual = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(
    st.lists(usual, max_size=4) | st.dictionaries(st.sampled_from("abcdef"), usual, max_size=4) | texts.map("a".__add__)
)
def test_the_short_look_takes_the_usual(value: Any) -> None:
    """JSON values in any script, under harmless ASCII keys and with no secret among them, never go the long way."""
    taken = Reducer(text_limit=65_536, payload_limit=2**20, keys=Redaction().keys).fast_payload(value)
    assert encode_record(taken) == encode_record(value)


@pytest.mark.parametrize("form", ["inputs", "outputs"])
def test_a_snapshot_shares_nothing_with_the_caller(form: str) -> None:
    """What the application changes later, however deep, does not change what was recorded."""
    given: dict[str, Any] = {"a": [{"b": [1]}]}
    with Client(config={"adapters": {"memory": {}}}) as client:
        span: Any = client.start_trace("root")
        getattr(span, f"set_{form}")(given)
        given["a"][0]["b"].append(2)
        given["a"][0]["c"] = 3
        assert getattr(span, form) == {"a": [{"b": [1]}]}


@pytest.mark.parametrize("directory", [False, True])
def test_secrets_are_masked_wherever_the_short_look_goes(tmp_path: Any, directory: bool) -> None:
    """A secret deep in inputs, in outputs or in an event is masked and counted, in memory and on disk."""
    journal = {"journal": {"directory": str(tmp_path)}} if directory else {}
    client = Client(config={"adapters": {"memory": {}}, **journal})
    span = client.start_trace("root", inputs={"a": [{"password": "hunter2"}]})
    span.set_outputs([{"b": "Bearer abc"}])
    span.add_event(SpanEvent("e", 1, {"api-key": "k", "harmless": 1}))
    client.end_trace(span.trace_id)
    client.close()
    adapter: Any = client.adapter("memory")
    (record,) = adapter.records
    assert (record.inputs, record.outputs, record.events[0].attributes, record.redacted) == (
        {"a": [{"password": MASK}]},
        [{"b": MASK}],
        {"api-key": MASK, "harmless": 1},
        3,
    )
