"""Laws of OTLP: what is written is read back, by our readers and by decoders that are not ours, whatever the values."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from support.otlp_view import hex_ids_to_base64, plain
from support.strategies import hostile_records, records, texts, trace_ids
from tracebridge.records.record import Resource, Scope, SpanRecord
from tracebridge_adapters.dialects import attributes_for, take_apart
from tracebridge_adapters.formats.otlp import json as otlp_json
from tracebridge_adapters.formats.otlp import json_reader as otlp_json_reader
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
from tracebridge_adapters.formats.otlp import protobuf_reader as otlp_protobuf_reader
from tracebridge_adapters.formats.otlp.protobuf_span import common_span

ENCODINGS = {
    "protobuf": (otlp_protobuf.encode, lambda body, take_apart: otlp_protobuf_reader.decode(body, take_apart).records),
    "json": (otlp_json.encode_request, lambda body, take_apart: otlp_json_reader.decode(body, take_apart).records),
    "json in a file": (otlp_json.encode, lambda body, take_apart: otlp_json_reader.decode(body, take_apart).records),
}
NOBODY = Resource()
DIALECTS = ("openinference", "mlflow", "genai")


def typed(value: Any) -> Any:
    """A value that is equal only to one of the same types: 1, 1.0 and True are not, nor 0.0 and -0.0."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return (type(value).__name__, math.copysign(1, value) if isinstance(value, float) else 0, value)


def told(value: Any) -> Any:
    """What a server is told of something typed: infinities as text."""
    if isinstance(value, list):
        return [told(item) for item in value]
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    infinite = value is not None and isinstance(value[2], float) and math.isinf(value[2])
    return typed("Infinity" if value[2] > 0 else "-Infinity") if infinite else value


def fields(record: SpanRecord) -> dict[str, Any]:
    """A record's fields, typed."""
    out = {name: typed(getattr(record, name)) for name in record.__struct_fields__}
    for name in ("resource", "scope"):
        source = getattr(record, name)
        out[name] = source and [typed(getattr(source, field)) for field in source.__struct_fields__]
    out["events"] = [[typed(getattr(event, name)) for name in event.__struct_fields__] for event in record.events]
    out["links"] = [[typed(getattr(link, name)) for name in link.__struct_fields__] for link in record.links]
    return out


def shown(dialect: Any) -> Any:
    """The attributes of a span in a dialect."""
    return attributes_for(dialect, "tracebridge.trace_id")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@given(record=records)
