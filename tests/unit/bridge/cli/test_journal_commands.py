"""`stats`, `drain` and `dead`: a journal's directory looked at, delivered and mended with no application running."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from support.commands import CliRunner
from support.ill_server import OK, IllServer
from tracebridge import Client
from tracebridge.cli import main
from tracebridge.delivery.deadletters.files import DeadFiles
from tracebridge.delivery.resending import Resender
from tracebridge.journal.accounts import Accounts
from tracebridge.settings.load import load_settings


@pytest.fixture
def server() -> Iterator[IllServer]:
    """The destination."""
    running = IllServer()
    yield running
    running.stop()


@pytest.fixture
def config(tmp_path: Path, server: IllServer) -> Path:
    """A configuration with its journal in `spans`."""
    path = tmp_path / "bridge.yaml"
    path.write_text(
        textwrap.dedent(f"""
            resource: {{attributes: {{service.name: shop}}}}
            journal: {{directory: {tmp_path}/spans}}
            lifecycle: {{shutdown_timeout: 200ms}}
            adapters:
              otlp_http:
                endpoint: {server.url}
                encoding: json
                timeout: 1m
                sending_queue: {{flush_interval: 20ms}}
                retry_on_failure: {{initial_interval: 20ms, max_interval: 50ms}}
              memory: {{}}
        """)
    )
    return path


def run(*arguments: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def killed(config: Path, spans: int = 20) -> None:
    """A process that ended so many spans, had one open, and died of `kill -9`."""
    code = f"""
        import json, os, signal, time
        from pathlib import Path
        from tracebridge import Client
        client = Client(config={str(config)!r})
        root = client.start_trace("root", trace_id="job")
        for n in range({spans}):
            client.start_span(f"s{{n}}", "job", root.span_id).end()
        told = Path(client._settings.journal.directory)
        def complete(numbers):
            memory = numbers["adapters"].get("memory")
            return numbers["started"] == {spans + 1} and (memory is None or memory["queued"] == 0)
        while not any(complete(json.loads(path.read_bytes())) for path in told.glob("*/stats.json")):
            time.sleep(0.05)  # until its numbers are told
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == -signal.SIGKILL


def answers(status: int, body: bytes = b"") -> Any:
    """A script that always answers the same."""
    return lambda number, names: (status, {}, body)


def test_stats_counts_what_a_dead_process_left(config, server, tmp_path):
    """By destination, from its files; what was open, too."""
    server.script = answers(503)
    killed(config)
    told = json.loads(run("stats", "--journal", tmp_path / "spans", "--json").stdout)
    [process] = told["processes"]
    assert (process["state"], process["left"], process["left_open"]) == (
        "left behind",
        {"otlp_http": 20, "memory": 0},
        1,
    )
    assert (process["numbers"]["service"], told["dead_letters"], told["damaged"]) == ("shop", 0, 0)
    assert told["disk_bytes"] == sum(path.stat().st_size for path in (tmp_path / "spans").rglob("*.seg"))
    shown = run("stats", "--config", config)
    assert shown.exit_code == 0
    assert "left behind" in shown.stdout
    assert "1 span open when it died" in shown.stdout
    assert "otlp_http said last" in shown.stdout


def test_what_a_dead_process_left_goes_on_ageing(config, server, tmp_path):
    """Its last word is an hour old; a destination that has everything has nothing that waits."""
    server.script = answers(503)
    killed(config)
    (numbers,) = (tmp_path / "spans").glob("*/stats.json")
    told = json.loads(numbers.read_bytes())
    numbers.write_text(json.dumps({**told, "time_unix_s": told["time_unix_s"] - 3600}))
    shown = run("stats", "--journal", tmp_path / "spans").stdout.splitlines()
    assert [line.split()[-1][:2] for line in shown if "otlp_http" in line and "1h" in line] == ["1h"]
    assert not any("1h" in line for line in shown if " memory " in line)


