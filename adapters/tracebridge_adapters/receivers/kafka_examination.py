"""What `tracebridge doctor` asks Kafka: are the topics there, may this account read them and the group, and can the newest messages be read?

Nothing is joined, committed or written: partitions are assigned by hand, and the right to write dead letters is what the broker says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tracebridge.plugins.examination import Found
from tracebridge.plugins.receiver import Message, Partition
from tracebridge_adapters.wires.kafka import CAUSES, LibraryLog, quoted

if TYPE_CHECKING:
    from tracebridge_adapters.receivers.kafka import KafkaReceiverOptions

ANSWER_S = 10.0
LOOKED_AT = 20  # partitions of a topic of which the newest message is read
PASSWORD = frozenset({"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM"})
NO_RIGHT = "AUTHORIZATION_FAILED"  # how the names of such errors end
MISSING = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"})


def examine(
    settings: Mapping[str, Any], options: KafkaReceiverOptions, trouble_with: Callable[[Message], str]
) -> Iterator[Found]:
    """Yield what is found of the group, then of each topic, then of the dead-letter topic; of the brokers alone when none answers."""
    import confluent_kafka as kafka
    from confluent_kafka.admin import AdminClient

    noticed: list[Any] = []
    own = {"client.id", "security.protocol", "bootstrap.servers"}  # an administrator has no group
    of_connection = {
        name: value for name, value in settings.items() if name in own or name.startswith(("sasl.", "ssl."))
    }
    consumer = kafka.Consumer({**settings, "error_cb": noticed.append, "logger": LibraryLog})
    admin = AdminClient({**of_connection, "logger": LibraryLog})  # type: ignore[dict-item]  # its stub knows no logger
    try:
        try:
            consumer.list_topics(timeout=ANSWER_S)
        except kafka.KafkaException as error:
            consumer.poll(0)  # which hands out what the connection said
            yield _unreached(options, [*noticed, error.args[0]])
            return
        yield _group(kafka, admin, options)
        for topic, encoding in options.topics.items():
            yield _topic(kafka, consumer, admin, topic, encoding, trouble_with)
        if options.dead_letter_topic is not None:
            yield _dead_letters(kafka, admin, options.dead_letter_topic)
    finally:
        consumer.close()


def _unreached(options: KafkaReceiverOptions, said: list[Any]) -> Found:
    """Return why no broker answers: what the connection said that has a cause, else what was said first."""
    error = next((each for each in said if each.name() in CAUSES), said[0])
    message = f"no broker answers: {error.name()}: {quoted(error.str())}"
    cause = "credentials" if error.name() in PASSWORD else "no-answer"
    advice = CAUSES.get(
        error.name(),
        "check brokers; a port that speaks TLS or wants a password looks like this without tls.enabled or sasl",
    )
    return Found("brokers", ",".join(options.brokers), message, advice, cause)  # type: ignore[arg-type]  # one of the two


def _group(kafka: Any, admin: Any, options: KafkaReceiverOptions) -> Found:
    from confluent_kafka.admin import AclOperation

    what = f"group {options.group}"
    asked = admin.describe_consumer_groups(
        [options.group], include_authorized_operations=True, request_timeout=ANSWER_S
    )
    try:
        told = asked[options.group].result()
    except kafka.KafkaException as error:
        if error.args[0].name().endswith(NO_RIGHT):
            return _wrong(what, error.args[0], "grant Read on the group")
        return Found(what, "is not there yet")  # brokers have several words for that
    if told.authorized_operations and AclOperation.READ not in told.authorized_operations:
        return Found(what, "", "this account may not read the group", "grant Read on the group")
    return Found(what, f"has {len(told.members)} members now")


def _topic(
    kafka: Any, consumer: Any, admin: Any, topic: str, encoding: str, trouble_with: Callable[[Message], str]
) -> Found:
    what = f"topic {topic}"
    try:
        partitions, _ = _described(kafka, admin, topic)
        newest, empty = [], 0
        for number in partitions[:LOOKED_AT]:
            low, high = consumer.get_watermark_offsets(kafka.TopicPartition(topic, number), timeout=ANSWER_S)
            empty += low >= high
            if low < high:
                newest.append(kafka.TopicPartition(topic, number, high - 1))
        messages = _read(kafka, consumer, newest)
    except kafka.KafkaException as error:
        return _wrong(what, error.args[0], "grant Read on the topic")
    there = f"{len(partitions)} partitions"
    if not messages:
        return Found(what, f"{there}, {'no message yet' if not newest else 'the newest message was not had in time'}")
    troubles = [
        trouble_with(Message(Partition(topic, each.partition()), each.offset(), each.value(), each.key(), encoding))
        for each in messages
    ]
    if all(troubles):
        first = messages[0]
        problem = f"the newest message (partition {first.partition()}, offset {first.offset()}) cannot be read as {encoding}: {troubles[0]}"
        return Found(
            what, there, problem, f"check its encoding in topics; is {topic} a topic of spans?", "wrong-encoding"
        )
    return Found(
        what, f"{there}, {len(messages) - sum(map(bool, troubles))} of {len(messages)} newest messages can be read"
    )


def _read(kafka: Any, consumer: Any, newest: list[Any]) -> list[Any]:
    """Return the messages at these places, as far as they come in time. Raises KafkaException when one may not be read."""
    if not newest:
        return []
    consumer.assign(newest)
    found: dict[int, Any] = {}
    for _ in range(round(ANSWER_S)):
        for message in consumer.consume(len(newest), 1.0):
            if message.error() is None:
                found.setdefault(message.partition(), message)
            elif message.error().name() != "_PARTITION_EOF":
                raise kafka.KafkaException(message.error())
        if len(found) == len(newest):
            break
    consumer.unassign()
    return list(found.values())


def _dead_letters(kafka: Any, admin: Any, topic: str) -> Found:
    from confluent_kafka.admin import AclOperation

    what = f"dead-letter topic {topic}"
    try:
        partitions, may = _described(kafka, admin, topic)
    except kafka.KafkaException as error:
        return _wrong(what, error.args[0], "grant Write on it")
    if may and AclOperation.WRITE not in may:
        return Found(
            what,
            "",
            "this account may not write to it",
            "grant Write on it: reading waits for ever at the first message without spans",
        )
    return Found(what, f"{len(partitions)} partitions, may be written")


def _described(kafka: Any, admin: Any, topic: str) -> tuple[list[int], list[Any]]:
    """Return a topic's partitions, and what this account may do with it; nothing where the broker does not say."""
    asked = admin.describe_topics(
        kafka.TopicCollection([topic]), include_authorized_operations=True, request_timeout=ANSWER_S
    )
    told = asked[topic].result()
    return sorted(each.id for each in told.partitions), told.authorized_operations or []


def _wrong(what: str, error: Any, right: str) -> Found:
    name = error.name()
    advice = "its brokers' own log can tell more"
    if name.endswith(NO_RIGHT):
        advice = right
    elif name in MISSING:
        advice = "create the topic, or check its name"
    return Found(what, "", f"{name}: {quoted(error.str())}", advice)
