"""Shared spans: started, changed and ended by their IDs, by clients that share nothing but an engine."""

from __future__ import annotations

from typing import Any

import pytest

import tracebridge
from tracebridge import Client, DuplicateSpanError, SpanEvent, SpanStatusCode, TraceNotFoundError
from tracebridge.spans.span import Span

TRACE = "Order #7 / Köln *?[x]"


@pytest.fixture
def shop(make_client, tmp_path):
    """Make clients that share an engine."""

    def made(**config):
        return make_client(
            open_spans={"engine": "directory", "url": str(tmp_path / "open"), **config.pop("open_spans", {})}, **config
        )

    return made


@pytest.fixture
def ids(shop):
    """A shared trace that some client has started, and is not told of any more."""
    root = shop(resource={"attributes": {"service.name": "web"}}).start_trace(
        "order", trace_id=TRACE, shared=True, attributes={"a": 1}, inputs={"n": 0}, tags={"t": "1"}
    )
    return root.trace_id, root.span_id


def _books(*clients):
    """Return what all clients together have given away and taken, and each one's balance."""
    stats = [client.stats() for client in clients]
    given = sum(s.shared + s.open_spans.orphaned for s in stats)
    return given, sum(s.open_spans.delivered for s in stats), [s.balance("memory") for s in stats]


def test_three_clients_start_change_and_end_one_span(shop, delivered):
    """Who ends has the whole record: the start's resource, everybody's attributes and events, the caller's own ID."""
    web = shop(resource={"attributes": {"service.name": "web"}})
    worker, third = shop(), shop()
    root = web.start_trace("order", trace_id=TRACE, shared=True, attributes={"a": 1, "b": 1})
    span = worker.shared_span(TRACE)
    span.set_attributes({"b": 2, "c": 3})
    span.add_event(SpanEvent("packed", 5))
    root.set_attribute("d", 4)
    third.end_span(TRACE, root.span_id, outputs="done", attributes={"e": 5})
    (record,) = delivered(third)
    assert record.attributes == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    assert (record.name, record.custom_trace_id, record.outputs, record.end_cause, record.status) == (
        "order",
        TRACE,
        "done",
        "finished",
        1,
    )
    assert (record.resource.service_name, [e.name for e in record.events]) == ("web", ["packed"])
    assert _books(web, worker, third) == (1, 1, [0, 0, 0])


def test_the_first_end_wins_whoever_calls_it(shop, delivered, ids):
    """Others are told that it has ended: ends and changes are counted as for a span of this process."""
    one, two = shop(), shop()
    mine = two.shared_span(*ids)
    one.end_span(*ids)
    mine.set_attribute("late", 1)
    mine.end()
    two.end_span(*ids)
    assert (delivered(two), dict(two.stats().misuse)) == ([], {"change_after_end": 1, "end_of_unknown_span": 2})
    assert [record.attributes for record in delivered(one)] == [{"a": 1}]


def test_a_span_is_addressed_by_the_callers_ids_and_by_wire_ids(shop, delivered):
    """In any mixture."""
    one, two = shop(), shop()
    root = one.start_trace("order", trace_id=TRACE, shared=True)
    child = one.start_span("pack", TRACE, root.span_id, span_id="step 1", shared=True)
    two.end_span(root.wire_trace_id, "step 1")
    two.end_trace(TRACE)
    assert [(r.name, r.parent_id, r.custom_span_id) for r in delivered(two)] == [
        ("pack", bytes.fromhex(root.span_id), "step 1"),
        ("order", None, None),
    ]
    assert child.parent_id == root.span_id


def test_plain_spans_go_under_a_shared_one_in_any_process(shop, delivered, ids):
    """Its trace's ID is enough, again and again; their own end stays where they are."""
    worker = shop()
    for name in ("one", "two"):
        worker.start_span(name, TRACE).end()
    worker.start_span("three", TRACE, ids[1]).end()
    assert [(r.name, r.parent_id.hex(), r.custom_trace_id) for r in delivered(worker)] == [
        (name, ids[1], TRACE) for name in ("one", "two", "three")
    ]
    assert worker.stats().open_spans.delivered == 0


