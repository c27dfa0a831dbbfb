"""Shared open spans over real engines: the contract, a thousand races, and everything that ails a server."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

import pytest

from support.backends.databases import Postgresql, Redis
from support.engine_contract import KEY, EngineContract, closing
from tracebridge import Client
from tracebridge.plugins.open_spans import SpanKey
from tracebridge.sharing.directory import DirectoryEngine
from tracebridge_adapters.open_spans.postgresql import PostgresqlEngine
from tracebridge_adapters.open_spans.redis import RedisEngine

__all__ = ["closing"]
pytestmark = pytest.mark.server
RACES, RACERS = 1000, 4
CLASSES: dict[str, type[Any]] = {"directory": DirectoryEngine, "redis": RedisEngine, "postgresql": PostgresqlEngine}


def _emptied(name, server):
    """Return a server with no span in it."""
    if name == "redis":
        redis = RedisEngine(server.url, 60.0)
        redis._client.flushall()
        redis.close()
    else:
        postgresql = PostgresqlEngine(server.url, 60.0)
        with postgresql._transaction() as run:
            run.execute("TRUNCATE tracebridge_open_spans_1, tracebridge_open_span_parts_1")
        postgresql.close()
    return server


class TestRedis(EngineContract):
    """The contract, over Redis."""

    @pytest.fixture
    def make(self, redis, closing):
        _emptied("redis", redis)
        return lambda: closing.append(RedisEngine(redis.url, 60.0)) or closing[-1]


class TestPostgresql(EngineContract):
    """The contract, over PostgreSQL."""

    @pytest.fixture
    def make(self, postgresql, closing):
        _emptied("postgresql", postgresql)
        return lambda: closing.append(PostgresqlEngine(postgresql.url, 60.0)) or closing[-1]


@pytest.fixture(params=["directory", "redis", "postgresql"])
def engines(request, tmp_path, closing):
    """The name of an engine, its address, and how one is made."""
    if request.param == "directory":
        url = str(tmp_path / "open")
    else:
        url = _emptied(request.param, request.getfixturevalue(request.param)).url

    def make(timeout_s=60.0):
        closing.append(CLASSES[request.param](url, timeout_s))
        return closing[-1]

    return request.param, url, make


def test_of_a_thousand_races_each_has_one_winner(engines):
    """Four connections end the same span at the same instant, a thousand times."""
    make = engines[2]
    keys = [SpanKey(KEY.trace_id, number.to_bytes(8)) for number in range(1, RACES + 1)]
    starter, won = make(), []
    for key in keys:
        starter.start(key, b"start", is_root=False, max_open_s=3600)
    gate = threading.Barrier(RACERS)

    def race(engine, claim):
        for key in keys:
            gate.wait(120)
            if engine.end(key, b"end", claim, 3600) is not None:
                won.append(key)

    threads = [threading.Thread(target=race, args=(make(), bytes((n + 1,)) * 16)) for n in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == keys


def _client(name, url, **more):
    memory = {"memory": {"sending_queue": {"flush_interval": "0s"}}}
    return Client(config={"adapters": memory, "open_spans": {"engine": name, "url": url, "timeout": "30s", **more}})


def test_a_span_is_started_changed_and_ended_by_three_clients(engines):
    """And the books of all balance."""
    name, url, _ = engines
    with _client(name, url) as web, _client(name, url) as worker, _client(name, url) as third:
        root = web.start_trace("order", trace_id="order é/7", shared=True, attributes={"a": 1})
        worker.shared_span("order é/7").set_attributes({"b": 2})
        assert [span.name for span in third.active_traces] == ["order"]
        third.end_trace("order é/7", outputs=[1])
        root.end()
        assert third.flush(60)
        (record,) = third.adapter("memory").records
        assert (record.name, record.attributes, record.outputs) == ("order", {"a": 1, "b": 2}, [1])
        stats = [client.stats() for client in (web, worker, third)]
        assert [s.balance("memory") for s in stats] == [0, 0, 0]
        assert sum(s.shared for s in stats) == sum(s.open_spans.delivered for s in stats) == 1


@pytest.mark.parametrize("kind", [Redis, Postgresql])
def test_a_server_that_is_killed_and_comes_back_costs_no_call(kind, monkeypatch):
    """Starts made meanwhile stay in their process; changes and ends wait; what was acknowledged is there."""
    monkeypatch.setattr("tracebridge.sharing.guard.LONGEST_PAUSE_S", 0.5)
    server = kind()
    try:
        with _client(kind.__name__.lower(), server.url) as client:
            spans = [client.start_trace(f"t{n}", shared=True) for n in range(5)]
            time.sleep(1.5)  # Redis writes to its file every second
            server.kill()
            for span in spans:
                span.set_attribute("k", 1)
                span.end()
            client.start_trace("meanwhile", shared=True).end()
            assert client.stats().open_spans.waiting > 0
            server.restart()
            deadline = time.monotonic() + 120
            while client.stats().open_spans.waiting and time.monotonic() < deadline:
                time.sleep(0.05)
            assert client.flush(60)
            records = client.adapter("memory").records
            assert sorted((r.name, r.attributes.get("k"), r.end_cause) for r in records) == [
                ("meanwhile", None, "finished"), *((f"t{n}", 1, "finished") for n in range(5))
            ]  # fmt: skip
            assert client.stats().balance("memory") == 0
    finally:
        server.stop()


def test_a_redis_that_was_restarted_empty_gives_orphaned_ends(monkeypatch):
    """Never silence."""
    monkeypatch.setattr("tracebridge.sharing.guard.LONGEST_PAUSE_S", 0.5)
    server = Redis()
    try:
        with _client("redis", server.url) as client:
            span = client.start_trace("lost", shared=True)
            server.kill()
            server.empty()
            server.restart()
            span.end()
            deadline = time.monotonic() + 120
            while client.stats().open_spans.waiting and time.monotonic() < deadline:
                time.sleep(0.05)
            assert client.flush(60)
            assert [(r.name, r.end_cause) for r in client.adapter("memory").records] == [("lost", "orphaned")]
    finally:
        server.stop()


def test_a_full_redis_leaves_spans_in_their_process(redis):
    """Its refusal is counted, and said."""
    _emptied("redis", redis)
    engine = RedisEngine(redis.url, 30.0)
    engine._client.config_set("maxmemory", "1mb")
    try:
        with _client("redis", redis.url) as client:
            client.start_trace("t", shared=True, inputs="x" * 900_000).end()
            stats = client.stats().open_spans
            assert (stats.kept_local, "OutOfMemory" in stats.last_error) == (1, True)
            assert client.flush(60)
            assert [r.name for r in client.adapter("memory").records] == ["t"]
    finally:
        engine._client.config_set("maxmemory", "0")
        engine.close()


@pytest.mark.parametrize("name", ["redis", "postgresql"])
def test_a_server_that_stands_still_costs_a_bounded_wait_once(request, name):
    """Later calls do not wait again."""
    server = _emptied(name, request.getfixturevalue(name))
    with _client(name, server.url, timeout="1s") as client:
        client.start_trace("before", shared=True).end()
        server.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            for _ in range(200):
                client.start_trace("meanwhile", shared=True).end()
            took_s = time.monotonic() - began
        finally:
            server.send(signal.SIGCONT)
        stats = client.stats().open_spans
    assert (stats.kept_local, took_s < 60) == (200, True)  # not 200 times a second


@pytest.mark.parametrize("name", ["redis", "postgresql"])
def test_a_wrong_password_is_said_once_and_masked(request, name, caplog):
    """In the log and in the statistics."""
    url = request.getfixturevalue(name).url.replace("-secret@", "-Hunter2@")
    with caplog.at_level(logging.WARNING, "tracebridge"), _client(name, url) as client:
        for _ in range(5):
            client.start_trace("t", shared=True).end()
        told = client.stats().open_spans.last_error
    assert [r.message.count("open_spans") for r in caplog.records if "open_spans" in r.message] == [1]
    assert ("Hunter2" in caplog.text, "Hunter2" in told, bool(told)) == (False, False, True)
