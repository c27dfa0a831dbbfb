"""The encoder only ever sees values that nobody else holds: what others change meanwhile changes nothing in what it writes.

Without a global lock another thread may set an attribute in the middle of it, and the bytes would say one number of entries and hold another.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracebridge.calls.ending
import tracebridge.calls.ingesting
import tracebridge.calls.recording
import tracebridge.stages.stage
from support.strategies import attributes, json_values
from tracebridge import Client, Link, SpanEvent, SpanRecord
from tracebridge.journal.base import encode_record
from tracebridge.records.record import Event, Resource, Scope

ENCODING = [
    tracebridge.calls.ending,
    tracebridge.calls.ingesting,
    tracebridge.calls.recording,
    tracebridge.stages.stage,
]
PLAIN = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 9) | st.text("xyz", max_size=3), max_size=3)


def spoil(held: Any) -> None:
    """Change every list and dict that is within reach."""
    inside = list(held.values()) if type(held) is dict else list(held) if type(held) in {list, tuple} else []
    for each in inside:
        spoil(each)
    if type(held) is dict:
        held["spoilt"] = "afterwards"
    elif type(held) is list:
        held.append("spoilt")


class Meddling:
    """An encoder in whose middle everybody who holds something changes it."""

    def __init__(self) -> None:
        self.meddlers: list[Callable[[], None]] = []
        self.torn: list[tuple[bytes, bytes]] = []

    def __call__(self, given: Any) -> bytes:
        before = encode_record(given)
        for meddle in self.meddlers:
            meddle()
        after = encode_record(given)
        if before != after:
            self.torn.append((before, after))
        return before


def meddled(monkeypatch: pytest.MonkeyPatch) -> Meddling:
    """Let every encoding of a record be meddled with."""
    meddling = Meddling()
    for module in ENCODING:
        monkeypatch.setattr(module, "encode_record", meddling)
    return meddling


@settings(max_examples=80)
@given(
    given_attributes=PLAIN | attributes,
    inputs=st.none() | json_values,
    events=st.lists(PLAIN | attributes, max_size=2),
    links=st.booleans(),
    tags=st.none() | PLAIN,
    on_disk=st.booleans(),
)
def test_what_is_changed_while_a_span_is_encoded_is_not_in_its_bytes(
    given_attributes: dict[str, Any], inputs: Any, events: list[dict[str, Any]], links: bool, tags: Any, on_disk: bool
) -> None:
    """The span's own members, in any thread, and whatever it was given."""
    with pytest.MonkeyPatch.context() as monkeypatch, TemporaryDirectory() as folder:
        meddling = meddled(monkeypatch)
        journal = {"journal": {"directory": str(Path(folder) / "journal")}} if on_disk else {}
        client = Client(config={"adapters": {"memory": {}}, **journal})
        held = copy.deepcopy((given_attributes, inputs, events, tags))

        def meddle() -> None:
            spoil(held)
            for trace in client._table.all():
                for span in [*trace.roots, *trace.spans.copy().values(), *made]:
                    span._attributes["late"] = span.name
                    if span._events is not None:
                        span._events.append(Event("late", 1))
                    if span._links is not None:
                        span._links.append(span._links[0])

        made: list[Any] = []
        meddling.meddlers.append(meddle)
        root = client.start_trace("root", attributes=held[0], inputs=held[1], tags=held[3])
        child = client.start_span("child", root.trace_id, root.span_id, attributes=copy.deepcopy(given_attributes))
        made += [root, child]
        for span in (child, root):
            for event in copy.deepcopy(events):
                span.add_event(SpanEvent("event", 5, event))
            if links:
                span.add_link(Link("1" * 32, "2" * 16))
            span.end(outputs=copy.deepcopy(inputs), attributes=copy.deepcopy(given_attributes))
        assert meddling.torn == []
        meddling.meddlers.clear()
        client.close()
        assert client.stats().adapters["memory"].exported == 2


