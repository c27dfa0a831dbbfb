"""Kafka as what `tracebridge relay` reads: a member of a consumer group. Needs `pip install 'tracebridge[kafka]'`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from tracebridge.errors import ConfigError, DeliveryError, Misconfigured, Rejected, TooLarge
from tracebridge.plugins.adapter import Needs
from tracebridge.plugins.examination import Found
from tracebridge.plugins.options import Duration, Secret, option
from tracebridge.plugins.receiver import Events, Message, Partition, Progress, ReceiverOptions
from tracebridge.process.threads import returns_within
from tracebridge_adapters import kafka_connection as connection
from tracebridge_adapters.kafka_connection import KafkaTls, SaslOptions, revealed
from tracebridge_adapters.receivers.kafka_examination import examine
from tracebridge_adapters.receivers.kafka_group import Group
from tracebridge_adapters.wires.kafka import CAUSES, REQUIREMENT, KafkaMessage, KafkaWire, LibraryLog, quoted

Encoding = Literal["auto", "otlp_proto", "otlp_json", "zipkin_json", "zipkin_proto", "zipkin_thrift"]

MOST_MESSAGES = 500  # from one look
FETCHED_KIB = (
    4_096  # what the library fetches ahead, all partitions together; compressed, and five times as much in memory
)
PARTITION_KIB = 512  # of that, from one partition at a time
FETCHED_MESSAGES = 10_000  # it keeps some hundred bytes for each, besides
COMMITTED_S = 3.0  # at most, to learn where the group stands in partitions that were just assigned
CUT = 1_000  # bytes of a message that are kept when all of it is too large for the dead-letter topic
DEAD_LETTER_TIMEOUT_S = 30.0

RESERVED = {
    **connection.RESERVED,
    "group.id": "name it in group",
    "enable.auto.commit": "only what every destination has is committed",
    "enable.auto.offset.store": "only what every destination has is committed",
    "auto.offset.reset": "name it in start",
    "partition.assignment.strategy": "it is always cooperative-sticky",
    "session.timeout.ms": "name it in session_timeout",
    "enable.partition.eof": "the relay needs it",
}
"""Properties that have an option here, or none because anything else would lose spans."""


@dataclass(frozen=True, kw_only=True)
class KafkaReceiverOptions(ReceiverOptions):
    """Options of the `kafka` receiver."""

    brokers: list[str] = option(
        help="Where to ask for the cluster, as host:port.", examples=[["kafka-1:9092", "kafka-2:9092"]]
    )
    topics: dict[str, Encoding] = option(
        factory=lambda: {"otlp_spans": "auto"},
        help="The topics, and how their messages are written; auto tells each message by its bytes.",
        examples=[{"otlp_spans": "otlp_proto", "zipkin": "auto"}],
    )
    group: str = option("tracebridge", help="The consumer group: relays of one group share the partitions.")
    start: Literal["earliest", "latest"] = option(
        "earliest",
        help="Where a partition begins for which the group has committed nothing, or nothing that is still there.",
    )
    session_timeout: Duration = option(
        15.0, help="After how long a member that is not heard of loses its partitions.", minimum=6, maximum=1800
    )
    dead_letter_topic: str | None = option(
        None,
        help="Keep messages that hold no spans in this topic, with their place and the reason in headers.",
        examples=["unread_spans"],
    )
    tls: KafkaTls = option(factory=KafkaTls, help="TLS towards the brokers.")
    sasl: SaslOptions = option(factory=SaslOptions, help="The account, where the brokers want one.")
    client_id: str = option(
        "tracebridge-relay",
        help="The name under which brokers log and limit this program; a short mark of the configuration is put behind it.",
    )
    properties: dict[str, str] = option(
        factory=dict,
        help="Further properties of librdkafka, for what has no option here.",
        examples=[{"client.rack": "eu-1a"}],
    )

    def __post_init__(self) -> None:
        """Refuse what no broker would take, and properties that have an option of their own."""
        connection.check_brokers(self.brokers)
        if not self.topics:
            raise ValueError("topics must name at least one topic, such as {otlp_spans: auto}")
        for topic in self.topics:
            connection.check_topic(topic, "a key of topics")
        if self.dead_letter_topic is not None:
            connection.check_topic(self.dead_letter_topic, "dead_letter_topic")
            if self.dead_letter_topic in self.topics:
                raise ValueError("dead_letter_topic must be none of topics: the relay would read its own dead letters")
        if not self.group:
            raise ValueError("group must be text with something in it")
        connection.check_properties(self.properties, RESERVED)


class KafkaReceiver:
    """One member of a group. Rebalances are cooperative: only partitions that move are given up."""

    Options: ClassVar[type[KafkaReceiverOptions]] = KafkaReceiverOptions
    needs: ClassVar[Needs] = Needs(("confluent_kafka",), REQUIREMENT)

    def __init__(self, options: KafkaReceiverOptions) -> None:
        try:
            import confluent_kafka
        except ImportError as error:
            raise ConfigError(f"the kafka receiver needs confluent-kafka: pip install '{REQUIREMENT}'") from error
        self._kafka = confluent_kafka
        self._options = options
        self._shown = f"{','.join(options.brokers)} group {options.group}"
        self._consumer: Any = None
        self._group: Group | None = None
        self._events: Events
        self._mine: list[Partition] = []
        self._positions: dict[Partition, int] = {}
        """The offset of the next message to be read: what the group had committed, until one was read."""
        self._paused = False
        self._dead_letters: KafkaWire | None = None
        if options.dead_letter_topic is not None:
            self._dead_letters = KafkaWire(
                options.brokers,
                options.dead_letter_topic,
                settings=connection.connection_settings(options.client_id, options.tls, options.sasl),
                timeout_s=DEAD_LETTER_TIMEOUT_S,
            )

    def open(self, events: Events, fingerprint: str) -> None:
        """Join the group. Raises Misconfigured for a property that the library does not take."""
        self._events = events
        settings = {**settings_of(self._options), "client.id": f"{self._options.client_id}-{fingerprint}"}
        hooks = {"error_cb": self._noticed, "on_commit": self._committed, "logger": LibraryLog}
        try:
            self._consumer = self._kafka.Consumer({**revealed(settings), **hooks})
        except self._kafka.KafkaException as error:
            raise Misconfigured(f"{self._shown}: {quoted(error.args[0].str())}; check properties") from error
        admin = {**connection.connection_settings(self._options.client_id, self._options.tls, self._options.sasl)}
        admin["bootstrap.servers"] = ",".join(self._options.brokers)
        self._group = Group(revealed(admin), self._options.group, fingerprint, self._options.start, events)
        self._consumer.subscribe(
            list(self._options.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def examine(self, trouble_with: Callable[[Message], str]) -> Iterator[Found]:
        """Yield what is the matter with the group, each topic and the dead-letter topic, asking only."""
        return examine(revealed(settings_of(self._options)), self._options, trouble_with)

    def receive(self, timeout_s: float) -> list[Message]:
        """Return messages. Raises Misconfigured for an error after which this member can do nothing more."""
        messages = []
        for each in self._consumer.consume(MOST_MESSAGES, timeout_s):
            partition = Partition(each.topic() or "", each.partition() or 0)
            error = each.error()
            if error is None:
                self._positions[partition] = each.offset() + 1
                encoding = self._options.topics[partition.topic]
                messages.append(Message(partition, each.offset(), each.value(), each.key(), encoding))
            elif error.code() == self._kafka.KafkaError._PARTITION_EOF:
                self._positions[partition] = each.offset()
                self._look_around().at_end(partition, each.offset())
            elif error.fatal():
                raise Misconfigured(f"{self._shown}: {error.name()}: {quoted(error.str())}")
            else:
                self._events.trouble(error.name(), f"{self._shown}: {partition.topic}: {quoted(error.str())}")
        if messages:
            self._events.trouble("connection", "")
        self._look_around().look(self._mine, [each for each in self._mine if each not in self._positions])
        return messages

    def _look_around(self) -> Group:
        assert self._group is not None  # noqa: S101 - `open` comes first
        return self._group

    def pause(self) -> None:
        """Return no messages until `resume`."""
        if not self._paused:
            self._paused = True
            self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            self._consumer.resume(self._consumer.assignment())

    def commit(self, offsets: Mapping[Partition, int], *, wait_s: float) -> None:
        """Commit these offsets, and wait at most so long for the answer."""
        at = [self._kafka.TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        if not wait_s:
            self._try_to_commit(at, asynchronous=True)
        elif not returns_within(
            wait_s, partial(self._try_to_commit, at, asynchronous=False), "tracebridge-relay-commit"
        ):
            self._events.trouble("commit", f"{self._shown}: not committed: no answer within {wait_s:.0f} s")

    def _try_to_commit(self, at: Sequence[Any], *, asynchronous: bool) -> None:
        try:
            self._consumer.commit(offsets=at, asynchronous=asynchronous)
        except self._kafka.KafkaException as error:
            self._committed(error.args[0], at)
        except RuntimeError:  # the consumer was closed meanwhile
            return

    def _committed(self, error: Any, _partitions: Sequence[Any]) -> None:
        self._events.trouble(
            "commit", "" if error is None else f"{self._shown}: not committed: {error.name()}: {quoted(error.str())}"
        )

    def set_aside(self, message: Message, reason: str) -> bool:
        """Produce a message to the dead-letter topic, if there is one, under the header names of Kafka Connect's dead letters."""
        if self._dead_letters is None:
            return False
        headers = [
            ("__connect.errors.topic", message.partition.topic.encode()),
            ("__connect.errors.partition", b"%d" % message.partition.number),
            ("__connect.errors.offset", b"%d" % message.offset),
            ("__connect.errors.exception.message", reason.encode()),
        ]
        (error,) = self._dead_letters.send([KafkaMessage(message.key, message.value, headers)])
        if isinstance(error, (TooLarge, Rejected)):
            cut = ("tracebridge.cut", b"%d bytes" % len(message.value or b""))
            (error,) = self._dead_letters.send([KafkaMessage(None, (message.value or b"")[:CUT], [*headers, cut])])
        if isinstance(error, DeliveryError):
            raise error
        return True

    def progress(self) -> dict[Partition, Progress]:
        """Return how far each partition is, once both numbers are known."""
        if self._group is None:
            return {}
        ends, begins = self._group.ends, self._group.begins
        positions = {each: self._positions.get(each, begins.get(each)) for each in self._mine}
        return {
            partition: Progress(position, max(position, ends[partition]))
            for partition, position in positions.items()
            if partition in ends and position is not None
        }

    def close(self, timeout_s: float) -> None:
        """Leave the group; without waiting for brokers that do not answer: `session_timeout` tells the others then."""
        if self._consumer is not None and not returns_within(
            timeout_s, self._consumer.close, "tracebridge-relay-close"
        ):
            self._events.trouble(
                "leaving",
                f"{self._shown}: no answer within {timeout_s:.0f} s: the group learns of it after session_timeout",
            )
        if self._dead_letters is not None:
            self._dead_letters.close()

    # ------------------------------------------------------------------ called by the library, from within consume and close

    def _assigned(self, consumer: Any, partitions: Sequence[Any]) -> None:
        consumer.incremental_assign(partitions)
        if self._paused:
            consumer.pause(partitions)
        self._mine += _named(partitions)
        try:
            known = consumer.committed(partitions, timeout=COMMITTED_S)
        except self._kafka.KafkaException:  # the first message will tell
            known = []
        self._positions |= {Partition(each.topic, each.partition): each.offset for each in known if each.offset >= 0}
        self._look_around().changed()
        self._events.assigned(_named(partitions))

    def _revoked(self, _consumer: Any, partitions: Sequence[Any]) -> None:
        self._events.revoked(_named(partitions))
        self._forget(partitions)

    def _lost(self, _consumer: Any, partitions: Sequence[Any]) -> None:
        self._events.lost(_named(partitions))
        self._forget(partitions)

    def _forget(self, partitions: Sequence[Any]) -> None:
        gone = _named(partitions)
        self._mine = [each for each in self._mine if each not in gone]
        for partition in gone:
            self._positions.pop(partition, None)
        self._look_around().forget(gone)

    def _noticed(self, error: Any) -> None:
        """Tell what the connection says, with what to do where waiting does not help."""
        hint = CAUSES.get(error.name())
        self._events.trouble(
            "connection", f"{self._shown}: {error.name()}: {quoted(error.str())}" + (f"; {hint}" if hint else "")
        )


def _named(partitions: Sequence[Any]) -> list[Partition]:
    return [Partition(each.topic, each.partition) for each in partitions]


def settings_of(options: KafkaReceiverOptions) -> dict[str, str | int | bool | Secret]:
    """Return what the options are to librdkafka, in its own property names."""
    settings: dict[str, str | int | bool | Secret] = {
        **connection.connection_settings(options.client_id, options.tls, options.sasl),
        "bootstrap.servers": ",".join(options.brokers),
        "group.id": options.group,
        "auto.offset.reset": options.start,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": round(options.session_timeout * 1000),
        "queued.max.messages.kbytes": FETCHED_KIB,
        "fetch.max.bytes": FETCHED_KIB * 1024,
        "max.partition.fetch.bytes": PARTITION_KIB * 1024,
        "queued.min.messages": FETCHED_MESSAGES,
        "topic.metadata.refresh.interval.ms": 10_000,
    }
    if options.properties.get("group.protocol") == "consumer":  # the broker assigns, and sets the session's length
        del settings["partition.assignment.strategy"], settings["session.timeout.ms"]
    return settings | options.properties
