"""Kafka: OTLP or Zipkin bodies as messages, one trace to one partition. Needs `pip install 'tracebridge[kafka]'`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tracebridge.plugins.adapter import Answer, Context, Needs, Part, Sent
from tracebridge.plugins.options import Duration, Secret, Size, TlsOptions, option
from tracebridge_adapters.options import NamingOptions

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

Encoding = Literal["otlp_proto", "otlp_json", "zipkin_json", "zipkin_proto"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

MAX_BATCH_SPANS = 10_000
MAX_MESSAGE_BYTES = 1_000_000
HEADROOM = 1_000  # bytes: what Kafka adds to a value counts towards a broker's and a topic's limit too
TOPICS = {"otlp_proto": "otlp_spans", "otlp_json": "otlp_spans", "zipkin_json": "zipkin", "zipkin_proto": "zipkin"}
PARTITIONERS = {"fnv1a": "fnv1a_random", "murmur2": "murmur2_random", "crc32": "consistent_random"}
_is_topic = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch
_is_broker = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}").fullmatch
RESERVED = {
    "acks": "it is always all",
    "request.required.acks": "it is always all",
    "enable.idempotence": "it is always on",
    "bootstrap.servers": "name them in brokers",
    "metadata.broker.list": "name them in brokers",
    "message.timeout.ms": "name it in timeout",
    "delivery.timeout.ms": "name it in timeout",
    "message.max.bytes": "name it in max_message_bytes",
    "sasl.password": "name it in sasl.password, where it is a secret",
}
"""Properties that have an option here, or none because anything else would lose or double spans."""


@dataclass(frozen=True, kw_only=True)
class SaslOptions:
    """How the brokers know this program; unused without a username."""

    mechanism: Mechanism = option("SCRAM-SHA-256", help="How the password is proved.")
    username: str | None = option(None, help="The account, where the brokers want one.", examples=["tracebridge"])
    password: Secret | None = option(None, help="Its password.", examples=["${env:KAFKA_PASSWORD}"])

    def __post_init__(self) -> None:
        """Refuse half of a pair."""
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together; one of them is missing")


@dataclass(frozen=True, kw_only=True)
class KafkaTls(TlsOptions):
    """TLS towards the brokers."""

    enabled: bool = option(False, help="Whether the brokers' ports speak TLS.")


@dataclass(frozen=True, kw_only=True)
class KafkaOptions(NamingOptions):
    """Options of the `kafka` adapter."""

    brokers: list[str] = option(
        help="Where to ask for the cluster, as host:port.", examples=[["kafka-1:9092", "kafka-2:9092"]]
    )
    topic: str | None = option(
        None, help="The topic; by default otlp_spans, or zipkin for the two Zipkin encodings.", examples=["otlp_spans"]
    )
    encoding: Encoding = option("otlp_proto", help="How a message's value is written.")
    key: Literal["trace_id", "none"] = option(
        "trace_id",
        help="What chooses the partition: the trace ID (32 lower-case hex digits, as Collectors write it; one message a trace), or nothing (one message a batch).",
    )
    partitioner: Literal["fnv1a", "murmur2", "crc32"] = option(
        "fnv1a",
        help="How a key chooses its partition: as Collectors do, as Java's client, or as librdkafka. All that write to a topic should use the same.",
    )
    compression: Literal["zstd", "lz4", "snappy", "gzip", "none"] = option("zstd", help="How messages are compressed.")
    max_message_bytes: Size = option(
        MAX_MESSAGE_BYTES,
        help="Most bytes of a message before compression; not above the topic's max.message.bytes.",
        minimum=10_000,
        maximum=100 * 2**20,
    )
    timeout: Duration = option(
        30.0,
        help="Longest wait for the acknowledgement of a batch; a broker's fail-over takes many seconds.",
        minimum=0.1,
    )
    tls: KafkaTls = option(factory=KafkaTls, help="TLS towards the brokers.")
    sasl: SaslOptions = option(factory=SaslOptions, help="The account, where the brokers want one.")
    client_id: str = option("tracebridge", help="The name under which brokers log and limit this program.")
    properties: dict[str, str] = option(
        factory=dict,
        help="Further properties of librdkafka, for what has no option here.",
        examples=[{"socket.keepalive.enable": "true"}],
    )

    def __post_init__(self) -> None:
        """Refuse what no broker would take, and properties that have an option of their own."""
        if not self.brokers:
            raise ValueError("brokers must name at least one host:port")
        for broker in self.brokers:
            if not _is_broker(broker) or not 0 < int(broker.rpartition(":")[2]) < 65_536:
                raise ValueError(f"brokers: {broker!r} must be host:port, such as kafka-1:9092")
        if self.topic is not None and (not _is_topic(self.topic) or self.topic in {".", ".."}):
            raise ValueError("topic must be 1 to 249 letters, digits, dots, hyphens and underscores")
        for name in self.properties:
            if name in RESERVED:
                raise ValueError(f"properties: {name} cannot be set: {RESERVED[name]}")


class KafkaAdapter:
    """Produces one message a trace, or one a batch; each is acknowledged by every replica in sync."""

    Options: ClassVar[type[KafkaOptions]] = KafkaOptions
    needs: ClassVar[Needs] = Needs(("confluent_kafka",), "tracebridge[kafka]")
    max_batch_spans = MAX_BATCH_SPANS

    def __init__(self, options: KafkaOptions, context: Context) -> None:
        from tracebridge_adapters.dialects import attributes_for
        from tracebridge_adapters.formats.otlp import json as otlp_json
        from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
        from tracebridge_adapters.formats.zipkin import json as zipkin_json
        from tracebridge_adapters.formats.zipkin import protobuf as zipkin_protobuf
        from tracebridge_adapters.wires.kafka import KafkaWire

        encoders = {
            "otlp_proto": otlp_protobuf.encode,
            "otlp_json": otlp_json.encode,
            "zipkin_json": zipkin_json.encode,
            "zipkin_proto": zipkin_protobuf.encode,
        }
        self._encode = encoders[options.encoding]
        self._attributes_of = attributes_for(options.dialect, context.trace_id_attribute)
        self._by_trace = options.key == "trace_id"
        self.max_batch_bytes: int | None = options.max_message_bytes - HEADROOM
        self._wire = KafkaWire(
            options.brokers,
            options.topic or TOPICS[options.encoding],
            settings=settings_of(options),
            timeout_s=options.timeout,
        )

    def encode(self, records: Sequence[SpanRecord]) -> bytes | Sequence[Part]:
        """Return one message a trace under its ID, or one message for all."""
        if not self._by_trace:
            return self._encode(records, self._attributes_of)
        traces: dict[bytes, list[SpanRecord]] = {}
        for record in records:
            traces.setdefault(record.trace_id, []).append(record)
        return [
            Part(self._encode(spans, self._attributes_of), spans, trace_id.hex().encode())
            for trace_id, spans in traces.items()
        ]

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Produce one message without a key."""
        (error,) = self._wire.send([(None, body)])
        if error is not None:
            raise error
        return Sent()

    def send_parts(self, parts: Sequence[Part]) -> Sequence[Answer]:
        """Produce messages, and say of each whether it was acknowledged."""
        errors = self._wire.send([(part.key, part.body) for part in parts])
        return [Sent() if error is None else error for error in errors]

    def close(self) -> None:
        """Give the producer up."""
        self._wire.close()


def settings_of(options: KafkaOptions) -> dict[str, str | int | bool | Secret]:
    """Return what the options are to librdkafka, in its own property names."""
    settings: dict[str, str | int | bool | Secret] = {
        "client.id": options.client_id,
        "compression.type": options.compression,
        "partitioner": PARTITIONERS[options.partitioner],
        "message.max.bytes": options.max_message_bytes,
        "security.protocol": ("SASL_" if options.sasl.username else "")
        + ("SSL" if options.tls.enabled else "PLAINTEXT"),
    }
    if options.sasl.username is not None and options.sasl.password is not None:
        settings |= {
            "sasl.mechanism": options.sasl.mechanism,
            "sasl.username": options.sasl.username,
            "sasl.password": options.sasl.password,
        }
    files = {
        "ssl.ca.location": options.tls.ca_file,
        "ssl.certificate.location": options.tls.cert_file,
        "ssl.key.location": options.tls.key_file,
    }
    settings |= {name: str(Path(path).expanduser()) for name, path in files.items() if path}
    if options.tls.insecure_skip_verify:
        settings["enable.ssl.certificate.verification"] = False
    return settings | options.properties
