"""OTLP and Zipkin in protobuf as formats that are read: told apart by their bytes, and never taken for a line of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from support.cases import CASES
from tracebridge.plugins.registry import FORMATS, load
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
from tracebridge_adapters.formats.zipkin import protobuf as zipkin_protobuf

ATTRIBUTES = attributes_for("openinference", "tracebridge.trace_id")
OTLP, ZIPKIN = load(FORMATS, "otlp_proto")(), load(FORMATS, "zipkin_proto")()


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_two_protobufs_are_told_apart(case):
    """Zipkin's is recognised by the IDs in its first span, OTLP's is not taken for it."""
    records = case.records("salt")
    otlp = otlp_protobuf.encode(records, ATTRIBUTES)
    zipkin = zipkin_protobuf.encode(records, ATTRIBUTES)
    assert (ZIPKIN.looks_right(otlp), OTLP.looks_right(otlp)) == (False, True)
    assert ZIPKIN.looks_right(zipkin)
    ids = [(record.trace_id, record.span_id) for record in records]
    assert sorted((r.trace_id, r.span_id) for r in OTLP.decode(otlp).records) == sorted(ids)
    assert sorted((r.trace_id, r.span_id) for r in ZIPKIN.decode(zipkin).records) == sorted(ids)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.text(max_size=8), st.text(max_size=3))
def test_no_otlp_with_a_span_looks_like_zipkins(trace_id, span_id, schema_url, key):
    """Whatever its resource and its schema's address are: the spans in its second field are longer than an ID."""
    resource = ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(trace_id=trace_id, span_id=span_id)])])
    resource.schema_url = schema_url
    resource.resource.attributes.add(key=key).value.string_value = key
    assert not ZIPKIN.looks_right(TracesData(resource_spans=[resource]).SerializeToString())


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"2026-01-01 INFO hello", b"\x0a", b"\x0a\x05ab", b"\x0a\x02\xff\xff"]
)
def test_text_and_halves_are_not_taken_for_zipkins_protobuf(text):
    """A look at the bytes never raises."""
    assert not ZIPKIN.looks_right(text)


@pytest.mark.parametrize("form", [OTLP, ZIPKIN], ids=["otlp", "zipkin"])
@pytest.mark.parametrize("junk", [b"\x0a\x03abc", b"\x0a\x7f", b"\xff\xff", b"\x0a\x02\x0a\x05"])
def test_other_bytes_are_a_clear_error(form, junk):
    """ValueError, with what was expected in its text."""
    with pytest.raises(ValueError, match=r"not (OTLP|Zipkin) protobuf"):
        form.decode(junk)
