"""What the store finds a trace by, and a search that tells how far it is."""

from __future__ import annotations

import msgspec
import pytest

from support.cases import Build
from tracebridge.plugins.adapter import Context, Looked
from tracebridge.reading.search import Condition, Query
from tracebridge.reading.sought import sought
from tracebridge_adapters.sqlite import database
from tracebridge_adapters.store import StoreAdapter, StoreOptions

TRACE_ID = bytes.fromhex("640cfd8d0000000048485a3953bb6124")
ROOT = msgspec.structs.replace(
    Build("find").span("s", custom_trace_id="user123_Report_100%"),
    trace_id=TRACE_ID,
    span_id=bytes.fromhex("00f067aa0ba902b7"),
)
OTHER = Build("other").span("other", custom_trace_id="user9_report")


@pytest.fixture
def store():
    """Two traces."""
    adapter = StoreAdapter(StoreOptions(path=":memory:"), Context("store"))
    adapter.send(adapter.encode([ROOT, OTHER]), 2)
    yield adapter
    adapter.close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5208512171318403364", "low 64 bits"),
        ("48485a3953bb6124", "low 64 bits"),
        ("48485A3953BB6124", "low 64 bits"),
        ("00f067aa0ba902b7", "span ID"),
        ("67667974448284343", "span ID"),
        ("user123", "part of the ID"),
        ("123_report", "part of the ID"),
        ("100%", "part of the ID"),
        ("640cfd8d", "part of the wire ID"),
        ("5a3953bb", "part of the wire ID"),
        ("user_23", None),
        ("0%", "part of the ID"),
        ("%", "part of the ID"),
        ("nothing", None),
        ("", "part of the ID"),
        ("ffff", None),
    ],
)
def test_a_trace_is_found_by_less_than_its_id(store, text, why):
    """Half of it as old logs have it, a span's ID, a part; no character is a wildcard."""
    found = {near.trace_id: near.why for near in store.near(sought(text), 9)}
    assert found.get(TRACE_ID) == why


def test_what_is_like_a_text_is_offered(store):
    """A letter that is missing, or two that changed places."""
    assert [near.custom_trace_id for near in store.similar("user9_reprot", 2)] == ["user9_report"]


def test_the_attribute_under_which_own_ids_travel_means_the_own_id(store):
    """As in any other back-end."""
    for field in ("attribute", "tag", "span_attribute"):
        page = store.search(Query([Condition(field, "=", "user9_report", "tracebridge.trace_id")]))
        assert page.traces == [[OTHER]]


def test_a_search_by_attribute_tells_how_far_it_is_and_can_be_left(monkeypatch):
    """Newest first, piece by piece; each trace comes as soon as it is found."""
    monkeypatch.setattr(database, "PIECE", 10)
    adapter = StoreAdapter(StoreOptions(path=":memory:"), Context("store"))
    spans = [Build(f"t{n}").span("s", start_time_ns=1_000 + n, attributes={"n": n, "odd": n % 2}) for n in range(95)]
    adapter.send(adapter.encode(spans), 95)
    told: list[Looked] = []
    found = adapter.stream(Query([Condition("attribute", "=", 1, "odd")]), told.append)
    assert (next(found), told) == ([spans[93]], [])
    assert [trace[0].attributes["n"] for trace in found] == list(range(91, 0, -2))
    assert told == [Looked(seen, max(1_000, 1_095 - seen)) for seen in (*range(10, 91, 10), 95)]
    adapter.close()


@pytest.mark.parametrize(
    "query",
    [Query(), Query([Condition("name", "=", "s")]), Query([Condition("span_name", "RLIKE", "^s$")], max_results=7)],
)
def test_a_stream_has_what_all_pages_have(query):
    """However it is asked."""
    adapter = StoreAdapter(StoreOptions(path=":memory:"), Context("store"))
    spans = [Build(f"t{n}").span("s", start_time_ns=1_000 + n // 3) for n in range(250)]
    adapter.send(adapter.encode(spans), 250)
    streamed = list(adapter.stream(query, lambda _: None))
    assert len({trace[0].trace_id for trace in streamed}) == len(streamed) == 250
    assert [trace[0].start_time_ns for trace in streamed] == sorted((s.start_time_ns for s in spans), reverse=True)
    adapter.close()
