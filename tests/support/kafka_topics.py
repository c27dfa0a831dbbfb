"""Topics of a real Kafka: made, written and asked for what a group committed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from support.backends.kafka import Kafka


def make_topic(kafka: Kafka, partitions: int = 3, settings: Mapping[str, str] | None = None) -> str:
    """Make a topic and return its name."""
    name = f"spans-{uuid.uuid4().hex}"
    create(kafka, name, partitions, settings)
    return name


def create(kafka: Kafka, name: str, partitions: int, settings: Mapping[str, str] | None = None) -> None:
    """Make a topic of this name; one that was just deleted may still be going."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": ",".join(kafka.brokers)})
    for attempt in range(60):
        try:
            for done in admin.create_topics([NewTopic(name, partitions, config=dict(settings or {}))]).values():
                done.result()
        except KafkaException as error:
            if attempt == 59 or error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise
            admin.poll(0.5)
        else:
            return


def delete(kafka: Kafka, name: str) -> None:
    """Delete a topic."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": ",".join(kafka.brokers)})
    for done in admin.delete_topics([name]).values():
        done.result()


def produce(kafka: Kafka, topic: str, values: Iterable[bytes | None], **more: Any) -> None:
    """Write messages to a topic; every one is acknowledged."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": ",".join(kafka.brokers), "enable.idempotence": True})
    for value in values:
        producer.produce(topic, value, **more)
        producer.poll(0)
    assert producer.flush(60) == 0


def committed(kafka: Kafka, group: str, topic: str, partitions: int = 3) -> dict[int, int]:
    """Return the offsets that a group has committed, for the partitions of which it has any."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": ",".join(kafka.brokers), "group.id": group})
    found = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=60)
    consumer.close()
    return {each.partition: each.offset for each in found if each.offset >= 0}


def ends(kafka: Kafka, topic: str, partitions: int = 3) -> dict[int, int]:
    """Return where the partitions end that hold messages."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": ",".join(kafka.brokers), "group.id": uuid.uuid4().hex})
    out = {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=60)[1]
        for number in range(partitions)
    }
    consumer.close()
    return {number: end for number, end in out.items() if end}


def messages(kafka: Kafka, topic: str, enough: Callable[[Sequence[Any]], bool]) -> list[Any]:
    """Read a topic from its beginning until there is enough, a minute at most."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": ",".join(kafka.brokers), "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    deadline = time.monotonic() + 60
    while not enough(found) and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
    consumer.close()
    return found