def test_stats_takes_a_dead_process_that_left_no_segment(config, server, tmp_path):
    """It was killed as it began; there is nothing to deliver."""
    server.script = answers(503)
    killed(config)
    for segment in (tmp_path / "spans").glob("*/*.seg"):
        segment.unlink()
    told = run("stats", "--journal", tmp_path / "spans", "--json")
    [process] = json.loads(told.stdout)["processes"]
    assert (told.exit_code, process["state"], process["left"], process["left_open"]) == (0, "left behind", {}, 0)


def test_stats_counts_what_a_process_left_that_had_told_nothing_yet(config, server, tmp_path):
    """Killed in its first second: segments say what is owed and the configuration to whom, as for `drain`."""
    server.script = answers(503)
    killed(config)
    [folder] = (tmp_path / "spans").glob("0*")
    (folder / "stats.json").unlink()
    [process] = json.loads(run("stats", "--config", config, "--json").stdout)["processes"]
    assert (process["left"], process["left_open"]) == ({"otlp_http": 20, "memory": 0}, 1)
    _, *shown = [line.split() for line in run("stats", "--config", config).stdout.splitlines()]
    assert shown[0] == ["?", folder.name.split("-")[1] + ",", "left", "behind"]
    assert sorted(shown[1:3]) == [["memory", "0"], ["otlp_http", "20"]]
    server.script = lambda number, names: OK
    assert "otlp_http: 21 found, 21 delivered" in run("drain", "--config", config).stderr


def test_stats_without_a_configuration_counts_for_destinations_that_nobody_names(config, server, tmp_path):
    """Of an older version, that left no names: until another process in the same directory names one of them."""
    server.script = answers(503)
    killed(config)
    spans = tmp_path / "spans"
    [names] = spans.glob("*/adapters.json")
    names.unlink()
    [told] = spans.glob("*/stats.json")
    named = json.loads(told.read_bytes())
    told.unlink()
    [process] = json.loads(run("stats", "--journal", spans, "--json").stdout)["processes"]
    assert sorted(process["left"].values()) == [0, 20]
    assert all(name.startswith("? (") for name in process["left"])
    other = spans / "01764045000123456789-17-9f3a61c2"
    other.mkdir()
    (other / "lock").touch()
    named["adapters"] = {"otlp_http": named["adapters"]["otlp_http"]}
    (other / "stats.json").write_text(json.dumps(named))
    found = json.loads(run("stats", "--journal", spans, "--json").stdout)["processes"]
    left = next(process["left"] for process in found if process["folder"] != other.name)
    assert (left.pop("otlp_http"), list(left.values())) == (20, [0])


