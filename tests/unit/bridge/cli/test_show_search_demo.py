"""`tracebridge show`, `search` and `demo`, run as commands over a store."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from click.testing import Result
from rich.cells import cell_len

from support.commands import CliRunner
from tracebridge import Client, SpanEvent
from tracebridge.cli import main


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A store with three traces, named by the environment."""
    path = tmp_path / "store.db"
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    resource = {"attributes": {"service.name": "shop"}}
    with Client(config={"resource": resource, "adapters": {"store": {"path": str(path)}}}) as client:
        for number, status in enumerate(("OK", "ERROR", "OK")):
            root = client.start_trace(
                f"order {number}", inputs={"n": number}, attributes={"amount": number * 10, "vip": number == 2}, tags={"team": "blue"},
                trace_id=f"user{number}_order_{number}", start_time_ns=1_790_000_000_000_000_000 + number * 10**9,
            )  # fmt: skip
            child = client.start_span("pay", root.trace_id, root.span_id, attributes={"method": "card"})
            child.add_event(SpanEvent("declined", attributes={"code": 7}))
            child.end(outputs="receipt")
            root.end(status=status, end_time_ns=1_790_000_000_500_000_000 + number * 10**9)
    return path


def run(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(main, list(arguments))


def test_show_draws_the_trace_by_its_custom_id(store):
    """Names, statuses and nesting are on the screen."""
    result = run("show", "user1_order_1")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].startswith("user1_order_1")
    assert "✗ order 1" in result.stdout
    assert "✓ pay" in result.stdout
    assert "receipt" not in result.stdout


def test_show_finds_the_same_trace_by_its_wire_id(store):
    """The 32 hex digits that back-ends show work too."""
    wire = json.loads(run("show", "user1_order_1", "--json").stdout)[0]["trace_id"]
    assert run("show", wire).stdout == run("show", "user1_order_1").stdout


def test_details_and_attributes_are_shown_on_demand(store):
    """--details shows inputs and outputs, --attributes the rest."""
    shown = run("show", "user2_order_2", "--details", "--attributes").stdout
    for text in ("receipt", '{"n":2}', "amount 20", "tag team blue", "declined"):
        assert text in shown


def test_show_json_is_for_machines(store):
    """IDs are hex, times integers, and nothing else is on stdout."""
    spans = json.loads(run("show", "user0_order_0", "--json").stdout)
    assert [(s["name"], s["status"], s["custom_trace_id"]) for s in spans] == [
        ("order 0", "OK", "user0_order_0"),
        ("pay", "OK", "user0_order_0"),
    ]
    assert spans[0]["start_time_ns"] == 1_790_000_000_000_000_000
    assert spans[1]["parent_id"] == spans[0]["span_id"]


def test_an_unknown_trace_exits_with_1_and_says_what_to_do(store):
    """Words go to stderr."""
    result = run("show", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "tracebridge search" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["user2_order_2", "user1_order_1", "user0_order_0"]),
        (["--status", "error"], ["user1_order_1"]),
        (["--name", "order 2"], ["user2_order_2"]),
        (["--name", "order%", "--limit", "2"], ["user2_order_2", "user1_order_1"]),
        (["--service", "shop", "--id", "user0"], ["user0_order_0"]),
        (["--id", "2_order_"], ["user2_order_2"]),
        (["--id", "user_"], []),
        (["--id", "%"], []),
        (["--id", "r2.o"], []),
        (["--name", "order_%"], []),
        (["--attribute", "amount=10"], ["user1_order_1"]),
        (["--attribute", "vip=true"], ["user2_order_2"]),
        (["--attribute", "method=card", "--tag", "team=blue", "--id", "order_2"], ["user2_order_2"]),
        (["--filter", "attributes.amount >= 10 AND status = 'OK'"], ["user2_order_2"]),
        (["--since", "2026-09-21T14:13:21", "--until", "2026-09-21T14:13:22"], ["user1_order_1"]),
    ],
)
def test_search_finds_what_matches_newest_first(store, arguments, found):
    """Every filter narrows the list."""
    result = run("search", *arguments, "--json")
    assert [json.loads(line)["trace_id"] for line in result.stdout.splitlines()] == found


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_list_is_as_wide_as_the_terminal_and_its_ids_are_whole(store, monkeypatch, columns):
    """An ID that is broken over lines, or cut, can be neither copied nor grepped; a long one has a line of its own."""
    with Client(config={"adapters": {"store": {"path": str(store)}}}) as client:
        client.start_trace("日本語の名前 " * 9, trace_id="x" * 39).end()
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("search").stdout.splitlines()
    assert [line for line in lines if cell_len(line) > columns] == []
    assert [line.split()[0] for line in lines if line.startswith(("user", "xxx"))] == [
        "x" * 39, "user2_order_2", "user1_order_1", "user0_order_0",
    ]  # fmt: skip


