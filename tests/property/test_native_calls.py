"""The calls' short way in C leaves exactly what the Python methods leave: records, counters, errors, and what a caller sees; whatever it is called with."""

from __future__ import annotations

import enum
import random
from tempfile import TemporaryDirectory
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.strategies import json_values
from tracebridge import Client, SpanEvent
from tracebridge.ids.random_ids import BLOCK, _pairs_of, pairs_of, shared_ids
from tracebridge.journal.accounts import JournalStats
from tracebridge.journal.segment import Segment
from tracebridge.native import functions

pytestmark = pytest.mark.skipif(functions is None, reason="the native module is not in use")

WAITING = {"memory": {"sending_queue": {"flush_interval": "1h", "max_batch": 1_000_000}}}


class Frozen:
    """A clock that is C code, as the system's is, and stands still: both sides read the same."""

    wall_ns = (1_800_000_000_000_000_000).conjugate
    ticks_ns = (5_000_000_000).conjugate


class Text(str):
    """A text that is not quite one."""

    __slots__ = ()


class Number(int):
    """A number that is not quite one."""


class Level(enum.IntEnum):
    HIGH = 3


class Rude:
    """An object whose every answer is an error."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __index__ = __bool__ = __len__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")


ODD_TEXTS = [
    "",
    "password",
    "Bearer x",
    "basic y",
    "best",
    "x" * 1100,
    "x" * 40,
    "\ud800",
    "é" * 200,
    "a" * 16,
    "0" * 32,
    Text("t"),
]
AT_THE_EDGES = [
    sign * 2**bits + more for sign in (1, -1) for bits in (5, 7, 8, 15, 16, 31, 32, 63) for more in (-1, 0, 1)
]
IDS = [
    "order-1",
    "order-2",
    "é",
    "a" * 16,
    "a" * 32,
    "A" * 32,
    "tr-" + "a" * 32,
    "x" * 54,
    "x" * 55,
    "x" * 56,
    "x" * 513,
    "",
    Text("order-1"),
    None,
    7,
]

odd_texts = st.text(max_size=6) | st.sampled_from(ODD_TEXTS)
odd = (
    odd_texts
    | st.integers(-(2**65), 2**65)
    | st.sampled_from(AT_THE_EDGES)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=4)
    | st.sampled_from([Number(4), Level.HIGH, object, 1 + 2j, ["a"], ("a",), {"a": [1]}])
    | st.builds(Rude)
)
keys = st.sampled_from(
    ["http.method", "a", "b", "key with spaces", "password", "é", "x" * 300, Text("t"), 5, None, Level.HIGH]
)
mappings = st.dictionaries(keys, odd, max_size=20) | st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers() | odd_texts, max_size=8
)
attributes = st.none() | mappings | st.lists(odd, max_size=2)
payloads = st.none() | odd | json_values | st.dictionaries(st.text("ab", max_size=2), odd | json_values, max_size=3)
names = st.sampled_from(["operation", "é", "x" * 1024, "x" * 1025, "\ud800", Text("t"), None, 5])
types = st.sampled_from(["UNKNOWN", "LLM", "x" * 2000, None, Text("t"), "\ud800"])
kinds = st.sampled_from([0, 1, 5, 6, -1, 2**70, None, "client", "odd", True, Level.HIGH, 1.0])
ids = st.sampled_from(IDS)
number = st.integers(0, 30)
odd_rest = st.fixed_dictionaries(
    {}, optional={"span_type": types, "kind": kinds, "inputs": payloads, "attributes": attributes}
)
extra = st.fixed_dictionaries(
    {},
    optional={
        "start_time_ns": st.sampled_from([5, -1, None]),
        "tags": st.just({"team": "a"}),
        "run_id": st.just("r"),
        "span_id": ids,
        "experiment_id": st.just("e"),
    },
)
ending = st.fixed_dictionaries(
    {},
    optional={
        "outputs": payloads,
        "attributes": attributes,
        "status": st.sampled_from(["OK", "ERROR", "odd", None]),
        "end_time_ns": st.sampled_from([9, -1, None, 2**70]),
    },
)
steps = st.one_of(
    st.tuples(st.just("begin"), ids, names, odd_rest, st.just({}) | extra),
    st.tuples(st.just("start"), number, number, names, odd_rest),
    st.tuples(
        st.just("start"),
        number,
        number,
        st.just("operation"),
        st.fixed_dictionaries({}, optional={"attributes": st.dictionaries(keys, odd_texts)}),
    ),
    st.tuples(st.just("set"), number, mappings),
    st.tuples(st.just("outputs"), number, payloads),
    st.tuples(st.just("event"), number, mappings),
    st.tuples(st.just("end"), number, ending),
    st.tuples(st.just("end_span"), number, number, ending),
    st.tuples(st.just("end_trace"), number, ending),
    st.tuples(st.just("with"), number, attributes),
)


def written(segment: Any) -> list[Any]:
    """What stands in a segment of either journal."""
    if isinstance(segment, Segment):
        return [(kind, segment.body(at)) for kind, at, _ in segment.scan()]
    return list(segment.records)


class Run:
    """One client, the spans that it was asked for, and what was seen of them."""

    def __init__(self, native: bool, journal: dict[str, Any] | None = None) -> None:
        limits = {"attribute_value_length_limit": 1000, "attribute_count_limit": 10}
        config = {"adapters": WAITING, "limits": limits, "journal": journal or {}}
        self.client = Client(config=config, clock=Frozen())
        assert self.client._native is not None, "the short way is there"
        if not native:
            self.client._native = None
        self.spans: list[Any] = []
        self.seen: list[Any] = []

    def span(self, at: int) -> Any:
        return self.spans[at % len(self.spans)]

    def step(self, what: str, *given: Any) -> Any:
        client = self.client
        if what == "begin":
            custom_id, name, rest, more = given
            self.spans.append(client.start_trace(name, trace_id=custom_id, **rest, **more))
        elif not self.spans:
            return None
        elif what == "start":
            trace, parent, name, rest = given
            self.spans.append(client.start_span(name, self.span(trace).trace_id, self.span(parent).span_id, **rest))
        elif what == "set":
            self.span(given[0]).set_attributes(given[1])
        elif what == "outputs":
            self.span(given[0]).set_outputs(given[1])
        elif what == "event":
            self.span(given[0]).add_event(SpanEvent("e", 5, given[1]))
        elif what == "end":
            self.span(given[0]).end(**given[1])
        elif what == "end_span":
            client.end_span(self.span(given[0]).trace_id, self.span(given[1]).span_id, **given[2])
        elif what == "end_trace":
            client.end_trace(self.span(given[0]).trace_id, **given[1])
        else:
            with client.span("inside", self.span(given[0]).trace_id, attributes=given[1]) as span:
                self.spans.append(span)
        return None

    def all(self, program: list[tuple[Any, ...]]) -> Any:
        """Everything that a program of calls leaves."""
        with shared_ids.replaced(random.Random(5)):
            for step in program:
                try:
                    self.seen.append(self.step(*step))
                except Exception as error:
                    self.seen.append((type(error).__name__, str(error)))
            left = self.left()
            self.client.close(timeout_s=0)
            return *left, self.left()

    def left(self) -> tuple[Any, ...]:
        client = self.client
        spans = [(span.name, span.trace_id, span.span_id, span.parent_id, span.kind, span.span_type, span.start_time_ns, span.end_time_ns, span.cause,
                  span.status, repr(span.attributes), repr(span.inputs), repr(span.outputs)) for span in self.spans]  # fmt: skip
        records = [told for segment in cast(Any, client._journal)._segments for told in written(segment)]
        table = client._table
        books = msgspec.structs.replace(client.stats(), adapters={}, journal=JournalStats()).to_dict()
        return (
            self.seen,
            spans,
            records,
            books,
            sorted(table.traces),
            sorted(table.finished.young),
            sorted(table.left.young),
        )


programs = st.lists(steps, max_size=14).map(lambda program: [("begin", "order-1", "root", {}, {}), *program])


@settings(max_examples=150, deadline=None)
@given(programs)
def test_both_sides_leave_the_same(program: list[tuple[Any, ...]]) -> None:
    """Records byte for byte, counters, errors and spans are those of the Python methods."""
    assert Run(native=True).all(program) == Run(native=False).all(program)


@settings(max_examples=60, deadline=None)
@given(programs)
def test_both_sides_leave_the_same_on_disk(program: list[tuple[Any, ...]]) -> None:
    """The same with a journal in a directory: records of starts, changes and ends, in this order."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        pure = Run(native=False, journal={"directory": other}).all(program)
        assert Run(native=True, journal={"directory": one}).all(program) == pure


@given(st.lists(st.binary(min_size=8, max_size=8) | st.just(bytes(8)), min_size=BLOCK, max_size=BLOCK))
def test_random_bytes_are_the_same_ids(block: list[bytes]) -> None:
    """As pairs of bytes and digits, without zeros."""
    data = b"".join(block)
    assert pairs_of(data) == _pairs_of(data)
