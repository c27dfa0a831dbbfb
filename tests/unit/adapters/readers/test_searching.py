"""Search over a system that only knows "the newest traces up to here": every condition, every page, nothing twice, nothing missed."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import pytest

from support.cases import Build
from tracebridge.errors import InvalidParameterError
from tracebridge.reading.search import Condition, Order, Query
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.records.span_identity import in_order
from tracebridge_adapters.readers import searching

MS = 1_000_000
NOW_MS = int(time.time() * 1000)


def trace(number: int, ms_ago: int = 0, **fields: Any) -> list[SpanRecord]:
    """A trace of one span."""
    start = (NOW_MS - ms_ago) * MS
    return [Build(f"trace {number}").span(f"t{number}", start_time_ns=start, end_time_ns=start + 10 * MS, **fields)]


class System:
    """Answers as Zipkin and Jaeger do, and counts how often it is asked."""

    def __init__(self, traces: list[list[SpanRecord]]) -> None:
        self.traces = traces
        self.asked = 0

    def fetch(self, first_ms: int, last_ms: int, limit: int) -> tuple[list[list[SpanRecord]], bool]:
        self.asked += 1
        inside = [t for t in self.traces if first_ms <= t[0].start_time_ns // MS <= last_ms]
        newest = sorted(inside, key=lambda t: -t[0].start_time_ns)[:limit]
        random.Random(self.asked).shuffle(newest)  # no order is promised
        return newest, len(newest) >= limit


def names(page: Any) -> list[str]:
    """The roots' names."""
    return [spans[0].name for spans in page.traces]


@pytest.mark.parametrize("size", [1, 7, 100, 500])
def test_pages_give_every_trace_once_newest_first(size: int) -> None:
    """Also where many traces began in the same millisecond, at the border of two pages."""
    system = System([trace(n, ms_ago=n // 40) for n in range(450)])
    got: list[str] = []
    token = None
    while True:
        page = searching.search(Query(max_results=size, page_token=token), system.fetch)
        got += names(page)
        token = page.token
        if token is None:
            break
    assert sorted(got) == sorted(f"t{n}" for n in range(450))
    assert [int(name[1:]) // 40 for name in got] == sorted(n // 40 for n in range(450))


def test_a_search_that_matches_little_stops_and_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """No question to a server is without bound."""
    monkeypatch.setattr(searching, "MAX_LOOKED_AT", 150)
    system = System([trace(n, ms_ago=n) for n in range(400)])
    query = Query([Condition("name", "=", "t399")], max_results=10)
    page = searching.search(query, system.fetch)
    assert (names(page), page.token is None) == ([], False)
    found: list[str] = []
    while page.token is not None:
        page = searching.search(Query(query.conditions, max_results=10, page_token=page.token), system.fetch)
        found += names(page)
    assert found == ["t399"]


def test_seven_days_are_looked_at_unless_the_search_says_more() -> None:
    """Zipkin's own default; a lower bound of time is obeyed however old."""
    week = 7 * 86_400_000
    system = System([trace(1, 5), trace(2, week - 3_600_000), trace(3, 3 * week)])
    assert names(searching.search(Query(), system.fetch)) == ["t1", "t2"]
    assert names(searching.search(Query([Condition("timestamp_ms", ">=", 0)]), system.fetch)) == ["t1", "t2", "t3"]
    old = NOW_MS - 2 * week
    assert names(searching.search(Query([Condition("timestamp_ms", "<", old)]), system.fetch)) == ["t3"]


ROOT = trace(
    1, 0, attributes={"n": 10, "text": "10", "x": 1.5, "on": True, "none": None}, tags={"team": "blue"}, custom_trace_id="user1_a",
    resource=Resource({"service.name": "Shop"}),
)  # fmt: skip
CHILD = [*ROOT, Build("child").span("child", ROOT[0], attributes={"deep": "yes"})]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("name", "=", "t1"), True),
        (Condition("name", "=", "T1"), False),
        (Condition("name", "ILIKE", "T_"), True),
        (Condition("name", "LIKE", "1%"), False),
        (Condition("name", "!=", "t2"), True),
        (Condition("service", "=", "Shop"), True),
        (Condition("status", "=", "ok"), True),
        (Condition("status", "!=", "OK"), False),
        (Condition("duration_ms", ">=", 10), True),
        (Condition("duration_ms", ">", 10), False),
        (Condition("timestamp_ms", "=", NOW_MS), True),
        (Condition("custom_trace_id", "LIKE", "user1%"), True),
        (Condition("custom_trace_id", "=", "user2"), False),
        (Condition("trace_id", "=", ROOT[0].trace_id.hex()), True),
        (Condition("attribute", "=", "yes", "deep"), True),
        (Condition("attribute", "=", 10, "n"), True),
        (Condition("attribute", "=", "10", "n"), True),
        (Condition("attribute", ">", 9, "text"), True),
        (Condition("attribute", "<", 2, "x"), True),
        (Condition("attribute", "=", "true", "on"), True),
        (Condition("attribute", "=", True, "on"), True),
        (Condition("attribute", ">", 1, "on"), False),
        (Condition("attribute", "=", "x", "none"), False),
        (Condition("attribute", "=", "x", "missing"), False),
        (Condition("tag", "=", "blue", "team"), True),
        (Condition("name", "LIKE", "T_"), False),
        (Condition("name", "RLIKE", "1$"), True),
        (Condition("name", "IN", ("x", "t1")), True),
        (Condition("name", "NOT IN", ("x", "t1")), False),
        (Condition("status", "IN", ("error", "ok")), True),
        (Condition("end_time_ms", "=", NOW_MS + 10), True),
        (Condition("experiment_id", "IN", ("0", "3")), True),
        (Condition("attribute", "IN", (9, 10), "n"), True),
        (Condition("attribute", "IS NULL", None, "missing"), True),
        (Condition("attribute", "IS NOT NULL", None, "deep"), True),
        (Condition("tag", "IS NULL", None, "team"), False),
        (Condition("tag", "ILIKE", "BL%", "team"), True),
    ],
    ids=str,
)
def test_conditions_mean_what_they_mean_in_the_store(condition: Condition, holds: bool) -> None:
    """Text with text, numbers with numbers or with what spells one, attributes of any span."""
    assert searching.matches(CHILD, [condition]) is holds


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ([Condition("span_name", "=", "child"), Condition("span_attribute", "=", "yes", "deep")], True),
        ([Condition("span_name", "=", "t1"), Condition("span_attribute", "=", "yes", "deep")], False),
        ([Condition("span_type", "=", "UNKNOWN"), Condition("span_status", "!=", "ERROR")], True),
        ([Condition("span_type", "RLIKE", "^LLM$")], False),
    ],
    ids=str,
)
def test_what_is_asked_of_a_span_holds_for_one_and_the_same(conditions: list[Condition], holds: bool) -> None:
    """As MLflow has it."""
    assert searching.matches(CHILD, conditions) is holds


