"""Records as rows of the store: what comes back is what went in, whatever is in it, and SQL sees what has columns."""

from __future__ import annotations

import contextlib
import math
import sqlite3

import msgspec
import pytest
from hypothesis import given

from support.cases import Build
from support.strategies import records
from tracebridge.records.record import EndCause, Event, Link, Resource, Scope, SpanRecord
from tracebridge.records.span_identity import settled
from tracebridge_adapters.sqlite.database import StoreDatabase, encode

BUILD = Build("rows")
ODD = {
    "bytes": BUILD.span("s", attributes={"b": b"\0\1", "n": 1}, inputs=b"x"),
    "infinite": BUILD.span("s", attributes={"f": math.inf, "g": 1.0}, outputs=[math.inf]),
    "false values": BUILD.span("s", inputs=0, outputs=False, attributes={"e": "", "l": [], "d": {}}),
    "ends before it starts": BUILD.span("s", start_time_ns=10, end_time_ns=5),
    "everything rare": BUILD.span(
        "s", events=(Event("e", 1, {"k": b"v"}),), links=(Link(b"l" * 16, b"l" * 8),), tags={"t": "v"}, trace_state="a=b", flags=3, debug=True,
        parent_is_remote=True, dropped_events=2, experiment_id="7", custom_span_id="row-1", span_id_scheme="hash", id_scheme="hash",
        custom_trace_id="own", end_cause=EndCause.LEAKED.value, opened_at="a.py:1", span_type="LLM", status=2, status_message="no",
        resource=Resource({"service.name": "shop", "n": 1}, "https://schema"), scope=Scope("lib", "1", {"a": 1}),
    ),
    "no resource": msgspec.structs.replace(BUILD.span("s"), resource=None),
}  # fmt: skip


def kept(*spans: SpanRecord) -> list[SpanRecord]:
    """What a store gives back."""
    store = StoreDatabase(":memory:", "store")
    store.write(encode(spans))
    found = store.get(spans[0].trace_id)
    store.close()
    return found


@pytest.mark.parametrize("record", ODD.values(), ids=ODD)
def test_a_record_comes_back_as_it_was(record):
    """Types, odd values and rare fields included."""
    assert kept(record) == [record]


@given(records)
def test_any_record_comes_back_as_it_was(record):
    """Exactly."""
    assert kept(record) == settled([record])


def test_spans_of_one_trace_keep_their_different_own_ids():
    """One has none, one came with another that means the same trace; the trace is found by each."""
    root = BUILD.span("root", custom_trace_id="first")
    spans = [root, BUILD.span("none", root), BUILD.span("other", root, custom_trace_id="second")]
    store = StoreDatabase(":memory:", "store")
    store.write(encode(spans[1:]))
    store.write(encode(spans[:1]))
    assert sorted(span.custom_trace_id or "" for span in store.get(root.trace_id)) == ["", "first", "second"]
    assert [store.find(text) for text in ("first", "second", "third")] == [[root.trace_id], [root.trace_id], []]
    store.close()


def test_sql_sees_names_times_services_attributes_and_tags(tmp_path):
    """As docs/store.md describes them; what many spans share stands there once."""
    path = tmp_path / "spans.db"
    root = BUILD.span(
        "root", custom_trace_id="order-7", attributes={"n": 1}, tags={"team": "blue"}, resource=Resource({"service.name": "shop"}), status=2
    )  # fmt: skip
    child = BUILD.span(
        "child", root, custom_trace_id="order-7", inputs={"q": [1]}, resource=Resource({"service.name": "shop"})
    )
    store = StoreDatabase(str(path), "store")
    store.write(encode([child, root]))
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as sql:
        spans = """SELECT t.custom_trace_id, s.name, o.service, s.status, json_extract(s.attributes, '$.n'), s.inputs FROM spans s
            JOIN traces t ON t.id = s.trace JOIN origins o ON o.id = s.origin ORDER BY s.name DESC"""
        assert sql.execute(spans).fetchall() == [
            ("order-7", "root", "shop", "ERROR", 1, None),
            ("order-7", "child", "shop", "OK", None, '{"q":[1]}'),
        ]
        assert sql.execute("SELECT key, value FROM tags").fetchall() == [("team", "blue")]
        assert sql.execute("SELECT count(*) FROM origins").fetchone() == (1,)
