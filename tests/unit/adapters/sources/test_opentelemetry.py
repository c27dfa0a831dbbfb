"""The OpenTelemetry source: what the SDK's own OTLP encoder says of a span is what ours says of its record."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from tracebridge.records.record import Scope
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf

REMOTE = SpanContext(
    0xA0B0, 0xC0D0, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "1")])
)


@pytest.fixture
def client(make_client):
    """A client with a memory adapter."""
    return make_client()


@pytest.fixture
def both(client):
    """A provider that sends to the client and, side by side, to the SDK's own memory exporter."""
    theirs = InMemorySpanExporter()
    resource = Resource({"service.name": "shop", "process.pid": 7, "tags": ["a", "b"]}, "https://schema/resource")
    provider = TracerProvider(
        resource=resource, span_limits=SpanLimits(max_events=2, max_links=1, max_span_attributes=6)
    )
    provider.add_span_processor(client.source("opentelemetry"))
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    return provider, theirs


def records(client) -> list[Any]:
    """What arrived."""
    assert client.flush()
    return client.adapter("memory").records


def ours(client) -> Any:
    """What our OTLP says of the records that arrived, decoded by opentelemetry-proto."""
    shown = attributes_for("openinference", "tracebridge.trace_id")
    return TracesData.FromString(otlp_protobuf.encode(records(client), shown)).resource_spans


def test_a_span_is_what_the_sdks_own_exporter_says(client, both):
    """Field by field, but for what that exporter leaves out: W3C flag bits, the links' trace state and, before 1.31, a scope's schema and attributes."""
    provider, theirs = both
    tracer = provider.get_tracer("library", "1.2.3", "https://schema/scope", {"scoped": True})
    parent = set_span_in_context(NonRecordingSpan(REMOTE))
    attributes = {"s": "x", "n": 3, "f": 1.5, "b": True, "many": ["a", "b"], "raw": b"\x00\x01"}
    link = Link(REMOTE, {"why": "retry"})
    with tracer.start_as_current_span("outer", parent, SpanKind.SERVER, attributes, [link, link]) as span:
        for number in range(3):
            span.add_event(f"event {number}", {"number": number})
        span.set_attribute("one more", 1)
        span.set_status(Status(StatusCode.ERROR, "it broke"))
        tracer.start_span("inner", kind=SpanKind.CLIENT).end()
    provider.get_tracer("other").start_span("without").end()
    flags = {span.context.span_id: span.context.trace_flags for span in theirs.get_finished_spans()}
    wanted = encode_spans(theirs.get_finished_spans()).resource_spans
    for each in (span for resource in wanted for scope in resource.scope_spans for span in scope.spans):
        each.flags |= flags[int.from_bytes(each.span_id, "big")]
        for one in each.links:
            one.flags |= 1
            one.trace_state = "vendor=1"
        if not each.status.code:
            each.ClearField("status")  # an empty message says nothing
    scoped = next(scope for resource in wanted for scope in resource.scope_spans if scope.scope.name == "library")
    scoped.schema_url = "https://schema/scope"
    if not scoped.scope.attributes:
        scoped.scope.attributes.add(key="scoped").value.bool_value = True
    assert list(ours(client)) == list(wanted)
    outer = next(record for record in records(client) if record.name == "outer")
    assert (outer.dropped_attributes, outer.dropped_events, outer.dropped_links) == (1, 1, 1)
    assert (outer.trace_state, outer.parent_is_remote) == ("vendor=1", True)


def test_as_an_exporter_it_takes_the_same_spans(client):
    """The same object works behind a processor of the SDK's own."""
    source = client.source("opentelemetry")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(source))
    provider.get_tracer("t").start_span("s").end()
    assert provider.force_flush()
    assert [record.name for record in records(client)] == ["s"]
    provider.shutdown()
    client.start_trace("the client lives on").end()
    assert len(records(client)) == 2


