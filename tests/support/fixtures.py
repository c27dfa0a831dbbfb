"""Fixtures: real servers, one of each for the whole run. Skipped with a reason where a machine cannot have one; never in CI."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.backends.cache import REQUIRE, MissingServerError
from support.backends.fetching import FETCH
from support.backends.servers import START, running
from support.browser import Browser

SERVERS = tuple(START)


def _server(name: str) -> Iterator[Any]:
    try:
        yield from running(name)
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(f"{name} is required here: {error}")
        pytest.skip(f"no real {name} on this machine: {error}")


@pytest.fixture(scope="session")
def zipkin() -> Iterator[Any]:
    """A real Zipkin."""
    yield from _server("zipkin")


@pytest.fixture(scope="session")
def jaeger() -> Iterator[Any]:
    """A real Jaeger 1 all-in-one."""
    yield from _server("jaeger")


@pytest.fixture(scope="session")
def jaeger_2() -> Iterator[Any]:
    """A real Jaeger 2."""
    yield from _server("jaeger_2")


@pytest.fixture(scope="session")
def collector() -> Iterator[Any]:
    """A real OpenTelemetry Collector that passes on what it understood."""
    yield from _server("collector")


@pytest.fixture(scope="session")
def redis() -> Iterator[Any]:
    """A real Redis."""
    yield from _server("redis")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A real PostgreSQL."""
    yield from _server("postgresql")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Any]:
    """A real Kafka of one node."""
    yield from _server("kafka")


@pytest.fixture(scope="session")
def mlflow() -> Iterator[Any]:
    """A real MLflow server."""
    yield from _server("mlflow")


@pytest.fixture(scope="session")
def phoenix() -> Iterator[Any]:
    """A real Phoenix."""
    yield from _server("phoenix")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    try:
        running = Browser()
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(f"a browser is required here: {error}")
        pytest.skip(f"no browser on this machine: {error}")
    try:
        yield running
    finally:
        running.stop()


def _python(name: str) -> Path:
    try:
        return Path(FETCH[name]())
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(f"{name} is required here: {error}")
        pytest.skip(f"no {name} on this machine: {error}")


@pytest.fixture(scope="session")
def ddtrace() -> Path:
    """A Python with Datadog's library."""
    return _python("ddtrace")


@pytest.fixture(scope="session")
def atheris() -> Path:
    """A Python with the fuzzer."""
    return _python("atheris")


@pytest.fixture(scope="session")
def prometheus() -> None:
    """Prometheus and its tool, from the system's packages."""
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing and os.environ.get(REQUIRE):
        pytest.fail("prometheus is required here: apt-get install prometheus")
    if missing:
        pytest.skip("no prometheus on this machine: apt-get install prometheus")


@pytest.fixture
def salt() -> str:
    """Makes the IDs of a test its own."""
    return uuid.uuid4().hex


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the end of each server's log beside a failure."""
    report = yield
    if report.when == "call" and report.failed:
        for name in SERVERS:
            server = getattr(item, "funcargs", {}).get(name)
            if server is not None:
                report.sections.append((f"log of {name}", server.process.log_tail()))
    return report
