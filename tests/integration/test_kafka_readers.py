"""Every encoding on a Kafka topic through every reader and back: Zipkin, Jaeger 2, a Collector both ways, and relays into all of them."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from support import kept
from support.backends.collector import Collector, start_collector
from support.backends.jaeger import Jaeger, start_jaeger_2
from support.backends.kafka import Kafka
from support.backends.mlflow import MLflow
from support.backends.process import http
from support.backends.zipkin import Zipkin, start_zipkin
from support.cases import CASES
from support.kafka_topics import make_topic, produce
from support.otlp_view import ATTRIBUTES
from support.otlp_view import expected as expected_of_otlp
from support.readback import (
    collector_says,
    expected_of_jaeger,
    expected_of_zipkin,
    jaeger_says,
    zipkin_says,
)
from tracebridge import Client
from tracebridge.plugins.adapter import Context, Sent
from tracebridge.records.record import SpanRecord
from tracebridge.relay.build import client_settings, relay_of
from tracebridge.settings.load import load_settings
from tracebridge_adapters.formats.files.otlp_proto import OtlpProto
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import protobuf as zipkin_protobuf
from tracebridge_adapters.kafka import KafkaAdapter, KafkaOptions
from tracebridge_adapters.mlflow import MlflowAdapter, MlflowOptions

pytestmark = pytest.mark.server
ENCODINGS = ("otlp_proto", "otlp_json", "zipkin_json", "zipkin_proto")
WAIT_S = 120.0


class Readers:
    """A topic for each encoding, and the servers that read them."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.topics = {encoding: make_topic(kafka) for encoding in ENCODINGS}
        self.exported = make_topic(kafka)

        def reading(encoding: str, topic: Any, key: str, who: str) -> dict[str, Any]:
            group = {"group_id": f"{uuid.uuid4().hex}-{who}", "initial_offset": "earliest"}
            return {"brokers": kafka.brokers, **group, "traces": {key: topic, "encoding": encoding}}

        self.collector: Collector = start_collector(
            receivers={f"kafka/{each}": reading(each, [topic], "topics", "c") for each, topic in self.topics.items()},
            exporters={
                "kafka": {"brokers": kafka.brokers, "traces": {"topic": self.exported, "encoding": "otlp_proto"}}
            },
        )
        self.jaeger: Jaeger = start_jaeger_2(  # its receiver is of an earlier version, and takes one topic
            more_receivers={f"kafka/{each}": reading(each, self.topics[each], "topic", "j") for each in ENCODINGS[:2]}
        )
        topics = ",".join(self.topics[encoding] for encoding in ENCODINGS if "zipkin" in encoding)
        self.zipkin: Zipkin = start_zipkin(KAFKA_BOOTSTRAP_SERVERS=",".join(kafka.brokers), KAFKA_TOPIC=topics)

    def stop(self) -> None:
        """End the servers."""
        self.collector.stop()
        self.jaeger.process.stop()
        self.zipkin.process.stop()


@pytest.fixture(scope="module")
def readers(kafka: Kafka) -> Iterator[Readers]:
    """Zipkin, Jaeger 2 and a Collector, reading from one Kafka."""
    started = Readers(kafka)
    yield started
    started.stop()


def write(readers: Readers, encoding: Any, records: Sequence[SpanRecord]) -> None:
    """Write records by the adapter."""
    options = KafkaOptions(brokers=readers.kafka.brokers, topic=readers.topics[encoding], encoding=encoding)
    adapter = KafkaAdapter(options, Context("kafka"))
    parts = adapter.encode(records)
    assert not isinstance(parts, bytes)
    assert list(adapter.send_parts(parts)) == [Sent()] * len(parts)
    adapter.close()