def test_stats_looks_at_what_it_may_not_write(config, server, tmp_path, monkeypatch):
    """A file system that is mounted read-only, as for whoever examines an accident."""
    server.script = answers(503)
    killed(config)
    really = os.open

    def read_only(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return really(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", read_only)
    told = run("stats", "--journal", tmp_path / "spans", "--json")
    [process] = json.loads(told.stdout)["processes"]
    assert (process["state"], process["left"], process["left_open"]) == (
        "left behind",
        {"otlp_http": 20, "memory": 0},
        1,
    )


def test_stats_shows_a_running_process_with_its_own_numbers(config, server, tmp_path):
    """As it told them within the last second."""
    server.script = answers(503, b"come back later")
    with Client(config=str(config)) as client:
        client.start_trace("root").end()
        client._maintainer.write_numbers()
        [process] = json.loads(run("stats", "--journal", tmp_path / "spans", "--json").stdout)["processes"]
        assert (process["state"], process["numbers"]["pid"]) == ("running", os.getpid())
        assert process["numbers"]["adapters"]["otlp_http"]["queued"] == 1


def test_stats_of_nothing_and_of_nowhere(config, tmp_path):
    """An empty directory is told as such; a missing one and a journal in memory are errors that say what to do."""
    (tmp_path / "spans").mkdir()
    assert "0.0 MiB, 0 processes" in run("stats", "--journal", tmp_path / "spans").stdout
    missing = run("stats", "--journal", tmp_path / "nowhere")
    assert (missing.exit_code, "does not exist: nothing has been journalled" in missing.stderr) == (1, True)
    config.write_text("adapters: {memory: {}}")
    in_memory = run("stats", "--config", config)
    assert (in_memory.exit_code, "journal: {directory: ./spans}" in in_memory.stderr) == (78, True)


@pytest.mark.parametrize(
    ("command", "or_else"),
    [
        (("drain",), ""),
        (("stats",), ", or its journal with --journal"),
        (("dead", "list"), ", or its journal with --journal"),
        (("dead", "retry", "--all"), ", or its journal with --journal"),
    ],
)
def test_a_command_that_was_told_no_journal_asks_for_one(command, or_else, monkeypatch):
    """Only by options that it has."""
    monkeypatch.delenv("TRACEBRIDGE_CONFIG", raising=False)
    asked = run(*command)
    said = f"which journal? Name the application's YAML file with --config, or with TRACEBRIDGE_CONFIG{or_else}\n"
    assert (asked.exit_code, asked.stderr) == (78, said)


def test_stats_watches_with_a_line_each_second(config, tmp_path):
    """Until it is interrupted."""
    (tmp_path / "spans").mkdir()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("tracebridge"), "stats", "--journal", tmp_path / "spans", "--watch", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    process.wait(60)
    process.stdout.close()
    assert [line["processes"] for line in lines] == [[], []]


def test_drain_delivers_all_and_says_so(config, server, tmp_path):
    """Exit 0, and nothing is left in the directory."""
    server.script = answers(503)
    killed(config)
    server.script = lambda number, names: OK
    done = run("drain", "--config", config, "--json")
    outcome = json.loads(done.stdout)
    assert (done.exit_code, outcome["complete"], outcome["adapters"]["otlp_http"]["exported"]) == (0, True, 21)
    assert server.arrived == dict.fromkeys([f"s{n}" for n in range(20)] + ["root"], 1)
    assert list((tmp_path / "spans").glob("0*")) == []
    again = run("drain", "--config", config)
    assert (again.exit_code, "otlp_http: 0 found, 0 delivered, 0 still there, 0 dropped" in again.stderr) == (0, True)


def test_drain_gives_up_when_told_to_and_leaves_the_rest(config, server, tmp_path):
    """Exit 1, what failed is said, and nothing is lost for it."""
    server.script = answers(503, b"out of order")
    killed(config)
    done = run("drain", "--config", config, "--give-up", 5)
    assert (done.exit_code, "0 delivered, 21 still there" in done.stderr, "out of order" in done.stderr) == (
        1,
        True,
        True,
    )
    while any(thread.name.startswith("tracebridge-otlp_http") for thread in threading.enumerate()):
        time.sleep(
            0.05
        )  # closing is worth one last try, and a request that is under way when it is given up may still arrive
    server.script = lambda number, names: OK
    assert run("drain", "--config", config).exit_code == 0
    assert set(server.arrived.values()) == {1}


@pytest.mark.parametrize("command", [["drain"], ["dead", "retry", "--all"]])
def test_where_tracing_is_switched_off_nothing_is_sent_or_waited_for(config, tmp_path, command, monkeypatch):
    """The journal would never become empty."""
    (tmp_path / "spans").mkdir()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    done = run(*command, "--config", config)
    assert (done.exit_code, done.stdout, "switched off" in done.stderr) == (78, "", True)


def test_drain_tells_of_what_was_refused(config, server):
    """Delivered or not, a dropped span is not an arrived one: exit 1."""
    server.script = answers(503)
    killed(config)
    server.script = lambda number, names: (400, {}, b"poison") if "s3" in names else OK
    done = run("drain", "--config", config)
    assert (done.exit_code, "21 found, 20 delivered, 0 still there, 1 dropped (rejected" in done.stderr) == (1, True)


# ---------------------------------------------------------------------- dead letters


@pytest.fixture
def refused(config: Path, server: IllServer, tmp_path: Path) -> DeadFiles:
    """Two dead letters of `otlp_http`."""
    server.script = lambda number, names: (400, {}, b"poison, says the server") if {"bad", "worse"} & set(names) else OK
    with Client(config=str(config)) as client:
        root = client.start_trace("root", trace_id="job")
        for name in ("good", "bad", "worse"):
            client.start_span(name, "job", root.span_id, attributes={"colour": "red"}).end()
        root.end()
        client.flush(60)
    files = DeadFiles(tmp_path / "spans" / "dead")
    assert len(files.all()) == 2
    return files


def test_dead_letters_are_listed_and_shown(refused, config):
    """With whose they were and what the server said; as JSON for programs."""
    listed = run("dead", "list", "--config", config)
    assert (listed.exit_code, listed.stdout.count("rejected")) == (0, 2)
    rows = [json.loads(line) for line in run("dead", "list", "--config", config, "--json").stdout.splitlines()]
    assert [(row["adapter"], row["reason"], row["spans"]) for row in rows] == [("otlp_http", "rejected", 1)] * 2
    assert "poison, says the server" in rows[0]["message"]
    shown = run("dead", "show", rows[0]["id"], "--config", config)
    assert ("bad" in shown.stdout, "colour" in shown.stdout, "poison" in shown.stdout) == (True, True, True)
    line = run("dead", "show", rows[0]["id"], "--config", config, "--json").stdout
    assert json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "bad"
    assert run("dead", "list", "--config", config, "--adapter", "other").stdout == ""


def test_a_refusal_is_a_line_however_narrow_the_terminal_is(refused, config, monkeypatch):
    """And what the destination said cannot steer it."""
    monkeypatch.setenv("COLUMNS", "40")
    assert len(run("dead", "list", "--config", config).stdout.splitlines()) == 3


def test_what_a_destination_said_cannot_steer_the_terminal(config, server):
    """Neither in the log, nor in what commands tell of it."""
    killed(config, spans=1)
    server.script = answers(400, b"bad \x1b[31mspan\x07")
    drained = run("drain", "--config", config)
    listed = run("dead", "list", "--config", config)
    assert "bad [31mspan" in drained.stderr
    assert "bad [31mspan" in listed.stdout
    assert not any(char in drained.stdout + drained.stderr + listed.stdout + listed.stderr for char in "\x1b\x07")


def test_there_may_be_nothing_to_send_again(config, tmp_path):
    """That is said, and is no failure."""
    (tmp_path / "spans").mkdir()
    done = run("dead", "retry", "--all", "--config", config)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no dead letters\n")


def test_dead_letters_are_sent_again_where_they_were_refused(refused, config, server):
    """What is taken goes, what is refused again stays with the new reason; no other destination gets them twice."""
    server.script = lambda number, names: (400, {}, b"still poison") if "worse" in names else OK
    done = run("dead", "retry", "--all", "--config", config, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (
        1,
        {"otlp_http": {"taken": 1, "refused": 1, "kept": 0, "busy": 0}},
    )
    [left] = refused.all()
    assert ([record.name for record in refused.records(left.id)], "still poison" in left.message) == (["worse"], True)
    server.script = lambda number, names: OK
    done = run("dead", "retry", left.id, "--config", config)
    assert (done.exit_code, refused.all()) == (0, [])
    assert server.arrived == {"root": 1, "good": 1, "bad": 1, "worse": 1}


def test_a_retry_without_an_answer_keeps_everything(refused, config, server):
    """Exit 1, and the next try finds it all."""
    before = refused.all()
    server.script = answers(503)
    done = run("dead", "retry", "--all", "--config", config, "--give-up", 0.3)
    assert (done.exit_code, "2 not sent" in done.stderr, refused.all()) == (1, True, before)


def test_two_retries_at_once_send_nothing_twice(refused, config, server):
    """What one is sending, the other says to be busy, and leaves; a process that dies holds nothing."""
    entered, go_on = threading.Event(), threading.Event()

    def slowly(number: int, names: list[str]) -> Any:
        entered.set()
        assert go_on.wait(60)
        return OK

    server.script = slowly
    retrying = threading.Thread(target=retry_apart, args=(config,))
    retrying.start()
    assert entered.wait(60)
    [busy, free] = refused.all()
    done = retry_apart(config, busy.id)
    assert (
        done.returncode,
        "0 spans taken, 0 refused again, 0 not sent, 1 being sent by another process" in done.stderr,
    ) == (
        1,
        True,
    )
    go_on.set()
    retry_apart(config, free.id)  # whoever is faster
    retrying.join(60)
    assert (refused.all(), server.arrived) == ([], {"root": 1, "good": 1, "bad": 1, "worse": 1})


def retry_apart(config: Path, *ids: str) -> subprocess.CompletedProcess[str]:
    """`dead retry` in a process of its own."""
    command = [Path(sys.executable).with_name("tracebridge"), "dead", "retry", *(ids or ["--all"]), "--config", config]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_wait_for_a_destination_is_one_for_all_of_its_refusals(refused, config, monkeypatch):
    """As the help says."""
    settings = load_settings(str(config))
    waits = []
    resender = Resender(refused, settings, "otlp_http", 1000.0)
    really = Accounts.wait_for

    def wait_for(self: Accounts, true: Any, timeout_s: float | None = None) -> bool:
        waits.append(timeout_s)
        time.sleep(0.01)
        return really(self, true, 60)

    monkeypatch.setattr(Accounts, "wait_for", wait_for)
    resender.resend(refused.all())
    resender.close()
    assert len(waits) == 2
    assert waits[1] <= waits[0] - 0.01


def test_a_dead_letter_of_another_destination_is_not_there(refused, config):
    """Neither to be sent again nor to be dropped; an ID that is given twice counts once."""
    first = refused.all()[0].id
    for command in ("retry", "drop"):
        done = run("dead", command, first, first, "--adapter", "memory", "--config", config)
        assert (done.exit_code, done.stderr.count(f"dead letter {first} of memory does not exist")) == (1, 1)
    outcome = run("dead", "drop", first, first, "--adapter", "otlp_http", "--config", config, "--json")
    assert (outcome.exit_code, json.loads(outcome.stdout)) == (0, {"dropped": [first], "spans": 1, "missing": []})


@pytest.mark.parametrize("command", [["list"], ["retry", "--all"], ["drop", "--all"]])
def test_a_destination_that_nobody_names_is_a_mistake(refused, config, command):
    """In the configuration or among the dead letters; the names that there are, are told."""
    done = run("dead", *command, "--adapter", "zipkin", "--config", config)
    assert (done.exit_code, "--adapter zipkin: the configuration names otlp_http, memory" in done.stderr) == (2, True)
    assert len(refused.all()) == 2


def test_dead_letters_are_dropped_by_id_or_all(refused, tmp_path):
    """Only what is named; an ID that is not there is told, exit 1; neither ID nor --all is a mistake."""
    first = refused.all()[0].id
    folder = tmp_path / "spans"
    assert run("dead", "drop", first, "--journal", folder).stdout == "1 span of 1 refusal dropped\n"
    gone = run("dead", "drop", first, "--journal", folder)
    assert (gone.exit_code, f"dead letter {first} does not exist" in gone.stderr) == (1, True)
    assert run("dead", "drop", "--journal", folder).exit_code == 2
    second = refused.all()[0].id
    outcome = json.loads(run("dead", "drop", first, second, "--journal", folder, "--json").stdout)
    assert outcome == {"dropped": [second], "spans": 1, "missing": [first]}
    assert run("dead", "drop", "--all", "--journal", folder).exit_code == 0
    assert (refused.all(), run("dead", "list", "--journal", folder).stderr) == ([], "no dead letters\n")


@pytest.mark.parametrize("command", [["stats"], ["drain"], ["dead"], ["dead", "list"], ["dead", "retry"]])
def test_every_command_has_help_with_an_example(command):
    """What it does, its options, and how it is typed."""
    done = run(*command, "--help")
    assert (done.exit_code, "Example" in done.stdout) == (0, True)


# ---------------------------------------------------------------------- what a destination is owed under another name


def renamed(config: Path, before: str, after: str) -> None:
    """Call a destination otherwise."""
    config.write_text(config.read_text().replace(f"{before}:", f"{after}:"))


def test_what_nobody_here_names_is_listed_and_is_still_there_after_drain(config, server):
    """Under the name that it was owed to, with how many spans, of how many processes; and said where it is left."""
    server.script = answers(503)
    killed(config, spans=3)
    server.script = answers(200, b"{}")
    renamed(config, "otlp_http", "otlp_http/main")
    [listed] = [json.loads(line) for line in run("journal", "list", "--config", config, "--json").stdout.splitlines()
                if "otlp_http" in line]  # fmt: skip
    assert listed.pop("oldest_unix_s") == pytest.approx(time.time(), abs=600)
    assert listed == {"adapter": "otlp_http", "spans": 4, "processes": 1, "named": False}
    drained = run("drain", "--config", config)
    assert (drained.exit_code, "otlp_http: 4 still there; this configuration does not name it" in drained.stderr) == (
        1,
        True,
    )
    table = [line.split() for line in run("journal", "list", "--config", config).stdout.splitlines()]
    assert [(row[0], row[1], row[2], row[-1]) for row in table[1:]] == [("otlp_http", "4", "1", "no")]
    assert json.loads(run("drain", "--config", config, "--json").stdout)["unclaimed"] == {"otlp_http": 4}


def test_a_renamed_destination_takes_over_and_everything_arrives(config, server):
    """`journal move`, then whatever process comes: nothing twice, nothing left."""
    server.script = answers(503)
    killed(config, spans=3)
    server.script = answers(200, b"{}")
    renamed(config, "otlp_http", "otlp_http/main")
    run("drain", "--config", config)
    moved = run("journal", "move", "otlp_http", "otlp_http/main", "--config", config)
    assert (moved.exit_code, moved.stdout) == (0, "4 spans of 1 process moved from otlp_http to otlp_http/main\n")
    drained = run("drain", "--config", config)
    assert (drained.exit_code, "otlp_http/main: 4 found, 4 delivered" in drained.stderr) == (0, True)
    assert server.arrived == {"s0": 1, "s1": 1, "s2": 1, "root": 1}
    again = run("journal", "move", "otlp_http", "otlp_http/main", "--config", config)
    assert (again.exit_code, again.stderr) == (
        1,
        "dead processes have left nothing for otlp_http; see: tracebridge journal list\n",
    )


def test_nothing_is_moved_to_a_name_that_the_configuration_does_not_have(config):
    """A slip of the pen would only hide it elsewhere."""
    killed(config, spans=1)
    wrong = run("journal", "move", "otlp_http", "otlp_htp", "--config", config)
    assert (wrong.exit_code, "the configuration names otlp_http, memory" in wrong.stderr) == (2, True)


def test_what_is_dropped_by_hand_is_gone_and_the_rest_is_not(config, server, tmp_path):
    """One destination's, as JSON; exit codes say whether there was anything."""
    server.script = answers(503)
    killed(config, spans=3)
    spans = tmp_path / "spans"
    dropped = run("journal", "drop", "otlp_http", "--journal", spans, "--json")
    assert (dropped.exit_code, json.loads(dropped.stdout)) == (0, {"spans": 4, "processes": 1, "left_alone": 0})
    assert run("journal", "drop", "otlp_http", "--journal", spans).exit_code == 1
    [listed] = [json.loads(line) for line in run("journal", "list", "--journal", spans, "--json").stdout.splitlines()]
    assert (listed["adapter"], listed["spans"], listed["named"]) == ("memory", 1, None)
    assert run("drain", "--config", config).exit_code == 0
    assert run("journal", "list", "--journal", spans).stderr == "dead processes have left nothing\n"
    assert server.arrived == {}


def test_a_running_process_keeps_what_it_holds(config, server, tmp_path):
    """Commands change what dead ones left, and nothing else."""
    server.script = answers(503)
    with Client(config=str(config)) as client:
        client.start_trace("mine").end()
        assert run("journal", "drop", "otlp_http", "--journal", tmp_path / "spans").exit_code == 1
        server.script = answers(200, b"{}")
        assert client.flush(60)
    assert server.arrived == {"mine": 1}
