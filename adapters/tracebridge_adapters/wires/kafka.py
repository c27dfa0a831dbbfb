"""Bytes to Kafka: keyed messages to one topic, each acknowledged by every replica in sync, in order and once.

`acks=all` and idempotence are not options: with `acks=1` a broker that is killed loses messages that it acknowledged, and without
idempotence a fail-over doubles and reorders some. The client library is confluent-kafka (librdkafka).
"""

from __future__ import annotations

import ctypes
import logging
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracebridge.errors import ConfigError, DeliveryError, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.masking.foreign import clean
from tracebridge.plugins.options import Secret
from tracebridge.process.forks import guard
from tracebridge_adapters.kafka_connection import revealed
from tracebridge_adapters.wires.credentials import MAX_QUOTED

REQUIREMENT = "tracebridge[kafka]"
FIXED: dict[str, str | int | bool | Secret] = {"acks": "all", "enable.idempotence": True}
LAST_WORDS_S = 2.0  # after the messages' own timeout, for the reports of those that timed out
POLL_S = 0.1

TOO_LARGE = {"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"}
REJECTED = {"INVALID_RECORD", "INVALID_MSG", "INVALID_TIMESTAMP", "POLICY_VIOLATION"}
MISCONFIGURED = {
    "TOPIC_AUTHORIZATION_FAILED": "the account may not write to this topic",
    "CLUSTER_AUTHORIZATION_FAILED": "the account may not write idempotently (grant IdempotentWrite or Write)",
    "UNKNOWN_TOPIC_OR_PART": "create the topic, or check its name",
    "TOPIC_EXCEPTION": "check the topic's name",
    "_UNKNOWN_TOPIC": "create the topic, or check its name",
    "_UNKNOWN_PARTITION": "the topic lost partitions; was it created anew?",
    "UNSUPPORTED_COMPRESSION_TYPE": "check compression",
    "SASL_AUTHENTICATION_FAILED": "check sasl.username and sasl.password",
    "UNSUPPORTED_SASL_MECHANISM": "check sasl.mechanism",
}  # fmt: skip
CAUSES = {
    "_AUTHENTICATION": "check sasl: mechanism, username and password",
    "_RESOLVE": "check the host names in brokers, and those that the brokers advertise",
    "_SSL": "check tls.ca_file, and that this is a TLS port",
    "SASL_AUTHENTICATION_FAILED": "check sasl: mechanism, username and password",
}
"""What the connection last said, where that is why nothing was acknowledged in time and waiting does not help."""

_log = logging.getLogger("tracebridge.kafka")


class KafkaMessage(NamedTuple):
    """What is produced."""

    key: bytes | None
    """What chooses the partition; None: any."""
    value: bytes | None
    """Never empty, where it holds spans."""
    headers: Sequence[tuple[str, bytes]] = ()


_wires: weakref.WeakSet[KafkaWire] = weakref.WeakSet()


class LibraryLog:
    """Where librdkafka's own lines go: to the debug level, because it repeats each every second, and delivery tells trouble once."""

    @staticmethod
    def log(_level: int, text: str, *words: object) -> None:
        """Take one line."""
        _log.debug(text, *words)


