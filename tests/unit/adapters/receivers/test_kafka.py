"""The `kafka` receiver without a broker: its options, and what it says when nobody answers."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Any

import pytest

from support.backends.process import free_ports
from tracebridge.errors import ConfigError, Misconfigured
from tracebridge.plugins.options import Secret
from tracebridge.relay.build import fingerprint, relay_of
from tracebridge.settings.load import load_settings
from tracebridge_adapters.kafka_connection import KafkaTls, SaslOptions
from tracebridge_adapters.receivers.kafka import KafkaReceiver, KafkaReceiverOptions, settings_of

pytest.importorskip("confluent_kafka", reason="confluent-kafka has wheels for this Python")


def options(**given: Any) -> KafkaReceiverOptions:
    """Return options with one broker, and those given."""
    return KafkaReceiverOptions(**{"brokers": ["localhost:9092"], **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"brokers": []}, "brokers must name at least one host:port"),
        ({"topics": {}}, "topics must name at least one topic, such as {otlp_spans: auto}"),
        (
            {"topics": {"a b": "auto"}},
            "a key of topics must be 1 to 249 letters, digits, dots, hyphens and underscores",
        ),
        ({"group": ""}, "group must be text with something in it"),
        (
            {"dead_letter_topic": "otlp_spans"},
            "dead_letter_topic must be none of topics: the relay would read its own dead letters",
        ),
        (
            {"properties": {"enable.auto.commit": "true"}},
            "properties: enable.auto.commit cannot be set: only what every destination has is committed",
        ),
        ({"properties": {"group.id": "x"}}, "properties: group.id cannot be set: name it in group"),
    ],
)
def test_options_that_would_lose_spans_or_cannot_work_are_refused(given, message):
    """They are told when the configuration is read, with what to write instead."""
    with pytest.raises(ValueError) as raised:
        options(**given)
    assert str(raised.value) == message


def test_the_options_are_librdkafkas_properties():
    """Commits are the relay's alone, rebalances are cooperative, what is fetched ahead is bounded."""
    given = options(
        brokers=["a:1", "b:2"],
        group="g",
        start="latest",
        session_timeout=20.0,
        sasl=SaslOptions(mechanism="PLAIN", username="me", password=Secret("word")),
        tls=KafkaTls(enabled=True),
        properties={"client.rack": "eu-1a"},
    )
    assert settings_of(given) == {
        "bootstrap.servers": "a:1,b:2",
        "client.id": "tracebridge-relay",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": "word",
        "group.id": "g",
        "auto.offset.reset": "latest",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 20_000,
        "queued.max.messages.kbytes": 4_096,
        "fetch.max.bytes": 4_096 * 1024,
        "max.partition.fetch.bytes": 512 * 1024,
        "queued.min.messages": 10_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "client.rack": "eu-1a",
    }


def test_the_new_group_protocol_is_a_property():
    """There the broker assigns and sets the session's length: librdkafka refuses both then."""
    settings = settings_of(options(properties={"group.protocol": "consumer"}))
    assert {"partition.assignment.strategy", "session.timeout.ms"} & set(settings) == set()


class Told:
    """Keeps what a receiver tells."""

    def __init__(self) -> None:
        self.troubles: list[tuple[str, str]] = []

    def assigned(self, partitions: Any) -> None:
        """Nobody answers here."""

    revoked = lost = assigned

    def trouble(self, kind: str, message: str) -> None:
        self.troubles.append((kind, message))


def test_no_broker_is_told_and_waited_for():
    """Nothing listens: no messages, no error, one kind of trouble with the address and the cause; and it ends when asked to."""
    (port,) = free_ports(1)
    receiver, told = KafkaReceiver(options(brokers=[f"127.0.0.1:{port}"])), Told()
    receiver.open(told, "f")
    deadline = time.monotonic() + 60
    while not told.troubles and time.monotonic() < deadline:
        assert receiver.receive(0.1) == []
    receiver.pause()
    assert receiver.progress() == {}
    receiver.close(5.0)
    kind, message = told.troubles[0]
    assert kind == "connection"
    assert f"127.0.0.1:{port} group tracebridge: _TRANSPORT" in message
    assert "Connection refused" in message


def test_a_property_that_the_library_does_not_know_is_told():
    """It is named, with what to look at; and closing what never opened is harmless."""
    receiver = KafkaReceiver(options(properties={"client.rak": "x"}))
    with pytest.raises(Misconfigured, match=r"client\.rak.*check properties"):
        receiver.open(Told(), "f")
    receiver.close(5.0)


CONFIGURED: dict[str, Any] = {
    "adapters": {"memory": {}},
    "relay": {"kafka": {"brokers": ["k:9092"], "sasl": {"username": "u", "password": "pass-w0rd"}}},
}


def test_a_configuration_is_validated_without_the_client_library(monkeypatch):
    """Reading options imports no confluent_kafka; building the relay without it says what to install."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    settings = load_settings(CONFIGURED)
    with pytest.raises(ConfigError, match=r"needs confluent-kafka: pip install 'tracebridge\[kafka\]'"):
        relay_of(settings, None, stop=lambda: True)


def test_the_password_is_in_no_text_of_the_settings():
    """`repr` masks it, and so it is not in what the fingerprint is made of."""
    settings = load_settings(CONFIGURED)
    assert settings.relay is not None
    assert "pass-w0rd" not in repr(settings) + repr(dataclasses.asdict(settings.relay.options))


def test_relays_of_one_configuration_have_one_fingerprint():
    """Another destination is another one."""
    other = {**CONFIGURED, "adapters": {"console": {}}}
    assert fingerprint(load_settings(CONFIGURED)) == fingerprint(load_settings(CONFIGURED))
    assert fingerprint(load_settings(CONFIGURED)) != fingerprint(load_settings(other))
