"""`tracebridge doctor` at the engine of open spans: real servers, right and wrong in the ways that happen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.backends.process import free_ports
from support.commands import CliRunner
from tracebridge.cli import main
from tracebridge_adapters.open_spans.postgresql import PostgresqlEngine

pytestmark = pytest.mark.server


def doctor(tmp_path: Path, engine: str, url: str, timeout: str = "30s") -> tuple[int, list[dict[str, Any]]]:
    """Run the command; its exit code, and what it found of the engine."""
    path = tmp_path / "shared.yaml"
    config = {"adapters": {"memory": {}}, "open_spans": {"engine": engine, "url": url, "timeout": timeout}}
    path.write_text(json.dumps(config))
    result = CliRunner().invoke(main, ["doctor", "--config", str(path), "--json"])
    assert "secret" not in result.stdout
    found = json.loads(result.stdout)["destinations"]
    return result.exit_code, [each for each in found if each["name"].startswith("open_spans ")]


def causes(tmp_path: Path, engine: str, url: str) -> list[str]:
    """Return the causes that are told."""
    return [each["problem"]["cause"] for each in doctor(tmp_path, engine, url)[1] if each["problem"]]


def test_a_redis_that_is_well_keeps_nothing(redis, tmp_path):
    """Every command is tried, and the keys are as they were."""
    import redis as client

    with client.Redis.from_url(redis.url) as asked:
        before = asked.dbsize()
        code, found = doctor(tmp_path, "redis", redis.url)
        assert (code, [each["problem"] for each in found], asked.dbsize()) == (0, [None, None], before)


def test_what_is_wrong_with_a_redis_is_told_apart(redis, tmp_path):
    """A password, TLS, a port at which nothing listens, rights."""
    import redis as client

    (port,) = free_ports(1)
    place = f"127.0.0.1:{redis.port}/0"
    with client.Redis.from_url(redis.url) as asked:
        asked.execute_command("ACL", "SETUSER", "reader", "reset", "on", ">reader-secret", "~*", "+@all", "-hset")
        try:
            _, found = doctor(tmp_path, "redis", f"redis://reader:reader-secret@{place}")
        finally:
            asked.execute_command("ACL", "DELUSER", "reader")
        assert (found[1]["problem"]["cause"], "HSET: " in found[1]["problem"]["message"]) == ("credentials", True)
        assert asked.keys("*doctor*") == []
    assert causes(tmp_path, "redis", f"redis://:wrong-secret@{place}") == ["credentials"]
    _, found = doctor(tmp_path, "redis", f"rediss://:redis-secret@{place}", timeout="500ms")
    assert found[1]["problem"]["advice"] == "is this its TLS port? redis:// is for one without"
    assert causes(tmp_path, "redis", f"redis://:redis-secret@127.0.0.1:{port}/0") == ["refused"]


def test_a_read_only_replica_is_told(redis, tmp_path):
    """By what it answers to a write."""
    import redis as client

    (port,) = free_ports(1)
    with client.Redis.from_url(redis.url) as asked:
        asked.replicaof("127.0.0.1", port)
        try:
            _, found = doctor(tmp_path, "redis", redis.url)
        finally:
            asked.replicaof("NO", "ONE")
    assert found[1]["problem"]["advice"] == "name the primary in open_spans.url"


def test_what_is_wrong_with_a_postgresql_is_told_apart(postgresql, tmp_path):
    """A password, a database, TLS, a port at which nothing listens, rights to make tables, a newer layout; nothing stays."""
    import psycopg

    (port,) = free_ports(1)
    place = f"127.0.0.1:{postgresql.port}"
    named = "SELECT count(*) FROM pg_class WHERE relname LIKE 'tracebridge%'"
    with psycopg.connect(postgresql.url, autocommit=True) as asked:
        asked.execute("CREATE DATABASE doctored")
        asked.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger-secret'")
    own = f"postgresql://tracer:postgres-secret@{place}/doctored"
    with psycopg.connect(own, autocommit=True) as asked:
        code, found = doctor(tmp_path, "postgresql", own)
        assert (code, found[1]["steps"][0]["detail"]) == (0, "are made on first use")
        assert asked.execute(named).fetchone() == (0,)
        assert causes(tmp_path, "postgresql", f"postgresql://stranger:stranger-secret@{place}/doctored") == [
            "credentials"
        ]
        asked.execute("CREATE TABLE tracebridge_open_spans_2 ()")
        _, found = doctor(tmp_path, "postgresql", own)
        assert found[1]["problem"]["message"] == "a newer layout is in use: tracebridge_open_spans_2"
        asked.execute("DROP TABLE tracebridge_open_spans_2")
        engine = PostgresqlEngine(own, 60.0)
        assert engine.open(None, 1) == []
        engine.close()
        _, found = doctor(tmp_path, "postgresql", own)
        assert [each["problem"] for each in found] == [None, None]
        _, found = doctor(tmp_path, "postgresql", f"postgresql://stranger:stranger-secret@{place}/doctored")
        assert found[1]["problem"]["message"].startswith("this user lacks rights on tracebridge_open_span")
    assert causes(tmp_path, "postgresql", f"postgresql://tracer:wrong-secret@{place}/doctored") == ["credentials"]
    assert causes(tmp_path, "postgresql", f"postgresql://tracer:postgres-secret@{place}/missing") == ["target"]
    assert causes(tmp_path, "postgresql", f"{own}?sslmode=require") == ["tls-not-spoken"]
    assert causes(tmp_path, "postgresql", f"postgresql://tracer:postgres-secret@127.0.0.1:{port}/x") == ["refused"]
