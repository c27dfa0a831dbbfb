"""Records as hypothesis makes them: any that our own calls can make, and hostile ones that only a foreign program could."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tracebridge import Link as LinkGiven
from tracebridge import SpanEvent, SpanId, SpanStatus, SpanStatusCode, TraceId
from tracebridge.records.record import EndCause, Event, Link, Resource, Scope, SpanRecord

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
broken_texts = st.text(st.characters(), max_size=20)  # lone surrogates too
numbers = st.integers(-(2**63), 2**63 - 1)
times = st.integers(0, 2**63 - 1)
floats = st.floats(allow_nan=False)
scalars = texts | numbers | floats | st.booleans()
values = st.recursive(
    scalars | st.binary(max_size=20),
    lambda inner: st.lists(st.none() | inner, max_size=4) | st.dictionaries(texts, st.none() | inner, max_size=4),
    max_leaves=10,
)
keys = texts.filter(
    lambda key: not key.startswith(("mlflow.", "input.", "output.", "openinference.", "gen_ai.", "tracebridge."))
)
"""Names that are not a dialect's own: one of those is read back as what the dialect means by it."""
attributes = st.dictionaries(keys, values, max_size=6)
json_values = st.recursive(
    texts | numbers | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: st.lists(st.none() | inner, max_size=3) | st.dictionaries(texts, st.none() | inner, max_size=3),
    max_leaves=8,
)
trace_ids = st.binary(min_size=16, max_size=16).filter(any)
span_ids = st.binary(min_size=8, max_size=8).filter(any)
counts = st.integers(0, 2**32 - 1)
resources = st.builds(
    Resource, st.builds(lambda name, rest: {**rest, "service.name": name}, texts.filter(bool), attributes), texts
)
scopes = st.none() | st.builds(Scope, texts, texts, attributes, texts).filter(lambda scope: scope != Scope())
records = st.builds(
    SpanRecord,
    trace_id=trace_ids,
    span_id=span_ids,
    parent_id=st.none() | span_ids,
    name=texts,
    start_time_ns=times,
    end_time_ns=times,
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
    status_message=texts,
    attributes=attributes,
    inputs=st.none() | json_values,
    outputs=st.none() | json_values,
    span_type=st.sampled_from(["UNKNOWN", "LLM", "CHAIN", "MY_OWN", "123", "null"]),
    events=st.lists(st.builds(Event, texts, times, attributes, counts), max_size=3).map(tuple),
    links=st.lists(st.builds(Link, trace_ids, span_ids, texts, attributes, counts, counts), max_size=3).map(tuple),
    custom_trace_id=st.none() | texts.filter(bool),
    custom_span_id=st.none() | texts.filter(bool),
    trace_state=texts,
    flags=st.integers(0, 255),
    parent_is_remote=st.booleans(),
    end_cause=st.sampled_from([cause.value for cause in EndCause]),
    dropped_attributes=counts,
    dropped_events=counts,
    dropped_links=counts,
    truncated=counts,
    redacted=counts,
    repaired=counts,
    scope=scopes,
    resource=resources,
)

hostile = st.recursive(
    broken_texts | st.integers() | st.floats() | st.none() | st.binary(max_size=9) | st.sampled_from(EndCause),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(broken_texts, inner, max_size=3),
    max_leaves=6,
)
hostile_records = st.builds(
    lambda words, times, attributes, payload, tags: SpanRecord(
        b"t" * 16, b"s" * 8, None, words, times[0], times[1], status=2, status_message=words, attributes=attributes,
        inputs=payload, outputs=payload, span_type=words, events=(Event(words, times[2], attributes),), tags=tags,
        custom_trace_id=words, links=(Link(b"t" * 16, b"s" * 8, words, attributes),), trace_state=words, scope=Scope(words),
        resource=Resource({"service.name": words, **attributes}),
    ),
    broken_texts,
    st.tuples(st.integers(), st.integers(), st.integers()),
    st.dictionaries(broken_texts, hostile, max_size=4),
    hostile,
    st.dictionaries(broken_texts, broken_texts, max_size=3),
)  # fmt: skip


class Unwilling:
    """Raises whatever is asked of it, but for what hypothesis asks."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return Unwilling
        raise RuntimeError(name)

    def __repr__(self) -> str:
        return "Unwilling()"

    def _refuse(self, *_: Any) -> Any:
        raise RuntimeError("asked")

    __str__ = __hash__ = __eq__ = __bool__ = __iter__ = __len__ = __index__ = _refuse


class OddText(str):
    """A text that will not be looked up."""

    __slots__ = ()
    __hash__ = Unwilling.__hash__


class Foreign(enum.Enum):
    """Somebody else's enumeration."""

    CLIENT = 7
    OK = "fine"
    OTHER = None


class Numbers(enum.IntEnum):
    """One that counts."""

    SERVER = 1
    ELSEWHERE = 40


_things: list[Callable[[], Any]] = [lambda thing=thing: thing for thing in (  # type: ignore[misc]
        *range(-2, 8), 2**31, 2**32, 2**63, 2**64, 2**70, 2.0, True, False, "client", "SERVER", "OK", "error", "current", "00f067aa0ba902b7",
        "4bf92f3577b34da6a3ce929d0e0e4736", "", "order 7", Unwilling(), OddText("odd"), Foreign.CLIENT, Foreign.OK, Foreign.OTHER, Numbers.SERVER,
        Numbers.ELSEWHERE, object(), int, [[]], {1: {2: object}}, ValueError("broke"), math.nan, math.inf, "lone \ud800", {"\ud800": "\udfff"}, b"\xff",
        {1, "a"}, (n for n in "ab"), "x" * 2000, SpanStatus(SpanStatusCode.ERROR, "broke"), SpanEvent("event"), LinkGiven("1", "2"), lambda: None,
        TraceId("order 8"), SpanId("span 8"), decimal.Decimal(3), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "-1", [], {}, (),
)]  # fmt: skip
anything = hostile | st.sampled_from(_things).map(lambda make: make())
"""What a program may hand to any argument of any call, rightly, by mistake, or in spite."""
