"""Any Python value is recorded as well as possible, counted, and never raises."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import threading
import uuid
from collections import OrderedDict, UserDict, deque, namedtuple
from pathlib import PurePosixPath
from typing import Any

import pytest

from tracebridge.masking.names import is_secret_key
from tracebridge.records.known_keys import KnownKeys
from tracebridge.records.values import INT64_MAX, Reducer, Tally

Point = namedtuple("Point", "x y")


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Order:
    sku: str
    count: int


class Hostile:
    """Breaks whenever it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Shy:
    def __str__(self) -> str:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        return "<shy>"


@pytest.fixture
def reducer() -> Reducer:
    """A reducer with small limits."""
    return Reducer(text_limit=100, payload_limit=2000, keys=KnownKeys(is_secret_key))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (True, True),
        (1.5, 1.5),
        (-3, -3),
        (INT64_MAX, INT64_MAX),
        (b"raw", b"raw"),
        (bytearray(b"raw"), b"raw"),
        ([1, "a", None], [1, "a", None]),
        ((1, 2), [1, 2]),
        (deque([1]), [1]),
        ({1}, [1]),
        ({"a": {"b": (1,)}}, {"a": {"b": [1]}}),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        ({1: "a", None: "b", 2.5: "c"}, {"1": "a", "None": "b", "2.5": "c"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Order("A", 2), {"sku": "A", "count": 2}),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "2026-01-02T00:00:00+00:00"),
        (PurePosixPath("/a/b"), "/a/b"),
    ],
    ids=repr,
)
def test_ordinary_values_are_recorded_unmarked(reducer, value, expected):
    """What has an obvious plain form is given it, without a mark."""
    tally = Tally()
    got = reducer.payload(value, tally)
    assert (got, type(got), tally.repaired, tally.truncated) == (expected, type(expected), 0, 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63, str(2**63)),
        (-(2**70), str(-(2**70))),
        ("a\ud800b", "a\\ud800b"),
        (Hostile(), "<Hostile: unprintable>"),
    ],
    ids=["int64+1", "big", "surrogate", "hostile"],
)
def test_values_that_cannot_be_recorded_as_given_are_replaced_and_marked(reducer, value, expected):
    """The nearest text stands in, and the tally says so."""
    tally = Tally()
    assert reducer.payload([value], tally) == [expected]
    assert tally.repaired == 1


def test_an_object_whose_str_is_broken_shows_its_repr(reducer):
    """The next best text is taken."""
    assert reducer.payload(Shy(), Tally()) == "<shy>"


def test_a_cycle_ends_at_itself(reducer):
    """Containers that hold themselves are cut where they repeat."""
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    tally = Tally()
    assert reducer.payload(value, tally) == {"a": 1, "self": "<cycle>"}
    assert tally.repaired == 1


def test_the_same_object_twice_is_no_cycle(reducer):
    """Sharing is not a cycle."""
    shared = [1]
    assert reducer.payload({"a": shared, "b": shared}, Tally()) == {"a": [1], "b": [1]}


def test_nesting_is_bounded(reducer):
    """A thousand levels are cut, not a RecursionError."""
    value: Any = "deep"
    for _ in range(1000):
        value = [value]
    tally = Tally()
    reducer.payload(value, tally)
    assert tally.repaired == 1


def test_nan_and_infinity_are_kept(reducer):
    """Odd floats are floats; formats know what to do with them."""
    got = reducer.payload([math.nan, math.inf], Tally())
    assert math.isnan(got[0])
    assert got[1] == math.inf


def test_a_payload_is_cut_to_its_limit(reducer):
    """Ten megabytes weigh no more than the limit, and the cut is counted."""
    tally = Tally()
    got = reducer.payload(["x" * 1000] * 10_000, tally)
    assert sum(map(len, got)) <= 2000
    assert tally.truncated > 0


def test_text_is_cut_to_its_limit_and_marked(reducer):
    """A long attribute keeps its beginning."""
    tally = Tally()
    got = reducer.attributes({"k": "x" * 101}, tally)["k"]
    assert (len(got), got[-1], tally.truncated) == (100, "…", 1)


def test_a_snapshot_shares_nothing(reducer):
    """Changing the object afterwards changes nothing."""
    value: dict[str, Any] = {"list": [1], "map": {"a": 1}}
    got = reducer.payload(value, Tally())
    value["list"].append(2)
    value["map"]["a"] = 2
    assert got == {"list": [1], "map": {"a": 1}}