def by_id(records: Sequence[SpanRecord], expected: Any) -> dict[str, Any]:
    """What is expected of each span, by its ID."""
    return {record.span_id.hex(): expected(record) for record in records}


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
def test_a_collector_reads_otlp_from_kafka_field_by_field(readers, salt, encoding):
    """What it passes on is what was recorded, for every case."""
    for case in CASES:
        records = case.records(f"{salt}-{encoding}")
        write(readers, encoding, records)
        assert collector_says(readers.collector, records) == by_id(records, expected_of_otlp), case


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
def test_jaeger_reads_otlp_from_kafka_field_by_field(readers, salt, encoding):
    """What its API tells is what was recorded, for every case."""
    for case in CASES:
        records = case.records(f"{salt}-jaeger-{encoding}")
        write(readers, encoding, records)
        assert jaeger_says(readers.jaeger, records) == by_id(records, expected_of_jaeger), case


@pytest.mark.parametrize("encoding", ["zipkin_json", "zipkin_proto"])
def test_zipkin_reads_both_its_encodings_from_kafka_field_by_field(readers, salt, encoding):
    """What its API tells is what was recorded, for every case."""
    for case in CASES:
        records = case.records(f"{salt}-{encoding}")
        write(readers, encoding, records)
        assert zipkin_says(readers.zipkin, records) == by_id(records, expected_of_zipkin), case


@pytest.mark.parametrize(
    ("encoding", "encode", "content_type"),
    [
        ("zipkin_json", zipkin_json.encode, "application/json"),
        ("zipkin_proto", zipkin_protobuf.encode, "application/x-protobuf"),
    ],
)
def test_a_collector_reads_zipkin_from_kafka_as_it_does_over_http(readers, salt, encoding, encode, content_type):
    """The same spans, once on the topic and once posted: it tells the same of both."""
    for case in CASES:
        one, other = case.records(f"{salt}-kafka-{encoding}"), case.records(f"{salt}-http-{encoding}")
        write(readers, encoding, one)
        answer = http.request(
            "POST", readers.collector.zipkin_url, body=encode(other, ATTRIBUTES), headers={"content-type": content_type}
        )
        assert answer.status == 202
        told, posted = collector_says(readers.collector, one), collector_says(readers.collector, other)
        ids = ("trace_id", "span_id", "parent", "links")
        plain = [[{k: v for k, v in span.items() if k not in ids} for span in said.values()] for said in (told, posted)]
        for spans in plain:
            spans.sort(key=lambda span: (span["start"], span["name"]))
            for span in spans:
                salted = ("otlp.link.", "tracebridge.trace_id")
                span["attributes"] = {k: v for k, v in span["attributes"].items() if not k.startswith(salted)}
        assert plain[0] == plain[1], case
        assert set(told) == {record.span_id.hex() for record in one}


def relays(kafka: Kafka, topic: str, adapters: dict[str, Any], arrived: Any, count: int = 1) -> list[Client]:
    """Run so many relays of one group, each in a thread, until what has arrived is enough; return their clients, closed."""
    queue = {"sending_queue": {"flush_interval": "20ms"}}
    config = {
        "adapters": {name: {**options, **queue} for name, options in adapters.items()},
        "relay": {"kafka": {"brokers": kafka.brokers, "topics": {topic: "auto"}, "group": uuid.uuid4().hex}},
    }
    settings = client_settings(load_settings(config))
    clients = [Client(config=settings) for _ in range(count)]
    done = threading.Event()
    members = [relay_of(settings, client, stop=done.is_set) for client in clients]
    threads = [threading.Thread(target=member.run, args=(lambda _: None,)) for member in members]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + WAIT_S
    try:
        while not arrived(clients):
            assert time.monotonic() < deadline, [client.stats() for client in clients]
            time.sleep(0.05)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
    return clients


def test_what_a_collector_exports_to_kafka_a_relay_reads_field_by_field(readers, salt):
    """OTLP to a Collector, its Kafka exporter, a relay: every case as it was recorded."""
    records = [record for case in CASES for record in case.records(f"{salt}-exported")]
    with Client(config={"adapters": {"otlp_http": {"endpoint": readers.collector.otlp_http}}}) as client:
        for record in records:
            client.ingest(record)
        assert client.flush(60)
    wanted = {record.trace_id for record in records}
    found: dict[bytes, SpanRecord] = {}

    def arrived(clients: Sequence[Client]) -> bool:
        memory: Any = clients[0].adapter("memory")
        found.update({record.span_id: record for record in memory.records if record.trace_id in wanted})
        return len(found) == len(records)

    relays(readers.kafka, readers.exported, {"memory": {}}, arrived)
    assert by_id(list(found.values()), expected_of_otlp) == by_id(records, expected_of_otlp)


