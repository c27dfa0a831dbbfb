"""A client shows its metrics where its configuration says, and whatever goes wrong there costs only them."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
import urllib.request
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tracebridge import Client, ConfigError
from tracebridge.settings.load import load_settings

MEMORY: dict[str, Any] = {"memory": {"sending_queue": {"flush_interval": "0s"}}}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    """What reads the metrics of a provider that is this test's alone."""
    made = InMemoryMetricReader()
    provider = MeterProvider([made])
    monkeypatch.setattr("opentelemetry.metrics.get_meter", provider.get_meter)
    return made


def observed(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """Each metric's points."""
    data: Any = reader.get_metrics_data()
    if data is None:
        return {}
    found = [metric for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics]
    return {
        metric.name: [(dict(point.attributes), point.value) for point in metric.data.data_points] for metric in found
    }


def page(caplog: pytest.LogCaptureFixture) -> str:
    """The address that the log tells."""
    (found,) = re.findall(r"metrics: (http://\S+)", caplog.text)
    return str(found)


def test_a_page_for_prometheus(caplog):
    """From the start on, until the client is closed."""
    with caplog.at_level(logging.INFO, "tracebridge"):
        client = Client(config={"adapters": MEMORY, "metrics": {"listen": "127.0.0.1:0"}})
    client.start_trace("root").end()
    with urllib.request.urlopen(page(caplog), timeout=60) as answer:
        shown = answer.read().decode()
    client.close()
    assert "\notel_sdk_span_started_total 1\n" in shown
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(page(caplog), timeout=60)


def test_opentelemetrys_instruments(reader):
    """With the names, units and attributes of its conventions, where there are such."""
    client = Client(config={"adapters": MEMORY, "metrics": {"opentelemetry": True}})
    client.start_trace("root").end()
    assert client.flush(60)
    found = observed(reader)
    adapter = {"otel.component.type": "tracebridge", "otel.component.name": "memory"}
    assert found["otel.sdk.span.started"] == [({}, 1)]
    assert found["otel.sdk.exporter.span.exported"] == [(adapter, 1)]
    assert found["tracebridge.adapter.failing"] == [(adapter, 0)]
    client.close()


def test_instruments_do_not_keep_a_client(reader):
    """One that its program has forgotten is no longer observed."""
    Client(config={"adapters": MEMORY, "metrics": {"opentelemetry": True}}).close()
    gc.collect()
    assert observed(reader) == {}


def test_a_provider_that_raises_costs_nothing_but_the_metrics(monkeypatch, caplog):
    """It is told once."""

    def get_meter(*_: Any, **__: Any) -> None:
        raise RuntimeError("broke")

    monkeypatch.setattr("opentelemetry.metrics.get_meter", get_meter)
    with Client(config={"adapters": MEMORY, "metrics": {"opentelemetry": True}}) as client:
        client.start_trace("root").end()
    assert client.stats().adapters["memory"].exported == 1
    assert [record.getMessage() for record in caplog.records] == [
        "metrics.opentelemetry: the meter provider failed: RuntimeError: broke"
    ]


def test_a_port_that_is_taken_costs_nothing_but_the_page(caplog):
    """A second process of the same configuration goes on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with Client(config={"adapters": MEMORY, "metrics": {"listen": listen}}) as client:
            client.start_trace("root").end()
    assert client.stats().adapters["memory"].exported == 1
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"metrics.listen: metrics cannot be served on 127.0.0.1 port {listen.partition(':')[2]}: ")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)  # forking beside threads is what it is about
def test_a_forked_child_leaves_the_page_to_its_parent(caplog):
    """The parent answers while the child lives, and after the child has closed its client."""
    with caplog.at_level(logging.INFO, "tracebridge"):
        client = Client(config={"adapters": MEMORY, "metrics": {"listen": "127.0.0.1:0"}})
    child = os.fork()
    if child == 0:
        client.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with urllib.request.urlopen(page(caplog), timeout=60) as answer:
        assert answer.status == 200
    client.close()


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:9464", "127.0.0.1", "9464", "127.0.0.1:x", "10.0.0.1:9464", "127.0.0.1:70000", ""]
)
def test_an_address_that_others_could_reach_or_that_is_none_is_refused(listen):
    """When the configuration is read."""
    with pytest.raises(
        ConfigError, match=r"metrics.*listen must be a loopback address with a port, such as 127\.0\.0\.1:9464"
    ):
        load_settings({"adapters": MEMORY, "metrics": {"listen": listen}})