@pytest.mark.parametrize("given", ["text", 7, [("a", 1)], object()], ids=["text", "number", "pairs", "object"])
def test_attributes_that_are_no_mapping_are_kept_as_one_marked_attribute(reducer, given):
    """Nothing that was handed in disappears."""
    tally = Tally()
    got = reducer.attributes(given, tally)
    assert (list(got), tally.repaired) == (["tracebridge.unreadable_attributes"], 1)


def test_none_means_not_set(reducer):
    """An attribute of None is left out; inside containers None stays."""
    assert reducer.attributes({"a": None, "b": [None]}, Tally()) == {"b": [None]}


def test_the_short_way_equals_the_long_way(reducer):
    """What `plain` takes, `attributes` would have returned."""
    given = {"a": "x", "b": 1, "c": 1.5, "d": False}
    assert reducer.fast_attributes(given) == reducer.attributes(given, Tally()) == given
    assert reducer.fast_attributes(given) is not given


@pytest.mark.parametrize(
    "odd", [{"a": None}, {"a": [1]}, {"a": 2**63}, {"a": "x" * 101}, {1: "a"}, {"password": "x"}, {"é": 1}]
)
def test_the_short_way_refuses_everything_odd(reducer, odd):
    """Anything but plain scalars under harmless ASCII keys takes the long way."""
    assert reducer.fast_attributes(odd) is None


def test_a_mapping_that_changes_while_it_is_read_is_read(reducer):
    """Another thread's insertions never raise."""
    shared: dict[str, int] = {str(n): n for n in range(200)}
    stop = threading.Event()

    def churn() -> None:
        n = 0
        while not stop.is_set():
            shared[f"new {n % 500}"] = n
            shared.pop(f"new {(n - 250) % 500}", None)
            n += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(300):
            assert reducer.attributes(shared, Tally())["7"] == 7
            other: UserDict[str, Any] = UserDict()
            other.data = shared
            tally = Tally()
            got = reducer.attributes(other, tally)
            assert got.get("7") == 7 or tally.repaired == 1
    finally:
        stop.set()
        thread.join()


class Shouting(str):
    """A str that is not exactly one."""


class Number(int):
    """An int that is not exactly one."""


@pytest.mark.parametrize("odd", [decimal.Decimal(1), fractions.Fraction(1), Number(1), Shouting("GET"), 1.0, True])
def test_a_value_that_equals_one_seen_before_is_recorded_as_what_it_is(odd, make_client, delivered):
    """Values are remembered once they were found harmless; what only claims to be one of them costs no span."""
    client = make_client()
    with client.trace("warm", attributes={"a": 1, "b": "GET"}) as root:
        client.end_span(root.trace_id, client.start_span("s", attributes={"a": 1, "b": "GET"}).span_id)
        child = client.start_span("odd", attributes={"a": odd})
        client.end_span(root.trace_id, child.span_id)
    (record,) = [record for record in delivered(client) if record.name == "odd"]
    wanted = Reducer(text_limit=100, payload_limit=100, keys=KnownKeys(lambda key: False)).attribute(odd, Tally())
    assert (record.attributes, type(record.attributes["a"])) == ({"a": wanted}, type(wanted))


def test_a_credential_is_found_however_often_its_key_was_harmless(make_client, delivered):
    """What was seen before says nothing of what comes now."""
    client = make_client()
    with client.trace("t"):
        for value in ("Bearer", "Bearer abc", "Bearer abc"):
            client.start_span("s", attributes={"note": value}).end()
    assert [record.attributes.get("note") for record in delivered(client)][:3] == ["Bearer", "[redacted]", "[redacted]"]


class Matrix:
    """What numpy's arrays look like, and which rows were asked for."""

    dtype = "int64"

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = (rows, columns)

    def __getitem__(self, rows: slice) -> Matrix:
        return Matrix(rows.stop, self.shape[1])

    def tolist(self) -> list[list[int]]:
        assert self.shape[0] <= 30, "the whole of it was read"
        return [[7] * self.shape[1] for _ in range(self.shape[0])]


@pytest.mark.parametrize(
    "value", [Matrix(10**9, 10), [[7] * 10] * 10**5, ((7,) * 10,) * 10**5], ids=["array", "list", "tuple"]
)
def test_of_an_enormous_value_only_what_fits_is_read(reducer, value):
    """The caller waits for what is recorded, not for what is cut."""
    tally = Tally()
    recorded = reducer.payload(value, tally)
    assert (recorded[:20], len(recorded) < 30, tally.truncated > 0) == ([[7] * 10] * 20, True, True)


def test_an_array_that_fits_is_recorded_whole(reducer):
    """As nested lists."""
    assert reducer.payload(Matrix(3, 2), Tally()) == [[7, 7]] * 3