@settings(max_examples=80)
@given(st.tuples(*[PLAIN | attributes] * 6), st.none() | json_values, st.booleans())
def test_what_is_changed_while_a_record_is_ingested_is_not_in_its_bytes(
    fields: tuple[dict[str, Any], ...], payload: Any, full: bool
) -> None:
    """A source may keep what its record is made of."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        meddling = meddled(monkeypatch)
        held = copy.deepcopy((fields, payload))
        meddling.meddlers.append(lambda: spoil(held))
        client = Client(config={"adapters": {"memory": {}}})
        (own, event, resource, scope, tags, _), inputs = held
        more = (
            {"events": (Event("e", 1, event),), "inputs": inputs, "tags": {k: str(v) for k, v in tags.items()}}
            if full
            else {}
        )
        client.ingest(
            SpanRecord(
                b"t" * 16,
                b"s" * 8,
                None,
                "n",
                1,
                2,
                attributes=own,
                resource=Resource(resource),
                scope=Scope("s", "1", scope),
                **more,
            )
        )
        assert meddling.torn == []
        meddling.meddlers.clear()
        client.close()
        assert client.stats().adapters["memory"].exported == 1


def test_one_thread_sets_while_another_ends_and_no_span_is_lost() -> None:
    """Attributes, events, links and outputs, each alone: every span arrives, and none is damaged."""
    client = Client(config={"adapters": {"memory": {}}, "limits": {"event_count_limit": 64, "link_count_limit": 64}})
    root = client.start_trace("root")
    rounds = 300
    together = threading.Barrier(2)
    current: list[Any] = [None]

    def change() -> None:
        for _ in range(rounds):
            together.wait(60)
            span = current[0]
            for n in range(40):
                span.set_attribute(f"key {n}", n)
                span.add_event(SpanEvent("event", 1, {"n": n}))
                span.set_outputs({"n": [n] * (n % 5)})
            together.wait(60)

    thread = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for number in range(rounds):
            current[0] = client.start_span("span", root.trace_id, root.span_id, attributes={"a": 1, "number": number})
            together.wait(60)
            for _ in range(number % 50):
                pass
            client.end_span(root.trace_id, current[0].span_id)
            together.wait(60)
        thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    root.end()
    client.close(timeout_s=60)
    books: Any = client.stats().adapters["memory"]
    assert (books.exported, dict(books.dropped)) == (rounds + 1, {})


def test_a_secret_that_is_set_as_the_span_ends_is_masked_or_left_out() -> None:
    """Never delivered in clear: the span is looked at for secrets after its values were taken, not before."""
    client = Client(config={"adapters": {"memory": {}}})
    root = client.start_trace("root")
    rounds = 400
    together = threading.Barrier(2)
    current: list[Any] = [None]

    def change() -> None:
        for _ in range(rounds):
            together.wait(60)
            current[0].set_attribute("password", "hunter2")
            together.wait(60)

    thread = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for number in range(rounds):
            current[0] = span = client.start_span("span", root.trace_id, root.span_id, attributes={"a": 1})
            together.wait(60)
            for _ in range(number % 40):
                pass
            span.end()
            together.wait(60)
        thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    root.end()
    client.close(timeout_s=60)
    adapter: Any = client.adapter("memory")
    assert {record.attributes.get("password") for record in adapter.records} <= {None, "[redacted]"}


@pytest.mark.parametrize("what", ["attributes", "events", "links"])
def test_limits_hold_and_every_drop_is_counted_whatever_many_threads_set(what: str) -> None:
    """Kept plus dropped is what was set, exactly."""
    limits = {"attribute_count_limit": 50, "event_count_limit": 50, "link_count_limit": 50}
    client = Client(config={"adapters": {"memory": {}}, "limits": limits})
    span = client.start_trace("root")
    each, number_of_threads = 40, 4
    together = threading.Barrier(number_of_threads)

    def work(number: int) -> None:
        together.wait(60)
        for n in range(each):
            if what == "attributes":
                span.set_attribute(f"{number} {n}", n)
            elif what == "events":
                span.add_event(SpanEvent("event"))
            else:
                span.add_link(Link("1" * 32, "2" * 16))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(number_of_threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    span.end()
    client.close()
    adapter: Any = client.adapter("memory")
    (record,) = adapter.records
    dropped = getattr(record, f"dropped_{what}")
    assert (len(getattr(record, what)), dropped) == (50, each * number_of_threads - 50)
