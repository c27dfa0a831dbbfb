"""Unreachable, slow, refusing, half-answering and lying servers: the caller notices nothing, and the counts say what happened."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.ill_server import OK, Answer, IllServer
from tracebridge import Client

QUICK = {"initial_interval": "10ms", "max_interval": "40ms"}


@pytest.fixture
def server() -> Iterator[IllServer]:
    """A server that is well until a test says otherwise."""
    ill = IllServer()
    yield ill
    ill.stop()


def client_for(server: IllServer, **options: Any) -> Client:
    """A client of that server, and of memory beside it."""
    otlp = {
        "endpoint": server.url, "encoding": "json", "timeout": "10s", "retry_on_failure": QUICK,
        "sending_queue": {"flush_interval": "0s"}, **options,
    }  # fmt: skip
    return Client(config={"adapters": {"otlp_http": otlp, "memory": {}}})


def trace(client: Client, count: int) -> list[str]:
    """End so many spans (the root last) and return their names, which are distinct."""
    names = [f"span {n}" for n in range(count - 1)]
    with client.trace("root") as root:
        for name in names:
            client.start_span(name, root.trace_id, root.span_id).end()
    return [*names, "root"]


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so, for a minute at most."""
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)


def balanced(client: Client) -> bool:
    """Whether the books of every adapter balance."""
    stats = client.stats()
    return all(stats.balance(name) == 0 for name in stats.adapters)


def failing(answer: Answer | str, times: int = 3) -> Callable[[int, list[str]], Answer | str]:
    """A script that is ill for the first requests and well afterwards."""
    return lambda number, names: answer if number <= times else OK


@pytest.mark.parametrize(
    "illness",
    [(503, {}, b""), (502, {}, b""), (504, {}, b""), (429, {}, b""), "cut", "half", "garbage", "hang", "drip"],
    ids=str,
)
def test_a_passing_illness_delays_and_loses_nothing(server, illness):
    """Every span arrives once the server is well again."""
    server.script = failing(illness)
    with client_for(server, timeout="1s" if illness in ("hang", "drip") else "10s") as client:
        names = trace(client, 20)
        assert client.flush(60)
        stats = client.stats().adapters["otlp_http"]
        assert (stats.exported, dict(stats.dropped), stats.retrying_since) == (20, {}, None)
        assert server.arrived == dict.fromkeys(names, 1)
        assert balanced(client)


def test_an_unreachable_server_never_slows_the_caller(server):
    """Starting and ending cost the same when nobody listens, and other destinations get everything."""
    server.stop()
    client = client_for(server)
    started = time.monotonic()
    trace(client, 500)
    assert time.monotonic() - started < 30  # 500 that waited for the server, or for a try, would take longer
    until(lambda: client.stats().adapters["memory"].exported == 500)
    until(lambda: client.stats().adapters["otlp_http"].retrying_since is not None)
    assert not client.flush(0.1)
    stats = client.stats()
    assert (stats.adapters["memory"].exported, stats.adapters["otlp_http"].queued) == (500, 500)
    assert stats.adapters["otlp_http"].retrying_since is not None
    assert "refused" in stats.adapters["otlp_http"].last_error
    client.close(timeout_s=0.2)
    assert client.stats().adapters["otlp_http"].dropped == {"shutdown": 500}
    assert balanced(client)


@pytest.mark.parametrize("header", ["1", "date"])
def test_retry_after_pauses_the_destination(server, header):
    """Seconds and dates are both obeyed."""

    def busy_at_first(number: int, names: list[str]) -> Answer:
        if number > 1:
            return OK
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
        return 429, {"Retry-After": header if header == "1" else date}, b""

    server.script = busy_at_first
    with client_for(server) as client:
        trace(client, 1)
        assert client.flush(60)
    assert server.times[1] - server.times[0] >= 0.9


