"""Laws of Jaeger's Thrift: nothing stops the encoder, sizes are kept, what Jaeger keeps comes back, and no bytes crash the reader."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaeger_client.thrift_gen.agent.Agent import emitBatch_args
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

from support.strategies import hostile_records, records
from tracebridge.journal.base import encode_record
from tracebridge.records.record import Event, Kind, Link, Resource, SpanRecord, StatusCode
from tracebridge_adapters.dialects import as_json, attributes_for, take_apart
from tracebridge_adapters.formats.jaeger import structs as jaeger_structs
from tracebridge_adapters.formats.jaeger import thrift as jaeger_thrift
from tracebridge_adapters.formats.jaeger import thrift_reader as jaeger_thrift_reader
from tracebridge_adapters.formats.jaeger.names import OWN_KEYS, UNKNOWN_OPERATION

SHOWN = attributes_for("openinference", "tracebridge.trace_id")
PLAIN_PROTOCOLS = {"compact": TCompactProtocol, "binary": TBinaryProtocol}
LIMIT = 65_000
DATAGRAMS = {protocol: jaeger_thrift.Framing(protocol, True, LIMIT) for protocol in ("compact", "binary")}
every_protocol = pytest.mark.parametrize("protocol", DATAGRAMS)


def decode(body: bytes, protocol: Any) -> list[SpanRecord]:
    """The records of a datagram, none of them left out."""
    decoded = jaeger_thrift_reader.decode(body, take_apart, protocol, as_message=True)
    assert decoded.damage == []
    return decoded.records


def kept(value: Any) -> Any:
    """A value as Jaeger keeps it: scalars and bytes with their type, odd floats and the rest as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return as_json(value) if isinstance(value, (list, dict)) else value


def kept_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes as Jaeger keeps them."""
    return {key: kept(value) for key, value in attributes.items() if value is not None}


plain_records = records.filter(
    lambda record: (
        not OWN_KEYS & record.attributes.keys() and not any("event" in event.attributes for event in record.events)
    )
)


@every_protocol
@given(record=plain_records)
def test_what_jaeger_keeps_comes_back(protocol, record):
    """IDs, parent, name, microseconds, kind, status, typed attributes, events, links, flags, resource and counts."""
    start, end = record.start_time_ns // 1000 * 1000, record.end_time_ns // 1000 * 1000
    record = msgspec.structs.replace(record, start_time_ns=start, end_time_ns=end)
    (back,) = decode(jaeger_thrift.encode([record], SHOWN, DATAGRAMS[protocol]), protocol)
    start = min(record.start_time_ns // 1000, jaeger_thrift.MAX_US // 2) * 1000
    assert back.trace_id == record.trace_id
    assert back.span_id == record.span_id
    assert back.parent_id == (record.parent_id if record.parent_id != record.span_id else None)
    assert back.name == ("" if record.name == UNKNOWN_OPERATION else record.name)
    assert back.start_time_ns == start
    assert back.kind == max(record.kind, Kind.INTERNAL)
    assert back.status == record.status
    assert back.status_message == (record.status_message if record.status == StatusCode.ERROR else "")
    assert {k: kept(v) for k, v in SHOWN(back).items()} == kept_of(SHOWN(record)) | (
        {"tracebridge.repaired": back.repaired} if back.repaired else {}
    )
    assert back.events == tuple(
        [
            Event(
                e.name,
                min(e.time_ns // 1000, jaeger_thrift.MAX_US // 2) * 1000,
                kept_of(e.attributes),
                e.dropped_attributes,
            )
            for e in record.events
        ]
    )
    assert [(link.trace_id, link.span_id) for link in back.links] == [(k.trace_id, k.span_id) for k in record.links]
    assert (back.flags, back.trace_state) == (record.flags & 1, record.trace_state)
    assert back.resource == Resource(kept_of(record.resource.attributes))


@every_protocol
@given(record=records)
def test_jaegers_own_classes_read_the_same_bytes(protocol, record):
    """What Apache's compiler made of Jaeger's IDL, in jaeger-client, reads our datagram with Thrift's plain Python protocols."""
    body = jaeger_thrift.encode([record], SHOWN, DATAGRAMS[protocol])
    wire = PLAIN_PROTOCOLS[protocol](TMemoryBuffer(body))
    wire.readString = lambda: lossless(wire.readBinary())  # that old compiler took binary for text
    assert wire.readMessageBegin()[:2] == ("emitBatch", 4)
    arguments = emitBatch_args()
    arguments.read(wire)
    assert wire.trans.read(1) == b""
    arguments.batch.validate()
    ours = jaeger_structs.read_message(body, protocol)
    assert plain(arguments.batch) == plain(ours)


def lossless(data: bytes) -> str:
    """Any bytes as text."""
    return data.decode("utf-8", "surrogateescape")


