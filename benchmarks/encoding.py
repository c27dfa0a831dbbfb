"""Finished spans to bytes, in memory: ours against the peers' encoders. `-new` gives every span values that no other span has."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import Case, Goal, Make, Run, in_thread, peer

BATCH = 500
OTLP, ZIPKIN, JAEGER = "opentelemetry (OTLP protobuf)", "opentelemetry (Zipkin JSON)", "jaeger-client"
REPEATING, NEW = "attribute values repeat, as most do", "every attribute value is new"


def _shown() -> Callable[[Any], Any]:
    from tracebridge_adapters.dialects import attributes_for

    return attributes_for("openinference", "tracebridge.trace_id")


def _attributes_of(fresh: bool) -> Callable[[int], dict[str, Any]]:
    return ours.fresh_attributes if fresh else lambda _: ours.ATTRIBUTES


def mine(module: str, fresh: bool) -> Run:
    """One of our formats."""
    encode = importlib.import_module(f"tracebridge_adapters.formats.{module}").encode
    records, shown = ours.records(fresh, BATCH), _shown()
    return in_thread(lambda: [encode(records, shown) for _ in range(10)], 10 * BATCH)


def otlp(fresh: bool) -> Run:
    """The OTLP exporters' encoder."""
    encoder = peer("opentelemetry.exporter.otlp.proto.common.trace_encoder", "opentelemetry-exporter-otlp-proto-http")
    spans = peers.otel_finished(BATCH, _attributes_of(fresh))
    return in_thread(lambda: encoder.encode_spans(spans).SerializeToString(), BATCH)


def _zipkin(fresh: bool) -> Run:
    encoder = peer("opentelemetry.exporter.zipkin.json.v2", "opentelemetry-exporter-zipkin-json")
    from opentelemetry.exporter.zipkin.node_endpoint import NodeEndpoint

    made = encoder.JsonV2Encoder()
    spans = peers.otel_finished(BATCH, _attributes_of(fresh))
    return in_thread(lambda: made.serialize(spans, NodeEndpoint()), BATCH)


def _py_zipkin(encoding: str, fresh: bool) -> Run:
    peer("py_zipkin", "py-zipkin")
    from py_zipkin import Encoding, Kind
    from py_zipkin.encoding._encoders import get_encoder
    from py_zipkin.encoding._helpers import Span, create_endpoint

    endpoint = create_endpoint(port=0, service_name="benchmark")
    spans = [
        Span(
            trace_id="1".zfill(32),
            name="operation",
            parent_id="1".zfill(16),
            span_id=f"{n + 1:016x}",
            kind=Kind.LOCAL,
            timestamp=1_790_000_000.0,
            duration=0.005,
            local_endpoint=endpoint,
            tags={key: str(value) for key, value in _attributes_of(fresh)(n).items()},
        )
        for n in range(BATCH)
    ]
    encoder = get_encoder(getattr(Encoding, encoding))
    return in_thread(lambda: encoder.encode_queue([encoder.encode_span(span) for span in spans]), BATCH)


def _thrift(fresh: bool) -> Run:
    peer("thrift", "'tracebridge[jaeger]'")
    from tracebridge_adapters.formats.jaeger import thrift as jaeger_thrift

    datagrams = jaeger_thrift.Framing("compact", True, 2**31)
    records, shown = ours.records(fresh, BATCH), _shown()
    return in_thread(lambda: jaeger_thrift.encode(records, shown, datagrams), BATCH)