@pytest.mark.parametrize("status", [400, 500], ids=["bad request", "internal error"])
def test_poison_spans_are_found_and_the_others_arrive(server, status):
    """A rejected batch is bisected; the bad spans become dead letters with the server's words."""

    def refuse_poison(number: int, names: list[str]) -> Answer:
        return (status, {}, b"span 7 and span 13 are poison") if {"span 7", "span 13"} & set(names) else OK

    server.script = refuse_poison
    with client_for(server, sending_queue={"flush_interval": "1h"}) as client:
        names = trace(client, 20)
        assert client.flush(60)
        stats = client.stats().adapters["otlp_http"]
        assert (stats.exported, stats.dropped) == (18, {"rejected": 2})
        assert server.arrived == dict.fromkeys(set(names) - {"span 7", "span 13"}, 1)
        letters = client.dead_letters()
        assert sorted((letter.record.name, letter.reason) for letter in letters) == [
            ("span 13", "rejected"),
            ("span 7", "rejected"),
        ]
        assert all("are poison" in letter.message for letter in letters)
        assert balanced(client)


def test_a_body_that_is_too_large_is_split(server):
    """413 halves the batch until it fits; a single span that does not is a dead letter."""
    server.script = lambda number, names: (413, {}, b"") if len(names) > 4 or "span 3" in names else OK
    with client_for(server, sending_queue={"flush_interval": "1h"}) as client:
        names = trace(client, 20)
        assert client.flush(60)
        assert client.stats().adapters["otlp_http"].dropped == {"too_large": 1}
        assert server.arrived == dict.fromkeys(set(names) - {"span 3"}, 1)
        assert balanced(client)


def test_partial_success_is_counted_and_said_once(server, caplog):
    """What the server says it did not take is dropped by that reason, and not sent again."""
    body = json.dumps({"partialSuccess": {"rejectedSpans": "3", "errorMessage": "quota"}}).encode()
    server.script = lambda number, names: (200, {"Content-Type": "application/json"}, body)
    with (
        caplog.at_level(logging.WARNING, "tracebridge"),
        client_for(server, sending_queue={"flush_interval": "1h"}) as client,
    ):
        trace(client, 10)
        assert client.flush(60)
        stats = client.stats().adapters["otlp_http"]
        assert (stats.exported, stats.dropped, stats.last_error) == (7, {"partial_success": 3}, "quota")
        assert balanced(client)
    assert len(server.requests) == 1
    assert caplog.text.count("quota") == 1


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((401, {}, b"who are you"), "credentials"),
        ((404, {}, b""), "path"),
        ((200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html></html>"), "web page"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "redirects"),
    ],
)
def test_a_misconfigured_destination_is_said_loudly_and_its_backlog_waits(server, caplog, answer, hint):
    """One line that says what to do; nothing is dropped; once mended, everything arrives."""
    server.script = failing(answer, times=2)
    with caplog.at_level(logging.WARNING, "tracebridge"), client_for(server) as client:
        names = trace(client, 5)
        assert client.flush(60)
        assert server.arrived == dict.fromkeys(names, 1)
    assert sum(hint in record.getMessage() for record in caplog.records) == 1


def test_no_secret_is_ever_said(server, caplog):
    """Headers and the user info of an address are in no message, statistic or dead letter."""
    server.script = lambda number, names: (401 if number < 3 else 400, {}, b"no")
    url = server.url.replace("http://", "http://me:hunter2@")
    with caplog.at_level(logging.DEBUG), client_for(server, endpoint=url, headers={"x-token": "hunter3"}) as client:
        trace(client, 1)
        client.flush(60)
        said = caplog.text + repr(client.stats()) + repr(client.dead_letters()) + repr(client.adapter("otlp_http"))
    assert "401" in said
    assert "hunter" not in said


def test_a_slow_destination_does_not_hold_up_another(server):
    """Memory has everything while the server still hangs."""
    server.script = lambda number, names: "hang"
    client = client_for(server, timeout="60s")
    trace(client, 50)
    until(lambda: client.stats().adapters["memory"].exported == 50)
    assert (client.stats().adapters["memory"].exported, client.stats().adapters["otlp_http"].queued) == (50, 50)
    started = time.monotonic()
    client.close(timeout_s=0.3)
    assert time.monotonic() - started < 20  # the server hangs for 30 s
    assert balanced(client)


def test_first_sends_are_in_journal_order(server):
    """With one request in flight, batches leave in the order in which spans ended."""
    with client_for(server, sending_queue={"max_batch": 3, "flush_interval": "0s"}) as client:
        names = trace(client, 30)
        assert client.flush(60)
    assert [name for request in server.requests for name in request] == names
