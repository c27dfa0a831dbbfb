"""What is left out of a span that no datagram holds, and what stays."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tracebridge.records.record import Event, Kind, Link, Resource, SpanRecord, StatusCode
from tracebridge_adapters.dialects import attributes_of, take_apart
from tracebridge_adapters.formats.jaeger import thrift as jaeger_thrift
from tracebridge_adapters.formats.jaeger import thrift_reader as jaeger_thrift_reader

SHOWN = partial(attributes_of, dialect="openinference", trace_id_attribute="tracebridge.trace_id")
LIMIT = 65_000


def shrunk(protocol: Any = "compact", limit: int = LIMIT, **fields: Any) -> SpanRecord:
    """What arrives of a span."""
    record = SpanRecord(
        b"t" * 16, b"s" * 8, b"p" * 8, fields.pop("name", "work"), 10**18, 10**18 + 5000, kind=int(Kind.CLIENT),
        status=int(StatusCode.ERROR), custom_trace_id="mine",
        **{"resource": Resource({"service.name": "shop", "hostname": "h"}), **fields},
    )  # fmt: skip
    body = jaeger_thrift.encode([record], SHOWN, jaeger_thrift.Framing(protocol, True, limit))
    assert len(body) <= limit
    (back,) = jaeger_thrift_reader.decode(body, take_apart, protocol, as_message=True).records
    assert (back.kind, back.status, back.custom_trace_id) == (Kind.CLIENT, StatusCode.ERROR, "mine")
    return back


@pytest.mark.parametrize("protocol", ["compact", "binary"])
def test_the_largest_tags_go_first(protocol):
    """As many as must; the others stay as they are, the names of what went are told, and what had been dropped before still counts."""
    attributes = {"a": "x" * 30_000, "b": "x" * 50_000, "c": "x" * 40_000, "n": 7}
    back = shrunk(protocol, attributes=attributes, dropped_attributes=2)
    assert back.attributes == {"a": "x" * 30_000, "n": 7, "tracebridge.stripped": "b, c"}
    assert back.dropped_attributes == 4


def test_of_many_small_tags_the_last_go():
    """A tag's size below a kilobyte says nothing about its worth; the trace's own ID stands first."""
    back = shrunk(limit=4_096, attributes={f"key.{n}": n for n in range(1_000)})
    kept = [key for key in back.attributes if key.startswith("key.")]
    assert kept == [f"key.{n}" for n in range(len(kept))]
    assert len(kept) + back.dropped_attributes == 1_000
    assert back.attributes["tracebridge.stripped"].startswith(f"key.{len(kept)}, key.{len(kept) + 1}, ")


def test_events_and_links_are_left_out_and_counted():
    """The largest event; of the links, which are small, as many as must, from the end."""
    events = [Event("large", 10**18, {"text": "y" * 70_000}), Event("small", 10**18)]
    back = shrunk(events=events)
    assert ([event.name for event in back.events], back.dropped_events) == (["small"], 1)
    back = shrunk(links=tuple([Link(b"l" * 16, number.to_bytes(8, "big")) for number in range(1, 5_001)]))
    assert [link.span_id for link in back.links] == [n.to_bytes(8, "big") for n in range(1, len(back.links) + 1)]
    assert len(back.links) + back.dropped_links == 5_000
    assert back.parent_id == b"p" * 8


def test_names_that_are_no_names_are_cut():
    """To a kilobyte, with a mark, in whole characters."""
    back = shrunk(name="世" * 50_000, resource=Resource({"service.name": "é" * 50_000}))
    assert (back.name, back.resource.service_name) == ("世" * 340 + "…", "é" * 510 + "…")


def test_a_process_that_takes_too_much_loses_its_largest_tags():
    """A fourth of the datagram is its share; the span keeps what is its own, and the host is still named."""
    resource = Resource({"service.name": "shop", "hostname": "h", "large": "x" * 64_000, "small": "y"})
    back = shrunk(resource=resource, attributes={"text": "z" * 40_000})
    assert back.attributes == {"text": "z" * 40_000}
    assert back.resource.attributes == {
        "service.name": "shop", "hostname": "h", "small": "y", "tracebridge.stripped": "large", "otel.dropped_attributes_count": 1,
    }  # fmt: skip


def test_a_span_that_fits_is_not_touched():
    """To the last byte."""
    back = shrunk(attributes={"text": "x" * 64_700})
    assert back.attributes == {"text": "x" * 64_700}
    assert back.dropped_attributes == 0