class KafkaWire:
    """Produces messages to one topic. The producer is made with the first `send`, in the process that sends.

    Raises ConfigError when confluent-kafka is not installed.
    """

    def __init__(
        self,
        brokers: Sequence[str],
        topic: str,
        *,
        settings: Mapping[str, str | int | bool | Secret],
        timeout_s: float,
    ) -> None:
        try:
            import confluent_kafka
        except ImportError as error:
            raise ConfigError(
                f"the kafka adapter needs confluent-kafka ({error}): pip install '{REQUIREMENT}'"
            ) from error
        self._kafka = confluent_kafka
        self.shown = f"{','.join(brokers)} topic {topic}"
        self._topic = topic
        self._timeout_s = timeout_s
        self._settings: dict[str, str | int | bool | Secret] = {
            "bootstrap.servers": ",".join(brokers),
            "message.timeout.ms": max(1, round(timeout_s * 1000)),
            "linger.ms": 0,  # a batch is whole when it comes here
            "topic.metadata.propagation.max.ms": max(
                1, round(timeout_s * 300)
            ),  # so that a missing topic is told before the timeout
            **settings,
            **FIXED,
        }
        self._lock = threading.Lock()
        self._producer: Any = None
        _wires.add(self)
        self._last_error: Any = None

    def send(self, messages: Sequence[KafkaMessage]) -> list[DeliveryError | None]:
        """Produce messages and wait for their acknowledgements: for each None, or why it was not acknowledged.

        Blocks at most the timeout and `LAST_WORDS_S`. A message that timed out may have arrived all the same.
        """
        waiting = object()
        outcomes: list[Any] = [waiting] * len(messages)
        missing = len(messages)

        def report(position: int, error: Any) -> None:
            nonlocal missing
            if outcomes[position] is waiting:
                missing -= 1
                outcomes[position] = error

        producer = self._open()
        deadline = time.monotonic() + self._timeout_s + LAST_WORDS_S
        for position, message in enumerate(messages):
            self._produce(producer, message, lambda error, _, at=position: report(at, error), deadline)
        while missing and time.monotonic() < deadline:
            producer.poll(POLL_S)
        errors = [None if outcome is waiting else outcome for outcome in outcomes if outcome is not None]
        if any(error is None or error.fatal() for error in errors):
            self._discard(producer)  # it is of no more use, or holds messages that would be sent twice
        return [None if outcome is None else self._judged(outcome, outcome is waiting) for outcome in outcomes]

    def _produce(self, producer: Any, message: KafkaMessage, report: Any, deadline: float) -> None:
        while True:
            try:
                producer.produce(
                    self._topic, message.value, message.key, on_delivery=report, headers=list(message.headers)
                )
            except BufferError:  # the local queue is full: reports make room
                if time.monotonic() >= deadline:
                    report(self._kafka.KafkaError(self._kafka.KafkaError._QUEUE_FULL), None)
                    return
                producer.poll(POLL_S)
            except self._kafka.KafkaException as error:
                report(error.args[0], None)
                return
            else:
                producer.poll(0)
                return

    def _judged(self, error: Any, silent: bool) -> DeliveryError:
        """Return what an error means for delivery; `silent` says that nothing was heard of the message."""
        name = "_MSG_TIMED_OUT" if silent else error.name()
        said = f"{self.shown}: " + (
            "nothing was heard of a message in time" if silent else f"{name}: {quoted(error.str())}"
        )
        wrong: DeliveryError
        if name in TOO_LARGE:
            wrong = TooLarge(said)
        elif name in REJECTED:
            wrong = Rejected(said)
        elif name in MISCONFIGURED:
            wrong = Misconfigured(f"{said}; {MISCONFIGURED[name]}")
        elif name == "_MSG_TIMED_OUT" and self._last_error is not None:
            cause = self._last_error.name()
            said = f"{self.shown}: {cause}: {quoted(self._last_error.str())}"
            wrong = Misconfigured(f"{said}; {CAUSES[cause]}") if cause in CAUSES else Retryable(said)
        else:
            wrong = Retryable(said)
        wrong.status = name
        return wrong

    def _open(self) -> Any:
        with self._lock:
            if self._producer is None:
                hooks = {"error_cb": self._noticed, "logger": LibraryLog}
                try:
                    self._producer = self._kafka.Producer({**revealed(self._settings), **hooks})
                except self._kafka.KafkaException as error:  # a property that the library does not know or take
                    raise Misconfigured(f"{self.shown}: {quoted(error.args[0].str())}; check properties") from error
                self._last_error = None
            return self._producer

    def _noticed(self, error: Any) -> None:
        """Remember what the connection said. Which broker said it is in its words."""
        if error.name() != "_ALL_BROKERS_DOWN" or self._last_error is None:
            self._last_error = error

    def _discard(self, producer: Any) -> None:
        with self._lock:
            if self._producer is producer:
                self._producer = None

    def close(self) -> None:
        """Give the producer up; what it had not been acknowledged has been reported."""
        with self._lock:
            self._producer = None


def quoted(text: str) -> str:
    """Return words of the library or a broker as a message of ours may repeat them."""
    return clean(text, MAX_QUOTED)


def _leave_to_the_parent() -> None:
    """Never end the parent's producers in a forked child: their threads are not here, and ending them ends the process."""
    for wire in list(_wires):
        if wire._producer is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(wire._producer))
        wire._lock = threading.Lock()
        wire._producer = None


guard(lambda: None, lambda: None, _leave_to_the_parent)