def test_a_system_that_folds_names_is_searched_in_any_case() -> None:
    """Zipkin has them in lower case only."""
    for condition in (
        Condition("service", "=", "sHOP"),
        Condition("name", "IN", ("T1",)),
        Condition("name", "LIKE", "T_"),
        Condition("span_name", "=", "T1"),
    ):
        assert searching.matches(ROOT, [condition], folds_names=True)


@pytest.mark.parametrize(
    "query",
    [
        Query(order_by=[Order("name")]),
        Query(order_by=[Order("timestamp_ms")]),
        Query(page_token="x"),
        Query(page_token="1:zz"),
    ],
)
def test_what_such_a_system_cannot_do_is_an_error(query: Query) -> None:
    """Never a page in another order than was asked for."""
    with pytest.raises(InvalidParameterError):
        searching.search(query, System([]).fetch)


def test_what_a_store_keeps_twice_is_read_once():
    """A span that was sent again because its first answer was lost; spans that only share an ID stay two."""
    (span,) = trace(1)
    (again,) = trace(1)
    half = msgspec.structs.replace(span, shared=True)
    assert in_order([half, span, again]) == [span, half]


def test_the_attribute_under_which_own_ids_travel_is_looked_for_among_own_ids() -> None:
    """Records that were read back have it no more."""
    query = Query([Condition("attribute", "=", "order-7", "own.id"), Condition("attribute", "=", 1, "n")])
    assert query.with_own_ids("own.id").conditions == [
        Condition("custom_trace_id", "=", "order-7"),
        Condition("attribute", "=", 1, "n"),
    ]
