"""Fixtures that every kind of test may use."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tracebridge import Client, SpanRecord, native
from tracebridge.masking import known
from tracebridge.process.system import HAS_LOCKS
from tracebridge.spans.context import current
from tracebridge.testing import records

pytest_plugins = ["support.fixtures"]
collect_ignore_glob = ["property/fuzz_*.py"]  # programs for atheris, run by hand

# How fast a machine is today is no law: records are large, and machines are shared.
hypothesis.settings.register_profile(
    "laws",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("laws")

# A shell starts what it puts in the background with SIGINT ignored, and children inherit that: they could not be interrupted.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_OF_POSIX = re.compile(r"^(?:import|from) (?:fcntl|grp|pty|pwd|resource|termios)\b", re.MULTILINE)

MakeClient = Callable[..., Client]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out files of tests that import, at their top, a module that only POSIX has, where it is missing."""
    if HAS_LOCKS or collection_path.suffix != ".py":
        return None
    return True if _OF_POSIX.search(collection_path.read_text("utf-8")) else None


def pytest_report_header() -> str:
    """Say which side runs."""
    return f"native module: {native.state}"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test is configured by the machine that it runs on, and none leaves anything in its user's folders."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    for name in (
        *(name for name in os.environ if name.startswith("MLFLOW_")),
        "TRACEBRIDGE_CONFIG",
        "TRACEBRIDGE_STORE",
        "OTEL_SERVICE_NAME",
        "OTEL_PROPAGATORS",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SDK_DISABLED",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> None:
    """No test's messages are masked with secrets that an earlier one made and the collector has not taken yet."""
    known._alive.clear()


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Make clients that deliver into memory at once; `make_client(lifecycle={...})` overrides top-level keys."""
    clients: list[Client] = []

    def make(**config: Any) -> Client:
        adapters = {"memory": {"sending_queue": {"flush_interval": "0s"}}}
        client = Client(config={"adapters": adapters, **config})
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    """A client that delivers into memory."""
    return make_client()


@pytest.fixture(autouse=True)
def nothing_stays_current() -> Iterator[None]:
    """No test leaves a span current: it would be the parent of spans in tests that come after it."""
    yield
    assert current.get() is None


@pytest.fixture
def delivered() -> Callable[[Client], list[SpanRecord]]:
    """Return what the memory adapter of a client has got, in order, after a flush."""

    def read(client: Client) -> list[SpanRecord]:
        assert client.flush(60)
        return list(records(client))

    return read
