"""OTLP bytes, read by decoders that are not ours."""

from __future__ import annotations

import json
import math

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from support.cases import CASES, Build
from support.otlp_view import ATTRIBUTES, attributes, by_id, hex_ids_to_base64, plain, said
from tracebridge.records.record import Event, Kind, Link, Resource, Scope, StatusCode
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.otlp import json as otlp_json
from tracebridge_adapters.formats.otlp import json_reader as otlp_json_reader
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_protobuf_says_every_field_to_opentelemetrys_own_decoder(case):
    """Every case survives protobuf field by field."""
    records = case.records("otlp")
    message = ExportTraceServiceRequest.FromString(otlp_protobuf.encode(records, ATTRIBUTES))
    assert by_id(records) == said(message)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_protobuf_bytes_have_no_unknown_fields(case):
    """What opentelemetry-proto reads and writes again has the same length: nothing was skipped."""
    body = otlp_protobuf.encode(case.records("otlp"), ATTRIBUTES)
    message = TracesData.FromString(body)
    message.DiscardUnknownFields()
    assert len(message.SerializeToString()) == len(body)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_json_says_every_field_to_protobufs_own_json_decoder(case):
    """Every case survives OTLP JSON field by field."""
    records = case.records("otlp")
    document = hex_ids_to_base64(json.loads(otlp_json.encode(records, ATTRIBUTES)))
    message = json_format.ParseDict(document, TracesData())
    assert by_id(records) == said(message)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_our_own_reader_gives_the_records_back(case):
    """decode(encode(records)) == records, tags aside: they are attributes on the wire."""
    records = sorted(case.records("otlp"), key=lambda r: r.span_id)
    back = sorted(
        otlp_json_reader.decode(otlp_json.encode(records, ATTRIBUTES), take_apart).records, key=lambda r: r.span_id
    )
    for before, after in zip(records, back, strict=True):
        assert {**before.attributes, **before.tags} == after.attributes
        for name in ("trace_id", "span_id", "parent_id", "name", "kind", "status", "status_message", "inputs", "outputs",
                     "span_type", "events", "links", "custom_trace_id", "id_scheme", "trace_state", "end_cause", "opened_at",
                     "truncated", "redacted", "repaired", "parent_is_remote", "scope", "resource"):  # fmt: skip
            assert (name, getattr(before, name)) == (name, getattr(after, name))


def test_one_and_one_point_zero_and_true_stay_apart():
    """Equal values of different types are not mixed up by the cache of encoded pairs."""
    b = Build("types")
    values = [1, 1.0, True, "1", 0, 0.0, False]
    records = [b.span("s", attributes={"k": value}) for value in values * 2]
    message = TracesData.FromString(otlp_protobuf.encode(records, ATTRIBUTES))
    got = [plain(span.attributes[0].value) for span in message.resource_spans[0].scope_spans[0].spans]
    assert [(type(v), v) for v in got] == [(type(v), v) for v in values * 2]


def test_integers_beyond_64_bits_become_text():
    """OTLP has no bigger integer."""
    record = Build("big").span("s", attributes={"big": 2**70})
    message = TracesData.FromString(otlp_protobuf.encode([record], ATTRIBUTES))
    assert plain(message.resource_spans[0].scope_spans[0].spans[0].attributes[0].value) == str(2**70)


ODD = {"a": math.nan, "b": math.inf, "c": [1.5, -math.inf], "d": {"e": math.nan}}


def test_odd_floats_keep_their_type_in_files():
    """NaN and the infinities are written as protobuf's JSON mapping writes them, and read back."""
    body = otlp_json.encode([Build("nan").span("s", attributes=ODD)], ATTRIBUTES)
    (back,) = otlp_json_reader.decode(body, take_apart).records
    assert repr(ODD) == repr(back.attributes)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_servers_get_odd_floats_as_text(encoding):
    """Everywhere in a request, and a text that looks like one stays what it is."""
    lookalike = '{"doubleValue":"NaN"}'
    given = {**ODD, "text": lookalike, lookalike: 2.5}
    record = Build("nan").span(
        "s", attributes=given, events=[Event("e", 1, given)], links=[Link(b"t" * 16, b"s" * 8, "", given)],
        resource=Resource({"service.name": "s", **given}), scope=Scope("s", "", given),
    )  # fmt: skip
    if encoding == "json":
        document = hex_ids_to_base64(json.loads(otlp_json.encode_request([record], ATTRIBUTES)))
        message = json_format.ParseDict(document, TracesData())
    else:
        message = TracesData.FromString(otlp_protobuf.encode([record], ATTRIBUTES))
    scoped = message.resource_spans[0].scope_spans[0]
    span = scoped.spans[0]
    told = {"a": "NaN", "b": "Infinity", "c": [1.5, "-Infinity"], "d": {"e": "NaN"}, "text": lookalike, lookalike: 2.5}
    holders = [span, span.events[0], span.links[0], scoped.scope]
    assert [told] * 4 == [attributes(holder) for holder in holders]
    assert {"service.name": "s", **told} == attributes(message.resource_spans[0].resource)


def test_a_resource_without_a_service_name_gets_the_conventions_default():
    """service.name is never missing on the wire."""
    record = Build("s").span("s", resource=Resource())
    message = TracesData.FromString(otlp_protobuf.encode([record], ATTRIBUTES))
    assert attributes(message.resource_spans[0].resource) == {"service.name": "unknown_service"}


def test_lone_surrogates_never_raise():
    """Text that UTF-8 cannot carry is replaced, not refused."""
    record = Build("s").span(
        "a\ud800b", attributes={"k": "\udfff"}, status_message="\ud800", status=int(StatusCode.ERROR)
    )
    message = TracesData.FromString(otlp_protobuf.encode([record], ATTRIBUTES))
    assert message.resource_spans[0].scope_spans[0].spans[0].name == "a?b"


@pytest.mark.parametrize(
    "junk", [b"", b"[]", b"{", b'{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}', b"null", b'"x"']
)
def test_what_is_no_otlp_json_is_a_clear_error(junk):
    """decode raises ValueError and nothing else."""
    with pytest.raises(ValueError, match="not OTLP JSON"):
        otlp_json_reader.decode(junk, take_apart)


def test_every_form_of_the_json_mapping_is_read():
    """Enum names, snake_case keys and numbers as numbers are all legal."""
    body = (
        b'{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":'
        b'"b7ad6b7169203331","name":"x","kind":"SPAN_KIND_CLIENT","start_time_unix_nano":1,"end_time_unix_nano":"2",'
        b'"status":{"code":"STATUS_CODE_ERROR"}}]}]}]}'
    )
    (record,) = otlp_json_reader.decode(body, take_apart).records
    assert (record.kind, record.status, record.start_time_ns, record.end_time_ns) == (
        Kind.CLIENT,
        StatusCode.ERROR,
        1,
        2,
    )
