"""Spans through a real Kafka: what readers of the topic understand, what faults do, and what is said of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.backends.kafka import STRANGER, WRITER, Kafka, start_kafka
from support.cases import CASES
from support.kafka_topics import make_topic, messages
from support.otlp_view import expected as expected_of_otlp
from support.otlp_view import said
from support.pages import PAGES, blocks
from tracebridge import Client
from tracebridge.delivery.parts import parts_of
from tracebridge.errors import Misconfigured, TooLarge
from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import Secret
from tracebridge_adapters.kafka import KafkaAdapter, KafkaOptions
from tracebridge_adapters.kafka_connection import KafkaTls, SaslOptions
from tracebridge_adapters.wires.kafka import KafkaMessage

pytestmark = pytest.mark.server
CONTEXT = Context("kafka")
every_case = pytest.mark.parametrize("case", CASES, ids=repr)


@pytest.fixture
def topic(kafka) -> str:
    """A topic of three partitions that nothing else uses."""
    return make_topic(kafka)


def spans_of(message: Any) -> Iterator[Any]:
    """Yield the OTLP spans of a message."""
    for resource in ExportTraceServiceRequest.FromString(message.value()).resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def send(adapter: KafkaAdapter, records: Sequence[Any]) -> None:
    """Send records and insist on every acknowledgement."""
    parts = adapter.encode(records)
    try:
        assert not isinstance(parts, bytes)
        assert list(adapter.send_parts(parts)) == [Sent()] * len(parts)
    finally:
        adapter.close()


@every_case
def test_a_message_holds_every_field_of_the_trace(kafka, topic, salt, case):
    """opentelemetry-proto's decoder reads from the topic what was recorded, under the trace's key."""
    records = case.records(salt)
    send(KafkaAdapter(KafkaOptions(brokers=kafka.brokers, topic=topic), CONTEXT), records)
    traces = {record.trace_id.hex().encode() for record in records}
    found = messages(kafka, topic, lambda some: len(some) >= len(traces))
    assert sorted(message.key() for message in found) == sorted(traces)
    told = [span for message in found for span in said(ExportTraceServiceRequest.FromString(message.value()))]
    assert sorted(told, key=repr) == sorted(map(expected_of_otlp, records), key=repr)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_an_account_with_the_right_password_may_write(kafka, topic, salt, mechanism):
    """Both ways of proving a password work."""
    sasl = SaslOptions(mechanism=mechanism, username=WRITER[0], password=Secret(WRITER[1]))
    send(
        KafkaAdapter(KafkaOptions(brokers=kafka.password_brokers, topic=topic, sasl=sasl), CONTEXT),
        CASES[0].records(salt),
    )


def test_a_tls_port_is_spoken_to_with_its_authority(kafka, topic, salt):
    """`tls: {enabled: true, ca_file: …}` is all that a TLS listener needs."""
    tls = KafkaTls(enabled=True, ca_file=str(kafka.ca_file))
    send(KafkaAdapter(KafkaOptions(brokers=kafka.tls_brokers, topic=topic, tls=tls), CONTEXT), CASES[0].records(salt))


def refused(adapter: KafkaAdapter, salt: str) -> Any:
    """What became of one message that was not taken."""
    (answer,) = adapter.send_parts(parts_of(adapter, CASES[0].records(salt)))
    adapter.close()
    return answer


def test_a_wrong_password_is_misconfigured_and_not_repeated_in_the_message(kafka, topic, salt):
    """Waiting does not help: the error says what to check, and has no password in it."""
    sasl = SaslOptions(username=WRITER[0], password=Secret("no-such-password"))
    answer = refused(
        KafkaAdapter(KafkaOptions(brokers=kafka.password_brokers, topic=topic, sasl=sasl, timeout=5), CONTEXT), salt
    )
    assert isinstance(answer, Misconfigured)
    assert "_AUTHENTICATION" in str(answer)
    assert "check sasl: mechanism, username and password" in str(answer)
    assert "no-such-password" not in str(answer)


def test_an_account_that_may_not_write_is_misconfigured(kafka, topic, salt):
    """The right is named that is missing."""
    sasl = SaslOptions(username=STRANGER[0], password=Secret(STRANGER[1]))
    answer = refused(
        KafkaAdapter(KafkaOptions(brokers=kafka.password_brokers, topic=topic, sasl=sasl, timeout=15), CONTEXT), salt
    )
    assert isinstance(answer, Misconfigured)
    assert "AUTHORIZATION_FAILED" in str(answer)


def test_a_topic_that_is_not_there_is_misconfigured(kafka, salt):
    """Nothing is created behind people's backs; the message says what to do."""
    answer = refused(
        KafkaAdapter(KafkaOptions(brokers=kafka.brokers, topic=f"missing-{salt}", timeout=8), CONTEXT), salt
    )
    assert isinstance(answer, Misconfigured)
    assert "create the topic, or check its name" in str(answer)


def test_a_message_above_the_topics_limit_is_too_large(kafka, salt):
    """The topic's limit lies below ours: delivery is told to split."""
    topic = make_topic(kafka, settings={"max.message.bytes": "2000"})
    adapter = KafkaAdapter(KafkaOptions(brokers=kafka.brokers, topic=topic, compression="none"), CONTEXT)
    (answer,) = adapter._wire.send([KafkaMessage(b"key", os.urandom(5_000))])
    adapter.close()
    assert isinstance(answer, TooLarge)