def test_a_shared_span_tells_what_has_been_recorded_so_far(shop, ids):
    """Whoever set it."""
    one, two = shop(), shop()
    one.shared_span(*ids).set_status("ERROR")
    span = two.shared_span(*ids)
    assert isinstance(span, Span)
    assert (span.name, span.attributes, span.inputs, span.trace_id, span.status.status_code) == (
        "order", {"a": 1}, {"n": 0}, TRACE, SpanStatusCode.ERROR,
    )  # fmt: skip


def test_exceptions_statuses_types_and_tags_are_merged(shop, delivered, ids):
    """Everything that a span takes goes to the engine."""
    worker, third = shop(), shop()
    span = worker.shared_span(TRACE)
    span.record_exception(ValueError("boom"))
    span.set_span_type("TOOL")
    span.set_outputs([1])
    worker.set_trace_tag(TRACE, "t2", "2")
    third.end_trace(TRACE)
    (record,) = delivered(third)
    assert (record.status, record.status_message, record.span_type, record.outputs, record.tags) == (
        2, "ValueError: boom", "TOOL", [1], {"t": "1", "t2": "2"},
    )  # fmt: skip
    assert [event.name for event in record.events] == ["exception"]


def test_what_is_open_elsewhere_is_among_the_active_traces(shop, ids):
    """And is part of the trace that is read."""
    other = shop()
    other.start_span("local", TRACE)
    assert [span.span_id for span in other.active_traces] == [ids[1]]
    assert other.get_active_trace(TRACE).span_id == ids[1]
    assert sorted(span.name for span in other.get_trace(TRACE).data.spans) == ["local", "order"]


def test_an_end_that_finds_no_start_is_recorded_and_marked(shop, delivered):
    """Never silence; a second one is refused."""
    client = shop()
    for _ in range(2):
        client.end_span("order-8", "b7ad6b7169203331", outputs=1)
    assert [(r.span_id.hex(), r.end_cause, r.outputs, r.custom_trace_id) for r in delivered(client)] == [
        ("b7ad6b7169203331", "orphaned", 1, "order-8")
    ]
    assert (dict(client.stats().misuse), _books(client)) == ({"end_of_unknown_span": 1}, (1, 1, [0]))