class RecordOnly(Sampler):
    """Records, but does not sample."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "record only"


@pytest.mark.parametrize("sampler", [RecordOnly(), ALWAYS_OFF], ids=["record only", "off"])
def test_what_is_not_sampled_stays_where_it_is(client, sampler):
    """As with the SDK's own processors."""
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(client.source("opentelemetry"))
    provider.get_tracer("t").start_span("s").end()
    assert records(client) == []


def test_limits_and_redaction_of_the_client_apply(make_client):
    """A secret is masked and a long text cut, counted on the span."""
    client = make_client(limits={"attribute_value_length_limit": 16, "event_count_limit": 1})
    provider = TracerProvider()
    provider.add_span_processor(client.source("opentelemetry"))
    span = provider.get_tracer("t").start_span("s", attributes={"db.password": "hunter2", "text": "x" * 17})
    span.add_event("one", {"token": "t0p"})
    span.add_event("two")
    span.end()
    (record,) = records(client)
    assert record.attributes == {"db.password": "[redacted]", "text": "x" * 15 + "…"}
    assert [(e.name, e.attributes) for e in record.events] == [("one", {"token": "[redacted]"})]
    assert (record.redacted, record.truncated, record.dropped_events) == (2, 1, 1)


def context(trace_id: Any = 1, span_id: Any = 2) -> SpanContext:
    """A context, sampled."""
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1))


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        (ReadableSpan("no times", context()), 2),
        (ReadableSpan("no context", start_time=5, end_time=6), 2),
        (ReadableSpan("zeros", context(0, 0), start_time=5, end_time=6), 2),
        (ReadableSpan("own parent", context(), context(), start_time=5, end_time=6), 1),
        (ReadableSpan("zero parent", context(), context(1, 0), start_time=5, end_time=6), 1),
        (ReadableSpan("far", context(), start_time=2**70, end_time=6), 1),
        (ReadableSpan("never ended", context(), start_time=5), 1),
        (
            ReadableSpan(
                "strange", context(), start_time=5, end_time=6, attributes=cast(Any, {"o": {1: object}, "big": 2**70})
            ),
            1,
        ),
        (ReadableSpan(None, context(), start_time=5, end_time=6), 1),
        (ReadableSpan("empty link", context(), start_time=5, end_time=6, links=[Link(context(0, 0), {"a": 1})]), 1),
    ],
    ids=lambda given: str(getattr(given, "name", given)),
)
def test_a_half_built_span_arrives_repaired_and_marked(client, broken, repaired):
    """The SDK lets such things be built; a destination takes none of them."""
    client.source("opentelemetry").on_end(broken)
    (record,) = records(client)
    assert any(record.trace_id)
    assert any(record.span_id)
    assert record.parent_id is None
    assert 0 < record.start_time_ns < 2**63
    assert record.links == ()
    assert record.repaired == repaired
    assert client.stats().balance("memory") == 0


def test_what_is_no_span_is_counted_and_never_raises(client):
    """Neither alone nor in a batch."""
    source = client.source("opentelemetry")
    for thing in (None, object(), SimpleNamespace(context=None)):
        source.on_end(thing)
    assert source.export(3) is SpanExportResult.SUCCESS
    assert source.export([None, ReadableSpan("good", context(), start_time=5, end_time=6)]) is SpanExportResult.SUCCESS
    assert [record.name for record in records(client)] == ["good"]
    assert client.stats().rejected == {
        "opentelemetry: not a readable span": 4,
        "opentelemetry: not a batch of spans": 1,
    }


def test_a_strangers_readable_span_needs_only_the_public_members(client):
    """Attributes may be any mapping, and a span may have no scope."""
    span = ReadableSpan("s", context(), start_time=5, end_time=6, attributes=MappingProxyType({"a": (1, 2)}))
    client.source("opentelemetry").on_end(span)
    (record,) = records(client)
    assert (record.attributes, record.scope) == ({"a": [1, 2]}, Scope(""))
