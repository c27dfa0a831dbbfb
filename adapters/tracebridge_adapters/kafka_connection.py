"""How Kafka's brokers are reached: the options that the adapter and the relay share, and what they are to librdkafka."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tracebridge.plugins.options import Secret, TlsOptions, option

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_is_topic = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch
_is_broker = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}").fullmatch
RESERVED = {
    "bootstrap.servers": "name them in brokers",
    "metadata.broker.list": "name them in brokers",
    "sasl.password": "name it in sasl.password, where it is a secret",
}
"""Properties that have an option here, for whatever speaks to brokers."""


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


def check_brokers(brokers: Sequence[str]) -> None:
    """Raise ValueError when they are not addresses."""
    if not brokers:
        raise ValueError("brokers must name at least one host:port")
    for broker in brokers:
        if not _is_broker(broker) or not 0 < int(broker.rpartition(":")[2]) < 65_536:
            raise ValueError(f"brokers: {broker!r} must be host:port, such as kafka-1:9092")


def check_topic(topic: str, key: str = "topic") -> None:
    """Raise ValueError when no topic can have that name."""
    if not _is_topic(topic) or topic in {".", ".."}:
        raise ValueError(f"{key} must be 1 to 249 letters, digits, dots, hyphens and underscores")


def check_properties(properties: Mapping[str, str], reserved: Mapping[str, str]) -> None:
    """Raise ValueError for properties that have an option of their own."""
    for name in properties:
        if name in reserved:
            raise ValueError(f"properties: {name} cannot be set: {reserved[name]}")


def connection_settings(client_id: str, tls: KafkaTls, sasl: SaslOptions) -> dict[str, str | int | bool | Secret]:
    """Return what these options are to librdkafka, in its own property names."""
    settings: dict[str, str | int | bool | Secret] = {
        "client.id": client_id,
        "security.protocol": ("SASL_" if sasl.username else "") + ("SSL" if tls.enabled else "PLAINTEXT"),
    }
    if sasl.username is not None and sasl.password is not None:
        settings |= {
            "sasl.mechanism": sasl.mechanism,
            "sasl.username": sasl.username,
            "sasl.password": sasl.password,
        }
    files = {
        "ssl.ca.location": tls.ca_file,
        "ssl.certificate.location": tls.cert_file,
        "ssl.key.location": tls.key_file,
    }
    settings |= {name: str(Path(path).expanduser()) for name, path in files.items() if path}
    if tls.insecure_skip_verify:
        settings["enable.ssl.certificate.verification"] = False
    return settings


def revealed(settings: Mapping[str, str | int | bool | Secret]) -> dict[str, str | int | bool]:
    """Return the settings with their secrets, for the client library alone."""
    return {key: value.reveal() if isinstance(value, Secret) else value for key, value in settings.items()}
