"""A real Collector whose queue is full, whose next hop is down, or whose next hop refuses a span: its Zipkin and Thrift ports say 500 to all three."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from support.backends.cache import REQUIRE, MissingServerError
from support.backends.collector import Collector, start_collector
from tracebridge import Client

pytestmark = pytest.mark.server
SPANS = 60
QUICK = {"initial_interval": "100ms", "max_interval": "400ms"}
FULL_AT_ONCE = {
    "sending_queue": {"enabled": True, "sizer": "requests", "queue_size": 1, "num_consumers": 1},
    "retry_on_failure": {
        "enabled": True,
        "initial_interval": "100ms",
        "max_interval": "200ms",
        "max_elapsed_time": "0s",
    },
}


@pytest.fixture
def started() -> Iterator[Callable[[Mapping[str, Any]], Collector]]:
    """Start Collectors with settings of their exporter."""
    running: list[Collector] = []

    def start(exporter: Mapping[str, Any]) -> Collector:
        try:
            running.append(start_collector(exporter))
        except MissingServerError as error:
            if os.environ.get(REQUIRE):
                pytest.fail(f"a Collector is required here: {error}")
            pytest.skip(f"no real Collector on this machine: {error}")
        return running[-1]

    yield start
    for each in running:
        each.stop()


def adapters(collector: Collector) -> dict[str, Any]:
    """One adapter for each port that takes spans over HTTP, with bodies of ten spans."""
    common = {"sending_queue": {"max_batch": 10, "flush_interval": "10ms"}, "retry_on_failure": QUICK}
    return {
        "zipkin": {"endpoint": collector.zipkin_url, **common},
        "jaeger_thrift": {"endpoint": collector.thrift_http, **common},
        "otlp_http": {"endpoint": collector.otlp_http, **common},
    }


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


def trace(client: Client, names: list[str]) -> None:
    """End a trace of spans with these names."""
    root = client.start_trace(names[0])
    for name in names[1:]:
        client.start_span(name, root.trace_id, root.span_id).end()
    root.end()


def passed_on(collector: Collector) -> list[str]:
    """The names of the spans that the next hop has got, each once, in order."""
    names = set()
    while not collector.sink.bodies.empty():
        document = json.loads(collector.sink.bodies.get())
        names |= {
            span["name"]
            for resource in document["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        }
    return sorted(names)


@pytest.mark.parametrize("exporter", [FULL_AT_ONCE, {}], ids=["full queue", "dead next hop"])
@pytest.mark.parametrize("adapter", ["zipkin", "jaeger_thrift", "otlp_http"])
def test_nothing_is_lost_while_it_cannot_take_more(started, adapter, exporter):
    """Every adapter waits, and delivers everything when the next hop is back."""
    collector = started(exporter)
    collector.sink.status = 503
    names = sorted(f"span {number:03}" for number in range(SPANS))
    with Client(config={"adapters": {adapter: adapters(collector)[adapter]}}) as client:
        trace(client, names)
        until(lambda: client.stats().adapters[adapter].retrying_since is not None)
        time.sleep(3)  # some rounds of retries: what was given up would be given up now
        books = client.stats().adapters[adapter]
        assert (dict(books.dropped), books.queued > 0) == ({}, True)
        assert f"HTTP {503 if adapter == 'otlp_http' else 500}" in books.last_error
        collector.sink.status = 200
        assert client.flush(60)
        books = client.stats().adapters[adapter]
        assert (books.exported, dict(books.dropped), books.retrying_since) == (SPANS, {}, None)
    arrived: set[str] = set()

    def all_there() -> bool:
        arrived.update(passed_on(collector))
        return len(arrived) == SPANS

    until(all_there)  # what it has queued it passes on later
    assert names == sorted(arrived)


@pytest.mark.parametrize("adapter", ["zipkin", "jaeger_thrift"])
def test_a_span_that_the_next_hop_refuses_is_a_dead_letter_and_the_others_arrive(started, adapter):
    """The Thrift port says 500 to it as well, the Zipkin port 400."""
    collector = started({})
    collector.sink.refused = b"span 007"
    names = sorted(f"span {number:03}" for number in range(SPANS))
    with Client(config={"adapters": {adapter: adapters(collector)[adapter]}}) as client:
        trace(client, names)
        assert client.flush(60)
        books = client.stats().adapters[adapter]
        assert (books.exported, dict(books.dropped)) == (SPANS - 1, {"rejected": 1})
        assert [letter.record.name for letter in client.dead_letters()] == ["span 007"]
    assert passed_on(collector) == [name for name in names if name != "span 007"]
