"""Every server by its name: started for a test run, and stopped whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from support.backends.collector import start_collector
from support.backends.databases import Postgresql, Redis
from support.backends.jaeger import start_jaeger, start_jaeger_2
from support.backends.kafka import start_kafka
from support.backends.mlflow import start_mlflow
from support.backends.phoenix import start_phoenix
from support.backends.zipkin import start_zipkin

START: dict[str, Callable[[], Any]] = {
    "zipkin": start_zipkin,
    "jaeger": start_jaeger,
    "jaeger_2": start_jaeger_2,
    "collector": start_collector,
    "kafka": start_kafka,
    "mlflow": start_mlflow,
    "phoenix": start_phoenix,
    "redis": Redis,
    "postgresql": Postgresql,
}


def running(name: str) -> Iterator[Any]:
    """Start a server, hand it over, and stop it whatever happens."""
    server = START[name]()
    try:
        yield server
    finally:
        getattr(server, "stop", server.process.stop)()
