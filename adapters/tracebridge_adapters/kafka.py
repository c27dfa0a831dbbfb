"""Kafka: OTLP or Zipkin bodies as messages, one trace to one partition. Needs `pip install 'tracebridge[kafka]'`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tracebridge.plugins.adapter import Answer, Context, Needs, Part, Sent
from tracebridge.plugins.options import Duration, Secret, Size, option
from tracebridge_adapters import kafka_connection as connection
from tracebridge_adapters.kafka_connection import KafkaTls, SaslOptions
from tracebridge_adapters.options import NamingOptions
from tracebridge_adapters.wires.kafka import KafkaMessage, KafkaWire

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

Encoding = Literal["otlp_proto", "otlp_json", "zipkin_json", "zipkin_proto"]

MAX_BATCH_SPANS = 10_000
MAX_MESSAGE_BYTES = 1_000_000
HEADROOM = 1_000  # bytes: what Kafka adds to a value counts towards a broker's and a topic's limit too
TOPICS = {"otlp_proto": "otlp_spans", "otlp_json": "otlp_spans", "zipkin_json": "zipkin", "zipkin_proto": "zipkin"}
PARTITIONERS = {"fnv1a": "fnv1a_random", "murmur2": "murmur2_random", "crc32": "consistent_random"}
RESERVED = {
    **connection.RESERVED,
    "acks": "it is always all",
    "request.required.acks": "it is always all",
    "enable.idempotence": "it is always on",
    "message.timeout.ms": "name it in timeout",
    "delivery.timeout.ms": "name it in timeout",
    "message.max.bytes": "name it in max_message_bytes",
}
"""Properties that have an option here, or none because anything else would lose or double spans."""


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
        connection.check_brokers(self.brokers)
        if self.topic is not None:
            connection.check_topic(self.topic)
        connection.check_properties(self.properties, RESERVED)


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
        (error,) = self._wire.send([KafkaMessage(None, body)])
        if error is not None:
            raise error
        return Sent()

    def send_parts(self, parts: Sequence[Part]) -> Sequence[Answer]:
        """Produce messages, and say of each whether it was acknowledged."""
        errors = self._wire.send([KafkaMessage(part.key, part.body) for part in parts])
        return [Sent() if error is None else error for error in errors]

    def close(self) -> None:
        """Give the producer up."""
        self._wire.close()


def settings_of(options: KafkaOptions) -> dict[str, str | int | bool | Secret]:
    """Return what the options are to librdkafka, in its own property names."""
    return {
        **connection.connection_settings(options.client_id, options.tls, options.sasl),
        "compression.type": options.compression,
        "partitioner": PARTITIONERS[options.partitioner],
        "message.max.bytes": options.max_message_bytes,
        **options.properties,
    }