def test_search_prints_a_table_for_people(store):
    """IDs, names and durations are on the screen."""
    shown = run("search").stdout
    assert "user1_order_1" in shown
    assert "500 ms" in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--name", "nothing"], 1),
        (["--filter", "attributes.amount > 12345678901234567890"], 2),
        (["--filter", "timestamp_ms IN (-12345678901234567890)"], 2),
        (["--filter", f"timestamp_ms > {'9' * 400}"], 2),
        (["--filter", f"attributes.amount = {'9' * 5000}"], 2),
        (["--limit", "9" * 30], 2),
        (["--until", "0001-01-01"], 1),
        (["--since", "9999-12-31T23:59:59"], 1),
        (["--attribute", "novalue"], 2),
        (["--filter", "name ~ 'x'"], 2),
        (["--config", "nowhere.yaml"], 78),
    ],
)
def test_search_exit_codes_mean_something(store, arguments, code):
    """1: nothing matches; 2: wrong usage; 78: wrong configuration."""
    result = run("search", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr


def test_a_configuration_without_a_reader_says_what_to_add(store, tmp_path):
    """show needs a destination that can be read."""
    (tmp_path / "bridge.yaml").write_text("adapters: {console: {}}")
    result = run("show", "x", "--config", str(tmp_path / "bridge.yaml"))
    assert result.exit_code == 1
    assert "store:" in result.stderr


def test_the_demo_traces_a_batch_with_one_failure_and_says_what_became_of_it(tmp_path, monkeypatch):
    """The embedded store and three files get every span, and the books balance on the screen."""
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.exit_code == 0, result.stderr
    assert "✗ process order-1003" in result.stdout
    assert "store: 15 started = 0 open + 15 exported + 0 sent + 0 queued + 0 dropped" in result.stdout
    folder = tmp_path / "tracebridge-demo"
    assert sorted(path.name for path in folder.iterdir()) == ["spans.log", "spans.otlp.jsonl", "spans.zipkin.jsonl"]
    assert len((folder / "spans.log").read_text().splitlines()) == 15
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


@pytest.mark.parametrize("command", [("search",), ("show", "order-7")])
def test_who_only_looks_leaves_nothing_behind(tmp_path, monkeypatch, command):
    """Without a store the answer names what was looked for."""
    monkeypatch.delenv("TRACEBRIDGE_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    result = run(*command)
    assert (result.exit_code, result.stdout, list(tmp_path.iterdir())) == (1, "", [])
    assert result.stderr.startswith("Error: there is no ./tracebridge.db; change to the folder")


def test_the_demo_says_where_it_cannot_run(tmp_path, monkeypatch):
    """A name that is taken, or a folder that may not be written: a line, no traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tracebridge-demo").touch()
    result = run("demo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: the folder tracebridge-demo cannot be made here (File exists); change to one that you may write\n"
    )


def test_the_demo_calls_sent_what_nobody_confirms(tmp_path, monkeypatch):
    """Spans that went out over UDP are not among the acknowledged ones."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        endpoint = f"udp://127.0.0.1:{agent.getsockname()[1]}"
        Path("bridge.yaml").write_text(f"adapters: {{jaeger_thrift: {{endpoint: '{endpoint}'}}}}")
        result = run("demo", "--config", "bridge.yaml")
    assert result.exit_code == 0
    assert "0, 15 sent unconfirmed" in " ".join(result.stdout.split())


def test_the_demo_can_be_shown_by_the_id_it_names(tmp_path, monkeypatch):
    """What the demo says to try next works."""
    monkeypatch.chdir(tmp_path)
    outcome = json.loads(run("demo", "--json").stdout)
    assert run("show", outcome["trace_id"]).exit_code == 0
    assert json.loads(run("search", "--id", "user123", "--json").stdout)["wire_trace_id"] == outcome["wire_trace_id"]


def test_every_command_has_help_with_an_example():
    """--help ends with an example that begins with the program's name."""
    for command in ("", "demo", "validate", "adapters", "show", "search"):
        shown = run(*command.split(), "--help").stdout
        assert "Example" in shown
        assert f"tracebridge {command}".strip() in shown


def test_search_asks_the_first_destination_and_says_so(tmp_path, monkeypatch):
    """`--from` asks another; help and answer name the same one."""
    monkeypatch.chdir(tmp_path)
    config = {"adapters": {"store/first": {"path": "first.db"}, "store/second": {"path": "second.db"}}}
    with Client(config=config) as client:
        client.start_trace("order", trace_id="order-1").end()
    (tmp_path / "bridge.yaml").write_text(json.dumps(config))
    wanted = {(): "from store/first (first.db)\n", ("--from", "store/second"): "from store/second (second.db)\n"}
    said = {given: CliRunner().invoke(main, ["search", "--config", "bridge.yaml", *given]).stderr for given in wanted}
    assert wanted == said
    assert "Default: the first that can be read" in " ".join(
        CliRunner().invoke(main, ["search", "--help"]).stdout.split()
    )