def test_decoding_what_was_encoded_gives_the_record_back(encoding, dialect, record):
    """decode(encode(record)) == record, every field with its type, in every dialect; but for numbers that servers are spared."""
    encode, decode = ENCODINGS[encoding]
    (back,) = decode(encode([record], shown(dialect)), take_apart)
    sent = fields(record)
    assert (sent if encoding == "json in a file" else told(sent)) == fields(back)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(batch=st.lists(st.tuples(texts, trace_ids, st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=6))
def test_grouping_loses_nothing_and_mixes_nothing(encoding, batch):
    """Records of several resources and scopes, equal ones among them, all come back with their own."""
    encode, decode = ENCODINGS[encoding]
    similar = [Resource({"service.name": "s", "n": 1}), Resource({"service.name": "s", "n": True})]
    scoped = [None, Scope("other")]
    sent = [
        SpanRecord(trace, n.to_bytes(8, "big"), None, name, 1, 2, scope=scoped[s], resource=similar[r])
        for n, (name, trace, r, s) in enumerate(batch, 1)
    ]
    back = sorted(decode(encode(sent, shown("openinference")), take_apart), key=lambda record: record.span_id)
    assert [fields(record) for record in sent] == [fields(record) for record in back]


@given(record=records)
def test_opentelemetrys_decoder_reads_the_same_attributes(record):
    """opentelemetry-proto finds every attribute with its value and type, in protobuf and in JSON, and nothing unknown."""
    expected = {key: told(typed(value)) for key, value in shown("openinference")(record).items()}
    message = TracesData.FromString(otlp_protobuf.encode([record], shown("openinference")))
    known = message.SerializeToString()
    message.DiscardUnknownFields()
    assert known == message.SerializeToString()
    document = hex_ids_to_base64(json.loads(otlp_json.encode_request([record], shown("openinference"))))
    for decoded in (message, json_format.ParseDict(document, TracesData())):
        span = decoded.resource_spans[0].scope_spans[0].spans[0]
        assert expected == {pair.key: typed(plain(pair.value)) for pair in span.attributes}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(record=hostile_records)
def test_no_value_stops_an_encoder(dialect, record):
    """Lone surrogates, odd floats, big integers and impossible times cost accuracy, never the batch."""
    message = TracesData.FromString(otlp_protobuf.encode([record], shown(dialect)))
    document = hex_ids_to_base64(json.loads(otlp_json.encode_request([record], shown(dialect))))
    for decoded in (message, json_format.ParseDict(document, TracesData())):
        assert len(decoded.resource_spans[0].scope_spans[0].spans) == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(junk=st.binary(max_size=60))
def test_junk_is_refused_with_a_clear_error(encoding, junk):
    """A reader returns records or raises ValueError, whatever the bytes."""
    _, decode = ENCODINGS[encoding]
    try:
        read = decode(junk, take_apart)
    except ValueError as error:
        assert str(error).startswith("not OTLP ")
    else:
        assert all(len(record.trace_id) == 16 for record in read)


def the_long_way(content: bytes) -> SpanRecord | None:
    """What the plain reader makes of one span's bytes; None when it refuses them."""
    try:
        return otlp_protobuf_reader._span(content, NOBODY, None, take_apart)
    except (ValueError, TypeError):
        return None


def the_short_way(content: bytes) -> SpanRecord | None:
    """What is made of them in one pass; None when that is not for them."""
    pairs: dict[bytes, tuple[str, Any]] = {}
    return common_span(content, NOBODY, None, pairs, otlp_protobuf_reader._pair, take_apart)


def span_bytes(record: SpanRecord) -> bytes:
    """One span's bytes, written by ours."""
    message = TracesData.FromString(otlp_protobuf.encode([record], shown("openinference")))
    return message.resource_spans[0].scope_spans[0].spans[0].SerializeToString()


@given(record=records)
def test_the_short_way_to_read_a_span_agrees_with_the_long_one(record):
    """It gives the same record, every field with its type, or leaves the span to the long way; as for opentelemetry-proto's own bytes."""
    content = span_bytes(record)
    short, long = the_short_way(content), the_long_way(content)
    assert long is not None
    assert short is None or fields(long) == fields(short)
    if not (record.events or record.links or record.trace_state or record.status_message) and record.kind:
        odd = (
            record.dropped_attributes
            or record.dropped_events
            or record.dropped_links
            or len(record.name.encode()) >= 128
        )
        assert odd or len(content) > 16_000 or short is not None


@given(record=records, data=st.data())
def test_the_short_way_to_read_a_span_takes_nothing_that_the_long_one_refuses(record, data):
    """Bytes that were changed, cut or added anywhere."""
    content = bytearray(span_bytes(record))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    short, long = the_short_way(bytes(content)), the_long_way(bytes(content))
    assert short is None or (long is not None and fields(long) == fields(short))


@given(record=records, data=st.data())
def test_a_body_that_was_cut_or_damaged_never_crashes_the_reader(record, data):
    """Flipped and missing bytes of a real body give records or ValueError."""
    body = bytearray(otlp_protobuf.encode([record], shown("openinference")))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(at, len(body))) :]
    try:
        otlp_protobuf_reader.decode(bytes(body), take_apart)
    except ValueError as error:
        assert str(error).startswith("not OTLP protobuf")
