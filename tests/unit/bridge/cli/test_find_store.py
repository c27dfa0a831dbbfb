"""`tracebridge find` and `store`, and what `show` and `search` make of less than a whole ID, run as commands over a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from support.commands import CliRunner
from tracebridge import Client
from tracebridge.cli import main

DATADOG = "5208512171318403364,_dd.p.tid=640cfd8d00000000"


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A store with three traces, named by the environment."""
    path = tmp_path / "store.db"
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    with Client(config={"adapters": {"store": {"path": str(path)}}, "trace_ids": {"scheme": "auto"}}) as client:
        for text in ("user1_order_1", "user1_order_2", "640cfd8d0000000048485a3953bb6124"):
            root = client.start_trace("order", trace_id=text, attributes={"n": 1})
            client.start_span("pay", root.trace_id, root.span_id, span_id="00f067aa0ba902b7").end()
            root.end()
    return path


def run(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(main, list(arguments))


def found(*arguments: str) -> dict[str, str]:
    """What `find` finds, and why."""
    return {
        row["trace_id"]: row["matched"]
        for row in map(json.loads, run("find", *arguments, "--json").stdout.splitlines())
    }


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("user1_order_1", {"user1_order_1": "ID"}),
        ("order_1", {"user1_order_1": "part of the ID"}),
        ("5208512171318403364", {"640cfd8d0000000048485a3953bb6124": "low 64 bits"}),
        ("48485a3953bb6124", {"640cfd8d0000000048485a3953bb6124": "low 64 bits"}),
        (DATADOG, {"640cfd8d0000000048485a3953bb6124": "ID"}),
        ("1-640cfd8d-0000000048485a3953bb6124", {"640cfd8d0000000048485a3953bb6124": "ID"}),
        ("640cfd8d-0000-0000-4848-5a3953bb6124", {"640cfd8d0000000048485a3953bb6124": "ID"}),
        ("00-640cfd8d0000000048485a3953bb6124-00f067aa0ba902b7-01", {"640cfd8d0000000048485a3953bb6124": "ID"}),
        ("nothing", {}),
    ],
)
def test_find_takes_an_id_in_any_form_and_less_than_one(store, text, matched):
    """Each with what of the ID it is."""
    assert found(text) == matched


def test_find_says_where_it_looked_and_offers_what_is_like_it(store):
    """Words go to stderr; nothing found is an exit code of 1."""
    result = run("find", "user1_ordr_2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "store.db): 0 traces" in result.stderr
    assert "did you mean user1_order_2" in result.stderr


def test_a_span_id_finds_every_trace_that_has_one(store):
    """Spans of several traces may share an ID."""
    assert set(found("00f067aa0ba902b7").values()) == {"span ID"}
    assert len(found("00f067aa0ba902b7")) == 3


def test_show_draws_what_a_part_can_only_mean_and_lists_no_more(store):
    """One trace is drawn, with a word; several are left to `find`."""
    assert run("show", "5208512171318403364").stdout.startswith("640cfd8d0000000048485a3953bb6124")
    assert "is low 64 bits of this trace" in run("show", "5208512171318403364").stderr
    several = run("show", "user1")
    assert (several.exit_code, several.stdout) == (1, "")
    assert "it may mean 2 traces: tracebridge find 'user1'" in several.stderr


def test_every_readable_destination_is_asked_and_one_that_is_down_is_told(store, tmp_path):
    """What servers cannot be asked is said; `--from` asks one."""
    (tmp_path / "bridge.yaml").write_text(
        f"adapters: {{store: {{path: {store}}}, zipkin: {{query_endpoint: 'http://127.0.0.1:9', timeout: 1s}}, log: {{}}}}"
    )
    config = ("--config", str(tmp_path / "bridge.yaml"))
    result = run("find", "user1_order_1", *config)
    assert result.exit_code == 0
    assert "zipkin cannot be asked" in result.stderr
    assert "zipkin was asked for whole IDs only" in result.stderr
    assert run("show", "user1_order_1", *config).stdout.startswith("user1_order_1")
    only = run("find", "user1_order_1", *config, "--from", "store")
    assert "zipkin" not in only.stderr
    wrong = run("find", "x", *config, "--from", "log")
    assert (wrong.exit_code, "'log' cannot be read; these can: store, zipkin" in wrong.stderr) == (2, True)


def test_search_says_which_destination_answered(store):
    """For people on stderr, for machines in each row."""
    assert f"from store ({store})" in run("search").stderr
    assert {json.loads(line)["destination"] for line in run("search", "--json").stdout.splitlines()} == {"store"}


def test_search_by_the_attribute_that_other_systems_have_the_own_id_under(store):
    """The pages recommend it."""
    result = run("search", "--attribute", "tracebridge.trace_id=user1_order_2", "--json")
    assert [json.loads(line)["trace_id"] for line in result.stdout.splitlines()] == ["user1_order_2"]


def test_store_info_prune_and_vacuum(store):
    """In words, and as JSON."""
    told = json.loads(run("store", "info", "--json").stdout)
    assert (told["traces"], told["spans"], told["schema"], told["max_bytes"]) == (3, 6, 3, 2**30)
    shown = run("store", "info").stdout
    assert "3 traces, 6 spans" in shown
    assert "bounded by 1,024 MiB" in shown
    pruned = run("store", "prune", "--max-traces", "1")
    assert pruned.stdout.startswith("2 traces, 4 spans deleted; 1 trace left")
    assert json.loads(run("store", "vacuum", "--json").stdout)["bytes"] > 0
    assert "2 traces, 4 spans, to keep within its bounds" in run("store", "info").stdout
    assert run("store", "prune", "--max-bytes", "many").exit_code == 2


def test_store_commands_need_a_store(tmp_path):
    """Servers look after their own data."""
    (tmp_path / "bridge.yaml").write_text("adapters: {zipkin: {query_endpoint: 'http://127.0.0.1:9'}}")
    result = run("store", "info", "--config", str(tmp_path / "bridge.yaml"))
    assert (result.exit_code, "names no `store`" in result.stderr) == (1, True)
