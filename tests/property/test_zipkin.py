"""Laws of Zipkin: both encodings say the same, foreign spans go back as they came, and no bytes crash a reader."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py_zipkin.encoding.protobuf import zipkin_pb2

from support.strategies import hostile_records, records
from tracebridge.journal.base import encode_record
from tracebridge.records.record import Resource
from tracebridge_adapters.dialects import attributes_for, take_apart
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import json_reader as zipkin_json_reader
from tracebridge_adapters.formats.zipkin import protobuf as zipkin_proto
from tracebridge_adapters.formats.zipkin import protobuf_reader as zipkin_proto_reader

SHOWN = attributes_for("openinference", "tracebridge.trace_id")
T0 = 1_790_000_000_000_000  # µs

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
hexes = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
ports = st.integers(1, 65535)
ipv4, ipv6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
endpoints = st.fixed_dictionaries(
    {"serviceName": texts.filter(bool)}, optional={"ipv4": ipv4, "ipv6": ipv6, "port": ports}
)
remote_endpoints = st.fixed_dictionaries(
    {}, optional={"serviceName": texts.filter(bool), "ipv4": ipv4, "ipv6": ipv6, "port": ports}
).filter(bool)
tag_keys = texts | st.sampled_from(["http.path", "peer.service", "network.peer.address", "host.ip", "service.name"])
v2_spans = st.fixed_dictionaries(
    {
        "traceId": st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}"),
        "id": hexes,
        "name": texts,
        "timestamp": st.integers(T0, T0 + 10**9),
        "localEndpoint": endpoints,
    },
    optional={
        "parentId": hexes,
        "duration": st.integers(1, 10**9),
        "kind": st.sampled_from(["CLIENT", "SERVER", "PRODUCER", "CONSUMER"]),
        "remoteEndpoint": remote_endpoints,
        "tags": st.dictionaries(tag_keys.filter(lambda key: key != "error"), texts, min_size=1, max_size=4),
        "annotations": st.lists(
            st.fixed_dictionaries({"timestamp": st.integers(T0, T0 + 10**9), "value": texts.filter(bool)}),
            min_size=1,
            max_size=3,
        ),
        "debug": st.just(True),
        "shared": st.just(True),
    },
).filter(lambda span: span.get("parentId") != span["id"] and not (span.get("kind") == "CLIENT" and "shared" in span))


@given(spans=st.lists(v2_spans, min_size=1, max_size=4, unique_by=lambda span: span["id"]))
def test_a_zipkin_tracers_span_goes_back_to_zipkin_as_it_came(spans):
    """Endpoints with address and port, `shared`, `debug`, tags that look like ours, absent durations: nothing added, nothing lost."""
    read = zipkin_json_reader.decode(json.dumps(spans), take_apart)
    assert (read.notes, read.damage) == ([], [])
    assert json.loads(zipkin_json.encode(read.records, SHOWN)) == spans


@given(record=records)
def test_both_encodings_say_the_same(record):
    """JSON and protobuf of any record read back as equal records."""
    from_json = zipkin_json_reader.decode(zipkin_json.encode([record], SHOWN), take_apart)
    from_proto = zipkin_proto_reader.decode(zipkin_proto.encode([record], SHOWN), take_apart)
    assert from_json == from_proto


@given(record=records)
def test_zipkins_own_message_reads_the_same_span(record):
    """The classes that protoc made of zipkin.proto find in our bytes what our JSON says, and nothing unknown."""
    (span,) = json.loads(zipkin_json.encode([record], SHOWN))
    message = zipkin_pb2.ListOfSpans.FromString(zipkin_proto.encode([record], SHOWN))
    known = message.SerializeToString(deterministic=True)
    message.DiscardUnknownFields()
    assert known == message.SerializeToString(deterministic=True)
    (read,) = message.spans
    assert {
        "traceId": read.trace_id.hex(),
        "id": read.id.hex(),
        "parentId": read.parent_id.hex() or None,
        "name": read.name,
        "timestamp": read.timestamp or None,
        "duration": read.duration or None,
        "kind": zipkin_pb2.Span.Kind.Name(read.kind) if read.kind else None,
        "service": read.local_endpoint.service_name,
        "tags": dict(read.tags),
        "annotations": [(each.timestamp, each.value) for each in read.annotations],
        "debug": read.debug,
        "shared": read.shared,
    } == {
        "traceId": span["traceId"],
        "id": span["id"],
        "parentId": span.get("parentId"),
        "name": span["name"],
        "timestamp": span.get("timestamp"),
        "duration": span.get("duration"),
        "kind": span.get("kind"),
        "service": span["localEndpoint"]["serviceName"],
        "tags": span.get("tags", {}),
        "annotations": [(each["timestamp"], each["value"]) for each in span.get("annotations", [])],
        "debug": span.get("debug", False),
        "shared": span.get("shared", False),
    }


@given(record=records, text=texts)
def test_no_text_makes_zipkin_take_a_body_for_v1(record, text):
    """Zipkin looks for a mark of v1 in the bytes; a name, a service, a key or a value that ends like it keeps its text."""
    marked = f"{text}yAnnotations"
    resource = Resource({"service.name": marked}, "")
    record = msgspec.structs.replace(record, name=marked, resource=resource, attributes={marked: marked})
    body = zipkin_json.encode([record], SHOWN)
    (span,) = json.loads(body)
    assert b'yAnnotations"' not in body
    assert (span["name"], span["localEndpoint"]["serviceName"], span["tags"][marked]) == (marked, marked, marked)


@pytest.mark.parametrize("module", [zipkin_json, zipkin_proto])
@given(record=hostile_records)
def test_no_value_stops_an_encoder(module, record):
    """Lone surrogates, odd floats, big integers and impossible times cost accuracy, never the batch."""
    assert module.encode([record], SHOWN)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | hexes,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "traceId", "id", "parentId", "name", "timestamp", "duration", "kind", "localEndpoint", "remoteEndpoint", "tags", "annotations",
    "binaryAnnotations", "debug", "shared",
]  # fmt: skip
FORMS = {
    "localEndpoint": st.fixed_dictionaries({}, optional=dict.fromkeys(("serviceName", "ipv4", "ipv6", "port"), anything)),
    "annotations": st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "timestamp": anything,
                "value": anything | st.sampled_from(["cs", "cr", "sr", "ss", "ms", "mr", "ws", "wr"]),
                "endpoint": anything | endpoints,
            },
        ),
        max_size=4,
    ),
    "binaryAnnotations": st.lists(
        st.fixed_dictionaries(
            {}, optional={"key": anything | st.sampled_from(["sa", "ca", "ma", "lc"]), "value": anything, "endpoint": anything | endpoints}
        ),
        max_size=4,
    ),
    "tags": st.dictionaries(
        st.sampled_from(["error", "otel.status_code", "otlp.link.0", "otel.dropped_events_count", "tracebridge.repaired", "w3c.tracestate",
                         "otel.scope.name", "tracebridge.end_time_unix_nano", "tracebridge.end_before_start"]), anything | st.sampled_from(["9" * 30, "true", "a|b|c|d|e"]),
    ),
    "id": hexes,
    "traceId": hexes,
}  # fmt: skip
half_built = st.fixed_dictionaries(
    {}, optional={field: anything | FORMS.get(field, st.nothing()) for field in FIELDS}
) | st.fixed_dictionaries(
    {"traceId": hexes, "id": hexes},
    optional={field: anything | FORMS.get(field, st.nothing()) for field in FIELDS if field not in {"id", "traceId"}},
)


@given(document=st.lists(half_built | anything, max_size=3))
def test_half_built_spans_are_read_repaired_or_left_out(document):
    """Whatever stands in a field: every span gives records that all destinations can carry, or a note; never an exception."""
    read = zipkin_json_reader.decode(json.dumps(document), take_apart)
    assert bool(read.records) or bool(read.damage) or all(each == [] for each in document)  # a trace of no spans
    for record in read.records:
        assert any(record.trace_id) and any(record.span_id) and record.parent_id != record.span_id
        assert zipkin_json.encode([record], SHOWN) and zipkin_proto.encode([record], SHOWN)
        assert otlp_protobuf.encode([record], SHOWN) and encode_record(record)


@given(junk=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
@pytest.mark.parametrize(
    ("decode", "words"),
    [(zipkin_json_reader.decode, "not Zipkin JSON"), (zipkin_proto_reader.decode, "not Zipkin protobuf")],
)
def test_junk_is_refused_with_a_clear_error(decode, words, junk):
    """A reader returns records and notes or raises ValueError, whatever the bytes."""
    try:
        decode(junk, take_apart)
    except ValueError as error:
        assert str(error).startswith(words)


@given(record=records, data=st.data())
def test_a_body_that_was_cut_or_damaged_never_crashes_the_reader(record, data):
    """Flipped and missing bytes of a real protobuf body give records, notes or ValueError."""
    body = bytearray(zipkin_proto.encode([record], SHOWN))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(at, len(body))) :]
    try:
        zipkin_proto_reader.decode(bytes(body), take_apart)
    except ValueError as error:
        assert str(error).startswith("not Zipkin protobuf")