def client_of(kafka: Kafka, topic: str, **options: Any) -> Client:
    """Return a client that delivers to a topic, a batch every 50 ms."""
    queue = {"flush_interval": "50ms"}
    return Client(
        config={"adapters": {"kafka": {"brokers": kafka.brokers, "topic": topic, "sending_queue": queue, **options}}}
    )


def test_a_forked_child_has_a_producer_of_its_own(kafka, topic):
    """Parent and child both deliver, and the child ends as any process does."""
    client = client_of(kafka, topic)
    client.end_trace(client.start_trace("parent", trace_id="before-fork").trace_id)
    assert client.flush(60)
    child = os.fork()
    if child == 0:
        client.end_trace(client.start_trace("child", trace_id="after-fork").trace_id)
        os._exit(0 if client.flush(60) and client.stats().adapters["kafka"].exported == 1 else 1)
    _, status = os.waitpid(child, 0)
    client.close()
    found = messages(kafka, topic, lambda some: len(some) >= 2)
    assert (status, sorted(span.name for message in found for span in spans_of(message))) == (0, ["child", "parent"])


CHILD_THAT_EXITS = """
import os, sys
from tracebridge import Client
client = Client(config={"adapters": {"kafka": {"brokers": sys.argv[1].split(","), "topic": sys.argv[2]}}})
client.end_trace(client.start_trace("parent").trace_id)
assert client.flush(60)
child = os.fork()
if child == 0:
    client.end_trace(client.start_trace("child").trace_id)
    sys.exit(0)
print(os.waitpid(child, 0)[1])
"""


def test_a_forked_child_that_exits_as_usual_is_not_ended_by_the_parents_producer(kafka, topic):
    """Ending the parent's producer in the child would end the child with a signal."""
    command = [sys.executable, "-c", CHILD_THAT_EXITS, ",".join(kafka.brokers), topic]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    found = messages(kafka, topic, lambda some: len(some) >= 2)
    assert sorted(span.name for message in found for span in spans_of(message)) == ["child", "parent"]


def test_a_broker_that_is_killed_and_comes_back_loses_doubles_and_reorders_nothing(salt):
    """`kill -9` while 5,000 messages are on their way: every span is there once, each trace in its order."""
    kafka = start_kafka()
    try:
        topic = make_topic(kafka)
        client = client_of(kafka, topic, timeout="60s")
        for number in range(5_000):
            if number == 2_500:
                kafka.nodes[0].kill()
                kafka.start(kafka.nodes[0])
            trace_id = f"{salt}-{number % 500}"
            root = client.start_trace(f"{number}", trace_id=trace_id)
            client.end_trace(root.trace_id)
        assert client.flush(180)
        books = client.stats().adapters["kafka"]
        client.close()
        assert (books.exported, books.dropped) == (5_000, {})
        found = messages(kafka, topic, lambda some: sum(len(list(spans_of(each))) for each in some) >= 5_000)
        by_trace: dict[bytes, list[int]] = {}
        for message in found:
            by_trace.setdefault(message.key(), []).extend(int(span.name) for span in spans_of(message))
        assert sorted(number for numbers in by_trace.values() for number in numbers) == list(range(5_000))
        assert all(numbers == sorted(numbers) for numbers in by_trace.values())
    finally:
        kafka.process.stop()


def test_a_process_that_ends_delivers_what_is_queued(kafka, topic):
    """A program that neither flushes nor closes has delivered when it has ended; SIGTERM without a handler ends it at once."""
    program = (
        "import sys; from tracebridge import Client\n"
        'client = Client(config={"adapters": {"kafka": {"brokers": sys.argv[1].split(","), "topic": sys.argv[2]}}})\n'
        'client.end_trace(client.start_trace("last").trace_id)\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", program, ",".join(kafka.brokers), topic], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.returncode != -signal.SIGSEGV
    found = messages(kafka, topic, bool)
    assert [span.name for message in found for span in spans_of(message)] == ["last"]


PROGRAMS = {block.title: block.text for block in blocks(PAGES / "kafka.md") if block.language == "python"}


@pytest.mark.parametrize("consumer", ["confluent", "aiokafka"])
@pytest.mark.parametrize("producer", ["confluent", "aiokafka"])
def test_the_pages_producer_and_consumer_make_one_trace(kafka, topic, tmp_path, producer, consumer):
    """Whichever library wrote the headers, and whichever reads them: the consumer's span is a child of the producer's."""
    (tmp_path / "bridge.yaml").write_text("adapters: {store: {path: traces.db}}\n")
    for name in (f"{producer}_producer.py", f"{consumer}_consumer.py"):
        command = [sys.executable, "-c", PROGRAMS[name], kafka.brokers[0], topic, "bridge.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    with Client(config={"adapters": {"store": {"path": str(tmp_path / "traces.db")}}}) as client:
        trace = client.get_trace("order-1001")
    assert trace is not None
    spans = {span.name: span for span in trace.data.spans}
    assert set(spans) == {"order", f"send {topic}", f"process {topic}"}
    assert spans[f"process {topic}"].parent_id == spans[f"send {topic}"].span_id
    assert spans[f"process {topic}"].get_attribute("messaging.kafka.offset") == 0
