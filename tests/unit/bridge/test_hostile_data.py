"""Data never makes a call raise and never loses a span."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any

import pytest

from tracebridge import Link, SpanEvent

SPAN_MEMBERS = {
    "trace_id", "request_id", "span_id", "parent_id", "name", "inputs", "outputs", "attributes", "status", "start_time_ns",
    "end_time_ns", "events", "links", "span_type", "get_attribute", "set_inputs", "set_outputs", "set_attribute",
    "set_attributes", "set_status", "set_span_type", "add_event", "add_link", "record_exception", "end", "to_dict",
    "wire_trace_id",
}  # fmt: skip


class Broken:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__

    def __iter__(self) -> Any:
        raise RuntimeError("iter")


class BadKey:
    def __hash__(self) -> int:
        return 7

    def __str__(self) -> str:
        raise RuntimeError("str")


class Shade(enum.StrEnum):
    DARK = "dark"


def cycle() -> dict[str, Any]:
    """A dict that holds itself."""
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


HOSTILE: dict[str, Callable[[], Any]] = {
    "broken": Broken,
    "broken key": lambda: {BadKey(): Broken()},
    "cycle": cycle,
    "surrogate": lambda: "lone \ud800 surrogate",
    "surrogates": lambda: {"\udfff": "\ud800"},
    "nan": lambda: math.nan,
    "bytes": lambda: b"\xff\x00",
    "set": lambda: {1, "a", None},
    "huge integer": lambda: 10**100,
    "ten megabytes": lambda: "x" * 10_000_000,
    "nested": lambda: [["deep"] * 3] * 1000,
    "object": object,
    "function": lambda: cycle,
    "exception": lambda: ValueError(Broken()),
    "enum": lambda: Shade.DARK,
    "class": lambda: type,
    "generator": lambda: (n for n in range(3)),
    "zero": lambda: 0,
    "false": lambda: False,
    "empty list": list,
    "empty text": str,
    "empty mapping": dict,
}
"""Made on demand, because pytest itself stumbles over some of them."""


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_values_in_every_place_still_make_a_delivered_trace(client, delivered, what):
    """Inputs, outputs, attributes, names, types, statuses, times, tags, events, links and exceptions take anything."""
    value = HOSTILE[what]()
    root = client.start_trace(value, value, value, value, value, value, value, value, None)
    child = client.start_span(value, root.trace_id, root.span_id, value, value, {"k": value, "n": 1}, value, None)
    child.set_attribute("a", value)
    child.set_attributes(value)
    child.set_span_type(value)
    child.add_event(value)
    child.add_event(SpanEvent(value, value, value))
    child.add_link(value)
    child.add_link(Link(value, value, value))
    child.record_exception(value)
    child.set_status(value)
    client.end_span(root.trace_id, child.span_id, value, value, value, value)
    client.end_trace(root.trace_id, value, value, value, value)
    records = delivered(client)
    assert [record.span_id.hex() for record in records] == [child.span_id, root.span_id]
    assert records[0].attributes["n"] == 1
    assert client.stats().balance("memory") == 0
    assert client.stats().misuse.get("internal_error", 0) == 0


@pytest.mark.parametrize("value", [0, False, [], "", {}, 0.0])
def test_falsy_inputs_and_outputs_are_kept(client, delivered, value):
    """Only None means not set."""
    client.start_trace("r", inputs=value).end(outputs=value)
    (record,) = delivered(client)
    assert (record.inputs, record.outputs) == (value, value)
    assert type(record.inputs) is type(value)


def test_every_hostile_trace_passes_every_format(make_client, tmp_path):
    """What was recorded can be encoded for every destination: no dead letters."""
    client = make_client(
        adapters={
            "otlp_file": {"path": str(tmp_path / "otlp")},
            "zipkin_file": {"path": str(tmp_path / "zipkin")},
            "log": {"stream": "file", "path": str(tmp_path / "log")},
            "store": {"path": str(tmp_path / "db")},
        }
    )
    for make in HOSTILE.values():
        value = make()
        root = client.start_trace(value, value, value, {"k": value})
        root.record_exception(value)
        root.end(outputs=value)
    assert client.flush(60)
    assert [letter.message for letter in client.dead_letters()] == []
    assert {name: books.exported for name, books in client.stats().adapters.items()} == dict.fromkeys(
        ("otlp_file", "zipkin_file", "log", "store"), len(HOSTILE)
    )
    assert all(len(line) <= 15_000 for line in (tmp_path / "log").read_bytes().splitlines())


def test_limits_cut_and_count(make_client, delivered):
    """What is over a limit is left out or cut, and the span says how much."""
    client = make_client(
        limits={
            "attribute_count_limit": 2, "attribute_value_length_limit": 20, "event_count_limit": 1, "link_count_limit": 1,
            "payload_length_limit": "1KiB",
        }
    )  # fmt: skip
    root = client.start_trace("r", attributes={"a": "x" * 30, "b": 1}, inputs=["y" * 5000])
    root.set_attribute("c", 1)
    root.set_attribute("b", 2)
    for _ in range(3):
        root.add_event(SpanEvent("e"))
        root.add_link(Link("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"))
    root.end()
    (record,) = delivered(client)
    assert record.attributes == {"a": "x" * 19 + "…", "b": 2}
    assert (record.dropped_attributes, record.dropped_events, record.dropped_links) == (1, 2, 2)
    assert len(record.inputs[0]) <= 1024
    assert record.truncated == 2


def test_every_kind_of_span_has_every_member(client, make_client):
    """Live, finished and no-op spans have the same members."""
    root = client.start_trace("r", trace_id="x")
    root.end()
    finished = client.get_trace("x").data.spans[0]
    closed = make_client()
    closed.close()
    noop = closed.start_trace("r")
    for span in (root, finished, noop):
        assert {name for name in SPAN_MEMBERS if not hasattr(span, name)} == set()
    finished.set_attribute("a", 1)
    noop.record_exception(ValueError())
    assert finished.attributes == {}
    assert root.to_dict() == finished.to_dict()


@pytest.mark.parametrize("limit", [128, 5_000])
def test_of_an_enormous_mapping_of_attributes_the_limit_is_kept_and_the_rest_counted(make_client, delivered, limit):
    """Whichever way they are given; a limit above what is looked at by default holds too."""
    client = make_client(limits={"attribute_count_limit": limit})
    many = {f"key.{n}": n for n in range(20_000)}
    with client.trace("root"):
        client.start_span("at once", attributes=many).end()
        client.start_span("at the end").end(attributes=many)
    for record in delivered(client)[:2]:
        assert record.attributes == {f"key.{n}": n for n in range(limit)}
        assert record.dropped_attributes == 20_000 - limit
