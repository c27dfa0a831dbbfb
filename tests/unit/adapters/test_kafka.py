"""The `kafka` adapter without a broker: its options, what it makes of records, and what it says when nobody answers."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.backends.process import free_ports
from support.cases import CASES
from tracebridge.errors import ConfigError, Retryable
from tracebridge.plugins.adapter import Context, Part
from tracebridge.plugins.options import Secret
from tracebridge.settings.load import load_settings
from tracebridge_adapters.kafka import KafkaAdapter, KafkaOptions, settings_of
from tracebridge_adapters.kafka_connection import KafkaTls, SaslOptions
from tracebridge_adapters.wires.kafka import KafkaMessage, KafkaWire

CONTEXT = Context("kafka")

pytest.importorskip("confluent_kafka", reason="confluent-kafka has wheels for this Python")


def options(**given: Any) -> KafkaOptions:
    """Return options with one broker, and those given."""
    return KafkaOptions(**{"brokers": ["localhost:9092"], **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"brokers": []}, "brokers must name at least one host:port"),
        ({"brokers": ["kafka"]}, "brokers: 'kafka' must be host:port, such as kafka-1:9092"),
        ({"brokers": ["kafka:99999"]}, "brokers: 'kafka:99999' must be host:port, such as kafka-1:9092"),
        ({"brokers": ["http://kafka:9092"]}, "brokers: 'http://kafka:9092' must be host:port, such as kafka-1:9092"),
        ({"topic": "a b"}, "topic must be 1 to 249 letters, digits, dots, hyphens and underscores"),
        ({"topic": ".."}, "topic must be 1 to 249 letters, digits, dots, hyphens and underscores"),
        ({"properties": {"acks": "1"}}, "properties: acks cannot be set: it is always all"),
        (
            {"properties": {"sasl.password": "x"}},
            "properties: sasl.password cannot be set: name it in sasl.password, where it is a secret",
        ),
    ],
)
def test_options_that_no_broker_would_take_are_refused(given, message):
    """What cannot work is told when the configuration is read, with what to write instead."""
    with pytest.raises(ValueError) as raised:
        options(**given)
    assert str(raised.value) == message


def test_a_username_without_its_password_is_refused():
    """Half of an account is a mistake, most often a variable that is not set."""
    with pytest.raises(ValueError, match="username and password belong together"):
        SaslOptions(username="me")


def test_the_options_are_librdkafkas_properties():
    """Every option has its property; acknowledgement by all and idempotence are none of them."""
    given = options(
        compression="lz4",
        partitioner="murmur2",
        client_id="shop",
        max_message_bytes=500_000,
        sasl=SaslOptions(mechanism="PLAIN", username="me", password=Secret("word")),
        tls=KafkaTls(enabled=True, ca_file="/ca.pem", cert_file="/c.pem", key_file="/k.pem"),
        properties={"socket.keepalive.enable": "true"},
    )
    assert settings_of(given) == {
        "client.id": "shop",
        "compression.type": "lz4",
        "partitioner": "murmur2_random",
        "message.max.bytes": 500_000,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": "word",
        "ssl.ca.location": "/ca.pem",
        "ssl.certificate.location": "/c.pem",
        "ssl.key.location": "/k.pem",
        "socket.keepalive.enable": "true",
    }


def test_a_batch_becomes_one_message_a_trace_under_the_collectors_key():
    """The key is the trace ID in 32 lower-case hex digits of ASCII; a message holds the spans of that trace only."""
    traces = [case.records(f"{number}") for number, case in enumerate(CASES[:4])]
    mixed = [record for pair in zip(*(trace * 2 for trace in traces), strict=False) for record in pair]
    mixed = list({id(record): record for record in mixed}.values())
    parts = KafkaAdapter(options(), CONTEXT).encode(mixed)
    assert not isinstance(parts, bytes)
    seen = [(part.key, [record.span_id for record in part.records], _span_ids(part)) for part in parts]
    wanted = {record.trace_id: [r.span_id for r in mixed if r.trace_id == record.trace_id] for record in mixed}
    assert seen == [
        (trace_id.hex().encode(), spans, sorted((trace_id, span) for span in spans))
        for trace_id, spans in wanted.items()
    ]


def _span_ids(part: Part) -> list[tuple[bytes, bytes]]:
    request = ExportTraceServiceRequest.FromString(part.body)
    return sorted(
        (span.trace_id, span.span_id)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


def test_without_a_key_a_batch_is_one_message():
    """`key: none` makes one body of all records, whatever their traces."""
    records = [record for number, case in enumerate(CASES[:3]) for record in case.records(f"{number}")]
    body = KafkaAdapter(options(key="none"), CONTEXT).encode(records)
    assert isinstance(body, bytes)
    assert _span_ids(Part(body, records)) == sorted((record.trace_id, record.span_id) for record in records)


@pytest.mark.parametrize(
    ("encoding", "topic"),
    [("otlp_proto", "otlp_spans"), ("otlp_json", "otlp_spans"), ("zipkin_json", "zipkin"), ("zipkin_proto", "zipkin")],
)
def test_the_topic_is_the_one_that_readers_of_the_encoding_expect(encoding, topic):
    """Collectors read otlp_spans, Zipkin reads zipkin."""
    adapter = KafkaAdapter(options(encoding=encoding), CONTEXT)
    assert adapter._wire.shown == f"localhost:9092 topic {topic}"


def test_no_broker_is_told_within_the_timeout():
    """Nothing listens: the answer is Retryable, comes in bounded time, and says where and why."""
    (port,) = free_ports(1)
    wire = KafkaWire([f"127.0.0.1:{port}"], "spans", settings={}, timeout_s=1.0)
    started = time.monotonic()
    (error,) = wire.send([KafkaMessage(b"k", b"body")])
    elapsed = time.monotonic() - started
    wire.close()
    assert isinstance(error, Retryable)
    assert f"127.0.0.1:{port} topic spans: _TRANSPORT" in str(error)
    assert "Connection refused" in str(error)
    assert elapsed < 30


def test_a_property_that_the_library_does_not_know_is_told():
    """A misspelt property is Misconfigured, and what to look at is named."""
    adapter = KafkaAdapter(options(properties={"socket.keepalive": "true"}), CONTEXT)
    with pytest.raises(Exception, match=r"socket\.keepalive.*check properties") as raised:
        adapter.send(b"body", 1)
    assert type(raised.value).__name__ == "Misconfigured"


def test_a_configuration_is_validated_without_the_client_library(monkeypatch):
    """Reading options imports no confluent_kafka; building the adapter without it says what to install."""
    loaded = load_settings({"adapters": {"kafka": {"brokers": ["k:9092"], "sasl": {"username": "u", "password": "p"}}}})
    chosen: Any = loaded.adapters["kafka"].options
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(ConfigError, match=r"needs confluent-kafka \(.*\): pip install 'tracebridge\[kafka\]'"):
        KafkaAdapter(chosen, CONTEXT)


def test_the_password_is_in_no_text_of_the_options():
    """`repr` of the options, which ends up in debuggers and logs, masks it."""
    given = options(sasl=SaslOptions(username="me", password=Secret("pass-w0rd")))
    assert "pass-w0rd" not in repr(given) + repr(dataclasses.asdict(given)) + repr(settings_of(given))