def test_a_second_end_of_a_span_of_this_process_alone_is_no_orphan(shop, delivered):
    """Roots, children, and spans under a parent elsewhere."""
    client = shop()
    root = client.start_trace("root")
    child = client.start_span("child", root.trace_id)
    far = client.start_span("far", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    for span in (child, root, far):
        for _ in range(2):
            client.end_span(span.trace_id, span.span_id)
    assert ([r.name for r in delivered(client)], client.stats().misuse["end_of_unknown_span"]) == (
        ["child", "root", "far"],
        3,
    )


def test_secrets_are_masked_before_the_engine_has_them(shop, delivered, tmp_path):
    """In starts, changes and ends; each is counted once."""
    one, two = shop(), shop()
    root = one.start_trace("order", shared=True, attributes={"password": "hunter2"})
    root.set_attribute("api_key", "hunter2")
    two.end_span(root.trace_id, root.span_id, outputs={"token": "hunter2"})
    (record,) = delivered(two)
    assert (record.redacted, record.attributes) == (3, {"password": "[redacted]", "api_key": "[redacted]"})
    assert not any(b"hunter2" in path.read_bytes() for path in (tmp_path / "open").iterdir())


def test_share_all_shares_what_with_blocks_start_too(shop, delivered):
    """Traces, spans and context managers; nesting is as ever."""
    client = shop(open_spans={"share": "all"})
    with client.trace("root") as root, client.span("child"):
        assert client.stats().open == 0
    assert [(r.name, r.parent_id) for r in delivered(client)] == [
        ("child", bytes.fromhex(root.span_id)),
        ("root", None),
    ]
    assert _books(client) == (2, 2, [0])


def test_without_an_engine_shared_is_said_and_the_span_is_as_any(client, delivered):
    """Configuration decides."""
    client.start_trace("r", shared=True).end()
    assert ([r.name for r in delivered(client)], dict(client.stats().misuse)) == (["r"], {"not_shared": 1})


def test_an_engine_that_cannot_be_had_leaves_the_span_in_its_process(shop, delivered, tmp_path):
    """It is ended here as ever."""
    (tmp_path / "open").write_text("a file")
    client = shop()
    root = client.start_trace("r", shared=True)
    root.set_attribute("k", 1)
    root.end()
    stats = client.stats().open_spans
    assert ([r.attributes for r in delivered(client)], stats.kept_local, stats.errors > 0) == ([{"k": 1}], 1, True)


def test_the_end_of_a_client_leaves_shared_spans_open(shop, delivered):
    """They are not this process's to end; calls after it are counted."""
    one, two = shop(), shop()
    root = one.start_trace("order", shared=True)
    one.close()
    root.set_attribute("k", 1)
    root.end()
    two.end_span(root.trace_id, root.span_id)
    assert [(r.name, r.attributes, r.end_cause) for r in delivered(two)] == [("order", {}, "finished")]
    assert dict(one.stats().misuse) == {"change_after_close": 1, "end_after_close": 1}


def test_a_trace_without_an_open_root_has_no_shared_root(shop):
    """`shared_span` says so; with a span's ID it answers all the same, because its end is worth recording."""
    client = shop()
    with pytest.raises(TraceNotFoundError, match="no open root"):
        client.shared_span("order-9")
    span = client.shared_span("order-9", "b7ad6b7169203331")
    span.set_attribute("k", 1)
    assert dict(client.stats().misuse) == {"change_of_unknown_span": 1}


def test_the_journal_on_disk_forgets_what_was_given_away(tmp_path, delivered):
    """Else it came back as unfinished while it is open."""
    config = {
        "adapters": {"memory": {}},
        "journal": {"directory": str(tmp_path / "spans")},
        "open_spans": {"engine": "directory", "url": str(tmp_path / "open")},
    }
    with Client(config=config) as client:
        root = client.start_trace("order", shared=True)
        journal: Any = client._journal
        assert journal._open.places == {}
        root.end()
        assert [r.name for r in delivered(client)] == ["order"]


def test_a_span_of_an_id_that_is_shared_already_is_refused(shop, delivered):
    """Whether it is open or has ended; whoever was killed and begins anew takes the one that is there."""
    one, two = shop(), shop()
    root = one.start_trace("order", trace_id=TRACE, span_id="the order", shared=True)
    with pytest.raises(DuplicateSpanError, match=r"the order.*shared_span"):
        two.start_trace("order", trace_id=TRACE, span_id="the order", shared=True)
    two.shared_span(TRACE, "the order").end()
    with pytest.raises(DuplicateSpanError, match=r"the order.*shared_span"):
        two.start_span("order", TRACE, root.span_id, span_id="the order 2", shared=True).end()
        two.start_span("order", TRACE, root.span_id, span_id="the order 2", shared=True)
    stats = two.stats()
    assert ([r.name for r in delivered(two)], stats.open, stats.started, stats.shared) == (["order", "order"], 0, 1, 1)
    assert _books(one, two) == (2, 2, [0, 0])


def test_wrong_settings_are_located():
    """An unknown engine is named with what there is."""
    with pytest.raises(tracebridge.ConfigError, match=r"open_spans.engine.*directory"):
        Client(config={"adapters": {"memory": {}}, "open_spans": {"engine": "etcd"}})
