"""Through a proxy to a real Collector: every port that takes spans, with credentials, and a tunnel that is cut on the way."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.backends.cache import REQUIRE, MissingServerError
from support.backends.collector import Collector, start_collector
from support.http_proxy import HttpProxy
from tracebridge import Client
from tracebridge.doctor.examine import examine
from tracebridge.settings.load import load_settings

pytestmark = pytest.mark.server
SPANS = 200


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A Collector that writes what it gets into a file."""
    try:
        running = start_collector()
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(f"a Collector is required here: {error}")
        pytest.skip(f"no real Collector on this machine: {error}")
    yield running
    running.stop()


@pytest.fixture
def proxy() -> Iterator[HttpProxy]:
    """A proxy that wants credentials."""
    running = HttpProxy("me:p@ss")
    yield running
    running.stop()


def adapters(collector: Collector, proxy: HttpProxy) -> dict[str, Any]:
    """Every port that takes spans over HTTP or gRPC, all of them through the proxy."""
    common = {
        "proxy": f"http://me:p%40ss@{proxy.place}",
        "sending_queue": {"max_batch": 20, "flush_interval": "10ms"},
        "retry_on_failure": {"initial_interval": "100ms", "max_interval": "400ms"},
    }
    return {
        "zipkin": {"endpoint": collector.zipkin_url, **common},
        "jaeger_thrift": {"endpoint": collector.thrift_http, **common},
        "otlp_http": {"endpoint": collector.otlp_http, **common},
        "otlp_grpc": {"endpoint": collector.otlp_grpc, **common},
    }


def passed_on(collector: Collector) -> Counter[str]:
    """How often the next hop has got the spans of each name."""
    counted: Counter[str] = Counter()
    while not collector.sink.bodies.empty():
        document = json.loads(collector.sink.bodies.get())
        counted.update(
            span["name"]
            for resource in document["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        )
    return counted


def test_what_waited_for_a_proxy_arrives_through_it(collector: Collector, proxy: HttpProxy) -> None:
    """First it says that it does not reach the Collector, then it does: each of four adapters delivers every span, once."""
    proxy.answer = 502
    chosen = adapters(collector, proxy)
    with Client(config={"adapters": chosen}) as client:
        root = client.start_trace("span 0")
        for number in range(1, SPANS):
            client.start_span(f"span {number}", root.trace_id, root.span_id).end()
        root.end()
        deadline = time.monotonic() + 60
        while not all(books.retrying_since for books in client.stats().adapters.values()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert passed_on(collector) == Counter()
        proxy.answer = None
        assert client.flush(60)
        books = client.stats().adapters
        assert {name: (each.exported, dict(each.dropped)) for name, each in books.items()} == dict.fromkeys(
            chosen, (SPANS, {})
        )
    assert passed_on(collector) == Counter({f"span {number}": len(chosen) for number in range(SPANS)})
    assert set(proxy.tunnels) == {collector.otlp_grpc.removeprefix("http://")}
    assert {url.partition("?")[0] for url in proxy.forwarded} >= {
        collector.zipkin_url,
        collector.thrift_http,
        f"{collector.otlp_http}/v1/traces",
    }


@pytest.mark.parametrize("kind", ["zipkin", "jaeger_thrift", "otlp_http", "otlp_grpc"])
def test_doctor_gets_through_it(collector: Collector, proxy: HttpProxy, kind: str) -> None:
    """Its span arrives; without the password it says what is missing, and the Collector hears nothing."""
    chosen = adapters(collector, proxy)
    settings = load_settings({"adapters": {kind: chosen[kind]}}, environ={})
    outcome = examine(settings.adapters[kind], settings)
    steps = ["resolve", "connect", "tunnel", "send"] if kind == "otlp_grpc" else ["resolve", "connect", "send"]
    assert ([step.name for step in outcome.steps], outcome.problem) == (steps, None)
    assert passed_on(collector) == Counter({"tracebridge doctor": 1})
    settings = load_settings({"adapters": {kind: {**chosen[kind], "proxy": proxy.url}}}, environ={})
    problem = examine(settings.adapters[kind], settings).problem
    assert problem is not None
    assert problem.cause == "proxy-credentials"
    assert passed_on(collector) == Counter()
