"""Every trace case through every format and wire into real servers, read back and compared field by field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from support import readback
from support.cases import CASES, T0, Build
from support.otlp_view import expected as expected_of_otlp
from tracebridge.plugins.adapter import Adapter, Context, Sent
from tracebridge.records.record import Event, SpanRecord, StatusCode
from tracebridge_adapters.otel_exporter import OtelExporterAdapter, OtelExporterOptions
from tracebridge_adapters.otlp_grpc import OtlpGrpcAdapter, OtlpGrpcOptions
from tracebridge_adapters.otlp_http import OtlpHttpAdapter, OtlpHttpOptions
from tracebridge_adapters.zipkin import ZipkinAdapter, ZipkinOptions

pytestmark = pytest.mark.server
CONTEXT = Context("test")
every_case = pytest.mark.parametrize("case", CASES, ids=repr)


def send(adapter: Any, records: Sequence[SpanRecord]) -> None:
    """Send one body and insist on the answer."""
    try:
        assert adapter.send(adapter.encode(records), len(records)) == Sent()
    finally:
        adapter.close()


def otlp(server: Any, wire: str) -> Adapter:
    """An OTLP adapter for a server: `protobuf` or `json` over HTTP, or `grpc`."""
    if wire == "grpc":
        return OtlpGrpcAdapter(OtlpGrpcOptions(endpoint=server.otlp_grpc), CONTEXT)
    encoding: Any = wire
    return OtlpHttpAdapter(OtlpHttpOptions(endpoint=server.otlp_http, encoding=encoding), CONTEXT)


def by_hex(records: Sequence[SpanRecord], expected: Any) -> dict[str, Any]:
    """Expected values by span ID."""
    return {record.span_id.hex(): expected(record) for record in records}


@every_case
@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_zipkin_tells_the_trace_that_was_sent(zipkin, salt, case, encoding):
    """Zipkin's own API returns every field, in both encodings."""
    records = case.records(salt)
    send(ZipkinAdapter(ZipkinOptions(endpoint=zipkin.spans_url, encoding=encoding), CONTEXT), records)
    assert readback.zipkin_says(zipkin, records) == by_hex(records, readback.expected_of_zipkin)


@every_case
@pytest.mark.parametrize("wire", ["protobuf", "json", "grpc"])
def test_jaeger_tells_the_trace_that_was_sent(jaeger, salt, case, wire):
    """Jaeger 1's query API returns every field, whichever OTLP wire it came over."""
    records = case.records(salt)
    send(otlp(jaeger, wire), records)
    assert readback.jaeger_says(jaeger, records) == by_hex(records, readback.expected_of_jaeger)


@every_case
@pytest.mark.parametrize("wire", ["protobuf", "json", "grpc"])
def test_the_collector_understands_every_field_of_otlp(collector, salt, case, wire):
    """What the Collector passes on is what was sent, to the nanosecond and the type."""
    records = case.records(salt)
    send(otlp(collector, wire), records)
    assert readback.collector_says(collector, records) == by_hex(records, expected_of_otlp)


ODD: dict[str, Any] = {"nan": math.nan, "list": [1.5, math.inf], "map": {"least": -math.inf}, "usual": 1.5}
ODD_AS_TEXT = {"nan": "NaN", "list": [1.5, "Infinity"], "map": {"least": "-Infinity"}, "usual": 1.5}


@pytest.mark.parametrize("wire", ["protobuf", "json", "grpc"])
@pytest.mark.parametrize("name", ["jaeger", "jaeger_2"])
def test_numbers_that_json_lacks_leave_the_trace_readable(request, salt, name, wire):
    """Jaeger 1 and 2 answer with an error for a trace, and for a list of traces, in which a number is NaN: it comes as text."""

    def odd(attributes: dict[str, Any]) -> list[SpanRecord]:
        return [Build(salt).span("odd", attributes=attributes, events=[Event("loss", T0, attributes)])]

    server = request.getfixturevalue(name)
    send(otlp(server, wire), odd(ODD))
    assert readback.jaeger_says(server, odd(ODD)) == by_hex(odd(ODD_AS_TEXT), readback.expected_of_jaeger)