def test_one_program_through_kafka_and_two_relays_is_the_same_trace_everywhere(
    readers, salt, zipkin, jaeger, collector, mlflow
):
    """Zipkin, Jaeger, a Collector and MLflow tell every field of every case, whichever relay delivered it."""
    kafka, topic = readers.kafka, make_topic(readers.kafka)
    traces = [case.records(f"{salt}-everywhere") for case in CASES]
    records = [record for trace in traces for record in trace]
    with Client(config={"adapters": {"kafka": {"brokers": kafka.brokers, "topic": topic}}}) as client:
        for record in records:
            client.ingest(record)
        assert client.flush(60)
    adapters = {
        "zipkin": {"endpoint": zipkin.spans_url},
        "otlp_http/jaeger": {"endpoint": jaeger.otlp_http},
        "otlp_http/collector": {"endpoint": collector.otlp_http},
        "mlflow": {"endpoint": mlflow.url, "experiment_id": mlflow.experiment_id},
    }

    def arrived(clients: Sequence[Client]) -> bool:
        books = [client.stats().adapters for client in clients]
        return all(sum(each[name].exported for each in books) >= len(records) for name in adapters)

    clients = relays(kafka, topic, adapters, arrived, count=2)
    assert all(books.dropped == {} for client in clients for books in client.stats().adapters.values())
    for case, trace in zip(CASES, traces, strict=True):
        assert zipkin_says(zipkin, trace) == by_id(trace, expected_of_zipkin), case
        assert jaeger_says(jaeger, trace) == by_id(trace, expected_of_jaeger), case
        assert collector_says(collector, trace) == by_id(trace, expected_of_otlp), case
        if case.name != "thousand":  # which MLflow has, and takes minutes to tell
            assert mlflow_says(mlflow, trace) == by_id(trace, partial(expected_of_mlflow, mlflow)), case


def mlflow_says(mlflow: MLflow, records: Sequence[SpanRecord]) -> dict[str, Any]:
    """The trace as MLflow's own API tells it."""
    adapter = MlflowAdapter(MlflowOptions(endpoint=mlflow.url, experiment_id=mlflow.experiment_id), Context("reader"))
    try:
        deadline = time.monotonic() + WAIT_S
        while len(got := adapter.reader.get(records[0].trace_id)) < len(records) and time.monotonic() < deadline:
            time.sleep(0.05)
        return {record.span_id.hex(): record for record in got}
    finally:
        adapter.close()


def expected_of_mlflow(mlflow: MLflow, record: SpanRecord) -> SpanRecord:
    """What MLflow keeps of a record as OTLP carries it: a trace's tags are attributes there."""
    (carried,) = OtlpProto().decode(otlp_protobuf.encode([record], ATTRIBUTES)).records
    return replace(kept.by_mlflow(carried), experiment_id=mlflow.experiment_id)


def test_messages_of_both_systems_on_one_topic_are_told_apart(readers, salt):
    """What Zipkin's and OTLP's writers put on the same topic arrives by one relay."""
    topic = make_topic(readers.kafka)
    one, other = CASES[0].records(f"{salt}-one"), CASES[0].records(f"{salt}-other")
    produce(readers.kafka, topic, [zipkin_protobuf.encode(one, ATTRIBUTES)])
    with Client(config={"adapters": {"kafka": {"brokers": readers.kafka.brokers, "topic": topic}}}) as client:
        for record in other:
            client.ingest(record)
        assert client.flush(60)
    found: set[bytes] = set()

    def arrived(clients: Sequence[Client]) -> bool:
        memory: Any = clients[0].adapter("memory")
        found.update(record.span_id for record in memory.records)
        return len(found) == len(one) + len(other)

    relays(readers.kafka, topic, {"memory": {}}, arrived)
    assert found == {record.span_id for record in [*one, *other]}