def plain(struct: Any) -> Any:
    """A Thrift struct as a mapping of the fields that are set."""
    if isinstance(struct, bytes):
        return lossless(struct)
    if isinstance(struct, list):
        return [plain(item) for item in struct]
    names = [spec[2] for spec in getattr(type(struct), "thrift_spec", ()) if spec]
    if not names:
        return struct
    found = {name: plain(getattr(struct, name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


@every_protocol
@given(record=hostile_records)
def test_no_value_stops_the_encoder(protocol, record):
    """Lone surrogates, odd floats, big integers and impossible times cost accuracy, never the batch."""
    (back,) = decode(jaeger_thrift.encode([record], SHOWN, DATAGRAMS[protocol]), protocol)
    assert back.span_id == record.span_id


sizes = st.sampled_from([0, 1, 100, 900, 5_000, 40_000, 100_000])
letters = st.sampled_from("aé世")
shapes = st.fixed_dictionaries({
    "letter": letters, "name": sizes, "message": sizes, "service": sizes, "process": sizes,
    "attributes": st.lists(sizes, max_size=3), "small": st.sampled_from([0, 10, 1_500]), "events": st.lists(sizes, max_size=3),
    "links": st.sampled_from([0, 3, 1_000]),
})  # fmt: skip
"""What is large of a record, in characters and counts."""


def large_record(shape: dict[str, Any]) -> SpanRecord:
    """A record of that shape."""
    letter = shape["letter"]
    many = {f"key.{n}": f"value {n}" for n in range(shape["small"])}
    return SpanRecord(
        b"t" * 16, b"s" * 8, b"p" * 8, letter * shape["name"], 1, 2, kind=3, status=2, status_message=letter * shape["message"],
        attributes={**{f"large.{n}": letter * size for n, size in enumerate(shape["attributes"])}, **many},
        custom_trace_id="mine", events=tuple([Event("e", 1, {"text": letter * size}) for size in shape["events"]]),
        links=(Link(b"t" * 16, b"l" * 8),) * shape["links"],
        resource=Resource({"service.name": "s" + letter * shape["service"], "process": letter * shape["process"]}),
    )  # fmt: skip


@every_protocol
@pytest.mark.parametrize("limit", [4_096, 65_000])
@settings(max_examples=25, deadline=None)
@given(shape=shapes)
def test_a_datagram_is_never_larger_than_it_may_be(protocol, limit, shape):
    """Whatever is large, name, attributes, events, links or process: the span fits, is still an error of its kind, and says what went."""
    record = large_record(shape)
    whole = jaeger_thrift.encode([record], SHOWN, jaeger_thrift.Framing(protocol, True, 2**31))
    body = jaeger_thrift.encode([record], SHOWN, jaeger_thrift.Framing(protocol, True, limit))
    assert len(body) <= limit
    (back,) = decode(body, protocol)
    assert (back.trace_id, back.span_id, back.parent_id, back.kind, back.status) == (
        record.trace_id, record.span_id, record.parent_id, record.kind, record.status,
    )  # fmt: skip
    if len(whole) <= limit:
        assert body == whole
    else:
        cut = back.name.endswith("…") or back.resource.service_name.endswith("…")
        marks = {**back.attributes, **back.resource.attributes}
        assert cut or "tracebridge.stripped" in marks or back.dropped_events or back.dropped_links


def _tag(key: Any, kind: Any, text: Any, number: Any, truth: Any, data: Any) -> jaeger_structs.Tag:
    tag = jaeger_structs.Tag(key, kind, text)
    tag.vLong, tag.vBool, tag.vBinary = number, truth, data
    return tag


anything = st.none() | st.integers(-(2**63), 2**63 - 1)
foreign_tags = st.builds(
    _tag,
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["error", "span.kind", "otel.status_code"]),
    st.none() | st.integers(-1, 9), st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    anything, st.none() | st.booleans(), st.none() | st.binary(max_size=5),
)  # fmt: skip


@st.composite
def foreign_spans(draw: Any) -> jaeger_structs.Span:
    """Spans with fields left out, zero IDs, and times and references of any kind."""
    span = jaeger_structs.Span()
    for name in ("traceIdLow", "traceIdHigh", "spanId", "parentSpanId", "startTime", "duration"):
        setattr(span, name, draw(anything))
    span.operationName = draw(st.none() | st.just("name"))
    span.flags = draw(st.none() | st.integers(0, 2**31 - 1))
    span.tags = draw(st.none() | st.lists(foreign_tags, max_size=4))
    span.logs = draw(
        st.none() | st.lists(st.builds(jaeger_structs.Log, anything, st.lists(foreign_tags, max_size=2)), max_size=2)
    )
    span.references = draw(
        st.none()
        | st.lists(st.builds(jaeger_structs.SpanRef, st.integers(0, 3), anything, anything, anything), max_size=2)
    )
    return span


@given(spans=st.lists(foreign_spans(), max_size=3))
def test_half_built_foreign_spans_are_read_repaired_or_left_out(spans):
    """Every span gives a record that all destinations can carry, or a note; never an exception."""
    body = jaeger_structs.write(jaeger_structs.Batch(jaeger_structs.Process("svc"), spans), "binary")
    decoded = jaeger_thrift_reader.decode(body, take_apart)
    assert len(decoded.records) + len(decoded.damage) == len(spans)
    for record in decoded.records:
        assert encode_record(record)
        assert jaeger_thrift.encode([record], SHOWN, DATAGRAMS["compact"])


@every_protocol
@given(record=records, data=st.data())
def test_damaged_and_cut_bytes_never_crash_the_reader(protocol, record, data):
    """Flipped and missing bytes of a real datagram give records, notes or ValueError."""
    body = bytearray(jaeger_thrift.encode([record], SHOWN, DATAGRAMS[protocol]))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(at, len(body))) :]
    try:
        jaeger_thrift_reader.decode(bytes(body), take_apart, protocol, as_message=True)
    except ValueError as error:
        assert str(error).startswith(("not Thrift", "not a Jaeger batch"))


@every_protocol
@pytest.mark.parametrize("as_message", [True, False])
@given(junk=st.binary(max_size=60))
def test_junk_is_refused_with_a_clear_error(protocol, as_message, junk):
    """A reader returns records and notes or raises ValueError, whatever the bytes."""
    try:
        jaeger_thrift_reader.decode(junk, take_apart, protocol, as_message=as_message)
    except ValueError as error:
        assert str(error).startswith(("not Thrift", "not a Jaeger batch"))