def _jaeger_client(fresh: bool) -> Run:
    """What its reporter does with a batch: Thrift structs, then the agent's call in the compact protocol. Tags were made by set_tag."""
    peer("jaeger_client", "jaeger-client six")
    from jaeger_client import thrift as maker
    from jaeger_client.thrift_gen.agent import Agent
    from thrift.protocol.TCompactProtocol import TCompactProtocol
    from thrift.Thrift import TMessageType
    from thrift.transport.TTransport import TMemoryBuffer

    spans = peers.jaeger_finished(BATCH, _attributes_of(fresh))
    process = maker.make_process("benchmark", {}, 1024)

    def one_round() -> None:
        protocol = TCompactProtocol(TMemoryBuffer())
        protocol.writeMessageBegin("emitBatch", TMessageType.ONEWAY, 0)
        Agent.emitBatch_args(maker.make_jaeger_batch(spans, process)).write(protocol)
        protocol.writeMessageEnd()

    return in_thread(one_round, BATCH)


def from_journal(encoder: str, fresh: bool) -> Run:
    """What delivery does with a batch of the journal's: MessagePack in, a body out."""
    from tracebridge.journal.base import Claim, encode_record, readable
    from tracebridge.journal.base import Run as Neighbours
    from tracebridge.records.record import Resource
    from tracebridge_adapters import encoders

    records = ours.records(fresh, BATCH)
    data = [
        encode_record(
            [r.trace_id, r.span_id, r.parent_id, r.name, r.start_time_ns, r.end_time_ns, r.kind, 1, r.attributes]
        )
        for r in records
    ]
    resource = Resource({"service.name": "benchmark"})
    encode = getattr(encoders, encoder)("openinference", "tracebridge.trace_id")
    claim = Claim([Neighbours(data)], 0, BATCH, 0.0, BATCH, BATCH)
    return in_thread(lambda: [encode(readable(claim, resource, encoded=True)) for _ in range(10)], 10 * BATCH)


def _pair(name: str, contestants: Callable[[bool], dict[str, Make]], goal: Goal | None) -> tuple[Case, Case]:
    return (
        Case(f"encode-{name}", contestants(False), goal, REPEATING),
        Case(f"encode-{name}-new", contestants(True), None, NEW),
    )


CASES = (
    *_pair(
        "journal-otlp-protobuf",
        lambda fresh: {"tracebridge": lambda: from_journal("otlp_protobuf", fresh), OTLP: lambda: otlp(fresh)},
        None,
    ),
    *_pair(
        "journal-otlp-json",
        lambda fresh: {"tracebridge": lambda: from_journal("otlp_json", fresh), OTLP: lambda: otlp(fresh)},
        None,
    ),
    *_pair(
        "journal-zipkin-json",
        lambda fresh: {"tracebridge": lambda: from_journal("zipkin_json", fresh), ZIPKIN: lambda: _zipkin(fresh)},
        None,
    ),
    *_pair(
        "otlp-protobuf",
        lambda fresh: {"tracebridge": lambda: mine("otlp.protobuf", fresh), OTLP: lambda: otlp(fresh)},
        Goal(1 / 10, OTLP),
    ),
    *_pair(
        "otlp-json",
        lambda fresh: {"tracebridge": lambda: mine("otlp.json", fresh), OTLP: lambda: otlp(fresh)},
        Goal(1 / 10, OTLP),
    ),
    *_pair(
        "zipkin-json",
        lambda fresh: {
            "tracebridge": lambda: mine("zipkin.json", fresh),
            ZIPKIN: lambda: _zipkin(fresh),
            "py_zipkin": lambda: _py_zipkin("V2_JSON", fresh),
        },
        Goal(1 / 10, ZIPKIN),
    ),
    *_pair(
        "zipkin-proto",
        lambda fresh: {
            "tracebridge": lambda: mine("zipkin.protobuf", fresh),
            "py_zipkin": lambda: _py_zipkin("V2_PROTO3", fresh),
            ZIPKIN: lambda: _zipkin(fresh),
        },
        Goal(1 / 10, ZIPKIN),
    ),
    *_pair(
        "thrift",
        lambda fresh: {"tracebridge": lambda: _thrift(fresh), JAEGER: lambda: _jaeger_client(fresh)},
        Goal(1 / 10, JAEGER),
    ),
)