OFFICIAL = "opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter"


def official(server: Any) -> Adapter:
    """OpenTelemetry's own OTLP exporter as a destination."""
    options = OtelExporterOptions(class_=OFFICIAL, args={"endpoint": f"{server.otlp_http}/v1/traces"})
    return OtelExporterAdapter(options, CONTEXT)


@every_case
def test_the_official_exporter_delivers_the_same_to_jaeger(jaeger, salt, case):
    """Through `otel_exporter` Jaeger tells what it tells of our own OTLP."""
    records = case.records(salt)
    send(official(jaeger), records)
    assert readback.jaeger_says(jaeger, records) == by_hex(records, readback.expected_of_jaeger)


def expected_of_official(record: SpanRecord) -> dict[str, Any]:
    """The official exporter leaves out W3C's flag bits and the links' trace state."""
    wanted = expected_of_otlp(record)
    links = [(trace_id, span_id, "", attributes) for trace_id, span_id, _, attributes in wanted["links"]]
    return {**wanted, "flags": wanted["flags"] & 0x300, "links": links}


@every_case
def test_the_official_exporter_delivers_the_same_to_a_collector(collector, salt, case):
    """To the nanosecond and the type."""
    records = case.records(salt)
    send(official(collector), records)
    assert readback.collector_says(collector, records) == by_hex(records, expected_of_official)


def expected_of_collector_from_zipkin(record: SpanRecord) -> dict[str, Any]:
    """The Collector's Zipkin receiver: text, microseconds, annotations as bare names; OK and dropped counts are lost."""
    start, duration = readback.micros(record)
    attributes = {
        key: value
        for key, value in readback.zipkin_tags(record).items()
        if not key.startswith(("otlp.link.", "otel.scope.")) and key not in {"otel.status_code", "w3c.tracestate"}
    }
    peer = readback.PEERS.get(record.name, {})
    if "serviceName" in peer:
        attributes["service.peer.name"] = peer["serviceName"]
    if "ipv4" in peer:
        attributes["network.peer.address"] = peer["ipv4"]
    if "port" in peer:
        attributes["net.peer.port"] = peer["port"]
    return {
        **expected_of_otlp(record),
        "attributes": attributes,
        "start": start * 1000,
        "end": (start + duration) * 1000,
        "kind": record.kind if record.kind > 1 else 0,
        "events": [(readback.annotation(e), e.time_ns, {}) for e in record.events],
        "status": (record.status if record.status == StatusCode.ERROR else 0, ""),
        "dropped": (0, 0, 0),
        "flags": 0,
        "scope": record.scope.name if record.scope else "",
    }


@every_case
@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_the_collector_understands_our_zipkin(collector, salt, case, encoding):
    """A Collector that receives Zipkin reads kinds, parents, times, tags, links and states as they were meant."""
    records = case.records(salt)
    send(ZipkinAdapter(ZipkinOptions(endpoint=collector.zipkin_url, encoding=encoding), CONTEXT), records)
    assert readback.collector_says(collector, records) == by_hex(records, expected_of_collector_from_zipkin)


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in {"thousand", "huge"}], ids=repr)
def test_phoenix_tells_the_trace_that_was_sent(phoenix, salt, case):
    """Phoenix has every span with its parent, status and attributes."""
    records = case.records(salt)
    send(OtlpHttpAdapter(OtlpHttpOptions(endpoint=phoenix.url), CONTEXT), records)
    spans = readback.phoenix_says(phoenix, records)
    assert {
        key: (s["name"], s["parent_id"], s["status_code"], s["status_message"]) for key, s in spans.items()
    } == by_hex(
        records,
        lambda r: (r.name, r.parent_id.hex() if r.parent_id else None, StatusCode(r.status).name, r.status_message),
    )
