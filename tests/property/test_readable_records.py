"""What a call accepts, the journal can read back: nothing is ever `corrupt` that was not damaged on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.strategies import OddText, anything, hostile_records
from tracebridge import Client, Link, RemoteParent, SpanEvent, SpanRecord, SpanStatus, SpanStatusCode, TracebridgeError
from tracebridge.records.record import Event, Resource, Scope
from tracebridge.records.record import Link as LinkRecord

STARTED = {
    "span_type": anything,
    "inputs": anything,
    "attributes": anything,
    "start_time_ns": anything,
    "links": anything | st.lists(anything | st.builds(Link, anything, anything, anything, anything), max_size=2),
    "kind": anything,
    "span_id": anything,
}
PARENTS = (
    anything
    | st.just("current")
    | st.builds(
        RemoteParent,
        st.just("4bf92f3577b34da6a3ce929d0e0e4736") | anything,
        st.just("00f067aa0ba902b7") | anything,
        *[anything] * 10,
    )
)
ROOTS = st.fixed_dictionaries(
    {"name": anything},
    optional={**STARTED, "tags": anything, "experiment_id": anything, "run_id": anything, "trace_id": anything, "parent": PARENTS},
)  # fmt: skip
CHILDREN = st.fixed_dictionaries(
    {"name": anything}, optional={**STARTED, "trace_id": anything, "parent_id": anything, "parent": PARENTS}
)
STATUSES = anything | st.builds(lambda described: SpanStatus(SpanStatusCode.ERROR, described), anything)
ENDS = st.fixed_dictionaries(
    {}, optional={"outputs": anything, "attributes": anything, "status": STATUSES, "end_time_ns": anything}
)
EVENTS = anything | st.builds(SpanEvent, anything, anything, anything)
CHANGES = st.lists(
    st.tuples(st.just("set_inputs"), anything)
    | st.tuples(st.just("set_outputs"), anything)
    | st.tuples(st.just("set_attribute"), anything, anything)
    | st.tuples(st.just("set_attributes"), anything)
    | st.tuples(st.just("set_status"), STATUSES)
    | st.tuples(st.just("set_span_type"), anything)
    | st.tuples(st.just("add_event"), EVENTS)
    | st.tuples(st.just("add_link"), anything | st.builds(Link, anything, anything, anything, anything))
    | st.tuples(st.just("record_exception"), anything | st.builds(ValueError, anything))
    | st.tuples(st.just("get_attribute"), anything),
    max_size=4,
)


def call(made: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Make a call that may refuse what it was given: by an error of ours, or by ValueError where it takes one ID under two names."""
    with contextlib.suppress(TracebridgeError):
        return made(*arguments, **named)


def judged(client: Client) -> None:
    """Close the client and look at what came through."""
    client.close(timeout_s=60)
    stats = client.stats()
    adapter: Any = client.adapter("memory")
    assert {
        "internal_error": stats.misuse.get("internal_error", 0),
        "corrupt": stats.adapters["memory"].dropped.get("corrupt", 0),
        "balance": stats.balance("memory"),
    } == {"internal_error": 0, "corrupt": 0, "balance": 0}
    assert stats.started + stats.ingested == len(adapter.records)
    for record in adapter.records:
        assert is_sound(record), record


def is_sound(record: SpanRecord) -> bool:
    """Return whether every number of a record is one that every destination's format has room for."""
    counts = (
        record.dropped_attributes, record.dropped_events, record.dropped_links, record.truncated, record.redacted, record.repaired,
        *(event.dropped_attributes for event in record.events), *(link.dropped_attributes for link in record.links), *(link.flags for link in record.links),
    )  # fmt: skip
    times = (record.start_time_ns, record.end_time_ns, *(event.time_ns for event in record.events))
    return (
        0 <= record.kind <= 5
        and 0 <= record.status <= 2
        and 0 <= record.flags <= 255
        and all(0 <= count < 2**32 for count in counts)
        and all(0 <= time_ns < 2**63 for time_ns in times)
    )


@settings(max_examples=150, deadline=None)
@given(ROOTS, CHILDREN, CHANGES, ENDS, ENDS, st.tuples(anything, anything), st.tuples(anything, anything))
@example(
    root={"name": "root"}, child={"name": "child", "parent_id": OddText("odd")}, changes=[], child_end={}, root_end={}, tag=("", ""), ids=("", OddText("odd"))
)  # fmt: skip
def test_what_the_calls_accept_the_journal_can_read_back(
    root: dict[str, Any],
    child: dict[str, Any],
    changes: list[tuple[Any, ...]],
    child_end: dict[str, Any],
    root_end: dict[str, Any],
    tag: tuple[Any, Any],
    ids: tuple[Any, Any],
) -> None:
    """Every argument of every call may be anything: the call refuses it, or the span arrives."""
    client = Client(config={"adapters": {"memory": {}}})
    top = call(client.start_trace, **root) or client.start_trace("root")
    below = call(client.start_span, **{"trace_id": top.trace_id, **child})
    for name, *arguments in changes:
        call(getattr(below or top, name), *arguments)
    call(client.set_trace_tag, top.trace_id, *tag)
    call(client.set_trace_tag, *ids, "value")
    with contextlib.suppress(TracebridgeError), client.span(**{"trace_id": top.trace_id, **child}):
        pass
    call(client.end_span, *ids)
    if below is not None:
        client.end_span(below.trace_id, below.span_id, **child_end)
    call(client.end_trace, ids[0], **root_end)
    if top.end_time_ns is None:
        client.end_trace(top.trace_id, **root_end)
    judged(client)


PARTS = {
    "events": st.lists(st.builds(Event, anything, anything, anything, anything), max_size=2).map(tuple) | anything,
    "links": st.lists(
        st.builds(LinkRecord, st.just(b"t" * 16) | anything, st.just(b"s" * 8) | anything, *[anything] * 4), max_size=2
    ).map(tuple)
    | anything,
    "resource": st.builds(Resource, anything, anything) | anything,
    "scope": st.builds(Scope, anything, anything, anything, anything) | anything,
}
FIELDS = {name: PARTS.get(name, anything) for name in SpanRecord.__struct_fields__}


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none(), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: FIELDS[name] for name in chosen})
    )
)
def test_what_ingest_accepts_the_journal_can_read_back(odd: dict[str, Any]) -> None:
    """Every field of a record that a source hands in may be anything: the span arrives."""
    client = Client(config={"adapters": {"memory": {}}})
    plain = {
        "trace_id": b"t" * 16,
        "span_id": b"s" * 8,
        "parent_id": None,
        "name": "n",
        "start_time_ns": 1,
        "end_time_ns": 2,
    }
    client.ingest(SpanRecord(**{**plain, **odd}))
    judged(client)


@given(hostile_records)
def test_hostile_records_can_be_read_back(record: SpanRecord) -> None:
    """So does whatever a foreign program made."""
    client = Client(config={"adapters": {"memory": {}}})
    client.ingest(record)
    judged(client)
