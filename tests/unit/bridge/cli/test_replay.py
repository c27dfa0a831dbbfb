"""`tracebridge replay`, `convert` and `tail`, run as commands."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from support.commands import CliRunner
from tracebridge import Client
from tracebridge.cli import main
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import Kind, Resource, SpanRecord

T0 = 1_790_000_000_000_000_000
RESOURCE = Resource({"service.name": "shop"})
ENCODE = load(FORMATS, "otlp_json")().encode


def span(number: int, parent: int | None = None, **more: Any) -> SpanRecord:
    """A span of a trace that carries an ID of its own."""
    return SpanRecord(
        trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), parent_id=None if parent is None else parent.to_bytes(8, "big"),
        name=f"s{number}", start_time_ns=T0 + number * 10**9, end_time_ns=T0 + number * 10**9 + 5, kind=int(Kind.SERVER),
        attributes={"n": number}, custom_trace_id="order-7", resource=RESOURCE, **more,
    )  # fmt: skip


@pytest.fixture
def log(tmp_path, monkeypatch) -> Path:
    """A log file with three spans among other lines."""
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(tmp_path / "store.db"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app.log"
    spans = [ENCODE([span(number, 1 if number > 1 else None)]) for number in (2, 3, 1)]
    path.write_bytes(b"hello\n" + b"other\n".join(spans))
    return path


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run one command."""
    return CliRunner().invoke(main, list(arguments), input=stdin)


def stored() -> list[dict[str, Any]]:
    """What the store has of the trace."""
    result = run("show", "order-7", "--json")
    return json.loads(result.stdout) if result.exit_code == 0 else []


def test_replay_delivers_the_very_spans(log):
    """IDs, times, the resource and the custom ID are as they were."""
    result = run("replay", str(log), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    outcome = json.loads(result.stdout)
    assert (outcome["lines"], outcome["spans"], outcome["other_lines"], outcome["delivered"]) == (6, 3, 3, 3)
    assert outcome["adapters"]["store"]["exported"] == 3
    assert [(s["name"], s["start_time_ns"], s["attributes"], s["resource"]["service.name"]) for s in stored()] == [
        (f"s{n}", T0 + n * 10**9, {"n": n}, "shop") for n in (1, 2, 3)
    ]


def test_lines_on_standard_output_are_not_mixed_with_words(log):
    """Where a destination writes there, a pipe gets lines only."""
    Path("lines.yaml").write_text("adapters: {log: {stream: stdout}}\n")
    script = "from tracebridge.cli import main; main()"
    command = [sys.executable, "-c", script, "replay", str(log), "--config", "lines.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [json.loads(line)["span_name"] for line in done.stdout.splitlines()] == ["s2", "s3", "s1"]
    assert "log: 3 acknowledged" in done.stderr


def test_replay_says_in_words_what_became_of_the_lines(log):
    """For people."""
    result = run("replay", str(log))
    assert "3 spans: 3 handed to delivery, 0 met before, 0 outside what was asked for" in result.stderr
    assert "store: 3 acknowledged, 0 queued, 0 dropped" in result.stderr


def test_replay_reads_standard_input_and_packed_files(log):
    """`zcat app.log.gz | tracebridge replay -` and the file itself are the same."""
    assert json.loads(run("replay", "-", "--json", stdin=log.read_bytes()).stdout)["delivered"] == 3
    assert json.loads(run("replay", "-", "--json", stdin=gzip.compress(log.read_bytes())).stdout)["delivered"] == 3


@pytest.mark.parametrize(
    ("arguments", "delivered"),
    [
        (["--since", "2026-09-21T14:13:22"], 2),
        (["--until", "2026-09-21T14:13:22"], 1),
        (["--trace", "order-7"], 3),
        (["--trace", (b"t" * 16).hex()], 3),
        (["--trace", "order-8"], 0),
        (["--dry-run"], 3),
    ],
)
def test_replay_takes_only_what_is_asked_for(log, arguments, delivered):
    """By time and by trace; a dry run sends nothing."""
    outcome = json.loads(run("replay", str(log), "--json", *arguments).stdout)
    assert (outcome["delivered"], outcome["unwanted"]) == (delivered, 3 - delivered)
    assert len(stored()) == (0 if "--dry-run" in arguments else delivered)


def test_a_span_that_stands_twice_is_delivered_once(log):
    """Logs are shipped at least once."""
    outcome = json.loads(run("replay", str(log), str(log), "--json").stdout)
    assert (outcome["spans"], outcome["delivered"], outcome["doubles"]) == (6, 3, 3)


def test_with_a_state_a_second_run_goes_on_where_the_first_ended(log):
    """Old lines are not read again, and a copy of them is recognised."""
    assert json.loads(run("replay", str(log), "--state", "s", "--json").stdout)["delivered"] == 3
    with log.open("ab") as file:
        file.write(ENCODE([span(4, 1)]))
    (log.parent / "copy.gz").write_bytes(gzip.compress(log.read_bytes()))
    outcome = json.loads(run("replay", str(log), "copy.gz", "--state", "s", "--json").stdout)
    assert (outcome["lines"], outcome["delivered"], outcome["doubles"]) == (1 + 7, 1, 4)
    assert len(stored()) == 4


def test_a_line_that_was_being_written_is_read_whole_by_the_next_run(log):
    """A run that saw half a line begins the next time before it, not behind it."""
    line = ENCODE([span(4, 1)])
    with log.open("ab") as file:
        file.write(line[:40])
    run("replay", str(log), "--state", "s")
    with log.open("ab") as file:
        file.write(line[40:])
    outcome = json.loads(run("replay", str(log), "--state", "s", "--json").stdout)
    assert (outcome["lines"], outcome["delivered"], outcome["damaged_lines"], len(stored())) == (1, 1, 0, 4)


def test_a_line_in_parts_of_which_some_are_missing_is_read_whole_by_the_next_run(log):
    """Container runtimes split long lines: a run that ended between the parts has not done with the first."""
    line = ENCODE([span(4, 1)]).rstrip()
    pod = log.parent / "pod.log"
    pod.write_bytes(b"2026-01-01T00:00:00Z stdout F hello\n2026-01-01T00:00:00Z stdout P " + line[:40] + b"\n")
    run("replay", str(pod), "--state", "s")
    with pod.open("ab") as file:
        file.write(b"2026-01-01T00:00:00Z stdout F " + line[40:] + b"\n")
    outcome = json.loads(run("replay", str(pod), "--state", "s", "--json").stdout)
    assert (outcome["lines"], outcome["delivered"], len(stored())) == (2, 1, 1)


@pytest.mark.parametrize("first", [["--dry-run"], ["--trace", "order-8"]])
def test_what_was_not_delivered_is_not_remembered_as_done(log, first):
    """After a dry run or a run for something else, everything is still to be read."""
    run("replay", str(log), "--state", "s", *first)
    assert json.loads(run("replay", str(log), "--state", "s", "--json").stdout)["delivered"] == 3


def test_damage_is_told_with_file_and_line_and_fails_only_when_strict(log):
    """The rest is delivered."""
    with log.open("ab") as file:
        file.write(ENCODE([span(4)])[:100] + b"\n")
    assert (result := run("replay", str(log))).exit_code == 0
    assert f"damaged: {log}:7: not OTLP JSON" in result.stderr
    assert run("replay", str(log), "--strict").exit_code == 1
    assert run("convert", str(log), "--to", "otlp_json", "--strict").exit_code == 1
    assert len(stored()) == 3


def test_a_destination_that_takes_nothing_is_exit_1_after_the_time_given(log):
    """Nothing listens there; the state is not moved on, so that the next run sends everything."""
    (log.parent / "b.yaml").write_text("adapters: {zipkin: {endpoint: 'http://127.0.0.1:9/api/v2/spans'}}")
    result = run("replay", str(log), "--config", "b.yaml", "--state", "s", "--give-up", "0")
    assert result.exit_code == 1
    assert "zipkin: 0 acknowledged, 3 queued" in result.stderr
    assert json.loads(run("replay", str(log), "--state", "s", "--json").stdout)["delivered"] == 3


def test_what_a_destination_was_given_up_on_is_sent_by_the_next_run(log):
    """With a bound on retries spans are dropped; a state does not call them delivered."""
    (log.parent / "b.yaml").write_text(
        "adapters: {zipkin: {endpoint: 'http://127.0.0.1:9/api/v2/spans', retry_on_failure: {max_elapsed_time: 1ms}}}"
    )
    result = run("replay", str(log), "--config", "b.yaml", "--state", "s")
    assert result.exit_code == 1
    assert "zipkin: 0 acknowledged, 0 queued, 3 dropped (retries_exhausted" in result.stderr
    assert json.loads(run("replay", str(log), "--state", "s", "--json").stdout)["delivered"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay", "nowhere.log"], 1, "nowhere.log: no such file"),
        (["replay", "app.log", "--config", "nowhere.yaml"], 78, "unreadable-file"),
        (["replay", "app.log", "--prefix", "("], 2, "not a regular expression"),
        (["replay"], 2, "Missing argument"),
        (["convert", "app.log", "--to", "otlp"], 2, "did you mean"),
        (["convert", "app.log", "--to", "otlp_json", "--output", "app.log"], 1, "--force replaces it"),
        (["tail", "nowhere.log", "--once"], 1, "nowhere.log"),
    ],
)
def test_mistakes_are_told_and_exit_codes_mean_something(log, arguments, code, said):
    """1: not everything; 2: wrong usage; 78: wrong configuration."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_convert_to_zipkin_may_be_called_as_the_destination_is(log):
    """`--to zipkin` is `--to zipkin_json`."""
    for name in ("zipkin", "zipkin_json"):
        assert run("convert", str(log), "--to", name, "--output", f"{name}.out").exit_code == 0
    assert Path("zipkin.out").read_text().count('"traceId"') == 3
    assert Path("zipkin.out").read_bytes() == Path("zipkin_json.out").read_bytes()


def test_a_split_line_without_its_end_is_damage_and_strict_tells(log):
    """The runtime was killed between the two parts: a span is cut, and `--strict` does not overlook it."""
    whole = load(FORMATS, "otlp_json")().encode([span(9)]).decode().rstrip()
    Path("cri.log").write_text(f"2026-01-02T03:04:05Z stdout P {whole[:80]}\n")
    result = run("replay", "cri.log", "--strict")
    assert (result.exit_code, "damaged: cri.log:1: the last part" in result.stderr) == (1, True)


def test_convert_writes_another_format_and_loses_nothing(log):
    """To a file of 0600, or to stdout."""
    result = run("convert", str(log), "--to", "otlp_json", "--output", "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "3 spans of 6 lines (3 others, 0 damaged)\n"
    (line,) = Path("out.jsonl").read_bytes().splitlines()
    assert load(FORMATS, "otlp_json")().decode(line).records == [span(2, 1), span(3, 1), span(1)]
    assert Path("out.jsonl").stat().st_mode & 0o777 == 0o600


def test_tail_draws_a_trace_once_it_is_complete(log):
    """As a tree, or as JSON."""
    result = run("tail", str(log), "--once")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].startswith("order-7")
    assert [name for name in ("s1", "s2", "s3") if f"· {name}" in result.stdout] == ["s1", "s2", "s3"]
    (line,) = run("tail", str(log), "--once", "--json").stdout.splitlines()
    assert [each["name"] for each in json.loads(line)] == ["s1", "s2", "s3"]


def test_lines_that_hold_no_span_are_told_with_what_may_help(log, tmp_path):
    """A wrapping that only the user knows is the likely cause."""
    wrapped = tmp_path / "wrapped.log"
    wrapped.write_text(
        "".join(json.dumps({"host": "h", "message": line}) + "\n" for line in log.read_text().splitlines())
    )
    result = run("replay", str(wrapped), "--dry-run")
    assert result.exit_code == 1
    assert f"damaged: {wrapped}:2: a span line is in field `message`: " in result.stderr
    assert run("tail", str(wrapped), "--once").exit_code == 1
    assert run("convert", str(wrapped), "--to", "spanlog").exit_code == 1
    assert json.loads(run("replay", str(wrapped), "--field", "message", "--dry-run", "--json").stdout)["spans"] == 3
    assert run("tail", str(wrapped), "--field", "message", "--once").stdout == run("tail", str(log), "--once").stdout


def test_a_form_that_applications_write_as_well_is_read_where_it_is_named(log, tmp_path):
    """Without the name it is damage that says the name, and the other lines of the file are read."""
    lines = log.read_text().splitlines()
    log.write_text("\n".join([lines[1], *(f"Jan  2 03:04:05 host shop: {line}" for line in lines)]) + "\n")
    result = run("replay", str(log), "--dry-run")
    assert (result.exit_code, "--envelope syslog reads them" in result.stderr) == (0, True)
    assert "7 lines: 1 with spans, 3 others, 3 damaged\n1 span: " in result.stderr
    named = run("replay", str(log), "--dry-run", "--envelope", "syslog", "--json").stdout
    assert (json.loads(named)["spans"], json.loads(named)["damaged_lines"]) == (4, 0)
    assert run("replay", str(log), "--envelope", "winston").exit_code == 2


def test_tail_draws_a_span_once_however_often_it_was_written(log):
    """A directory may hold the same spans in several formats."""
    assert run("convert", str(log), "--to", "otlp_json", "--output", "again.jsonl").exit_code == 0
    assert run("tail", str(log), "again.jsonl", "--once").stdout == run("tail", str(log), "--once").stdout


def test_a_moment_is_written_as_it_stands_in_logs(log):
    """With or without a zone, which is UTC; a mistake says what a time looks like."""
    past = run("replay", str(log), "--dry-run", "--json", "--since", "1970-01-01T02:00:00+02:00")
    assert json.loads(past.stdout)["delivered"] == 3
    assert (
        json.loads(run("replay", str(log), "--dry-run", "--json", "--since", "2100-01-01T00:00:00Z").stdout)[
            "delivered"
        ]
        == 0
    )
    wrong = run("replay", str(log), "--since", "yesterday")
    assert wrong.exit_code == 2
    assert "'yesterday' is not a time: write 2026-01-31" in wrong.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device that is always full")
def test_a_full_disk_under_the_output_is_said_in_a_line(log):
    """No traceback: nothing is wrong with the program."""
    told = subprocess.run(
        [Path(sys.executable).with_name("tracebridge"), "convert", log, "--to", "otlp_json", "--output", "/dev/full", "--force"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr == "error: the output cannot be written: No space left on device\n"


def test_where_tracing_is_switched_off_nothing_is_said_to_be_delivered(log, monkeypatch):
    """Spans that are sent nowhere would be marked as delivered in the state file; counting them is harmless."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    for command in (("replay", str(log), "--state", "state.db"), ("demo",)):
        result = run(*command)
        said = "tracing is switched off, by OTEL_SDK_DISABLED=true or `disabled: true`; nothing would be sent\n"
        assert (result.exit_code, result.stdout, result.stderr) == (78, "", said)
    assert run("replay", str(log), "--dry-run").exit_code == 0
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    assert json.loads(run("replay", str(log), "--state", "state.db", "--json").stdout)["delivered"] == 3


def test_without_a_store_that_can_be_written_nothing_is_said_to_be_delivered(log, tmp_path, monkeypatch):
    """Memory would take the spans, and be gone with the command."""
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(tmp_path / "nowhere" / "store.db"))
    for command in (("replay", str(log)), ("doctor",)):
        result = run(*command)
        assert (result.exit_code, result.stdout) == (78, "")
        assert "nowhere/store.db cannot be written; set TRACEBRIDGE_STORE to another path" in result.stderr


def rpc(own: str, kind: str, service: str, start: int, **more: Any) -> dict[str, Any]:
    """A Zipkin span of an old tracer: no flag tells that its ID is shared."""
    return {
        "traceId": "1", "id": own, "name": "call", "kind": kind, "timestamp": T0 // 1000 + start, "duration": 5,
        "localEndpoint": {"serviceName": service}, **more,
    }  # fmt: skip


def test_both_halves_of_a_call_are_delivered_stored_and_drawn_once(log, monkeypatch):
    """A chain of services whose tracers share IDs: as many rows as spans, whatever reads them."""
    monkeypatch.setenv("COLUMNS", "300")
    hops = []
    for n in range(1, 15):
        above = {"parentId": f"{n - 1:x}"} if n > 1 else {}
        hops += [
            rpc(f"{n:x}", "CLIENT", f"s{n}", 2 * n, **above),
            rpc(f"{n:x}", "SERVER", f"s{n + 1}", 2 * n + 1, **above),
        ]
    Path("zipkin.jsonl").write_text("".join(json.dumps(hop) + "\n" for hop in hops))
    outcome = json.loads(run("replay", "zipkin.jsonl", "--json").stdout)
    assert (outcome["spans"], outcome["delivered"], outcome["doubles"]) == (28, 28, 0)
    drawn = run("tail", "zipkin.jsonl", "--once").stdout
    assert (drawn.count("· call"), "28 spans" in drawn) == (28, True)
    assert run("show", "1".zfill(32)).stdout.count("· call") == 28
    assert len(json.loads(run("show", "1".zfill(32), "--json").stdout)) == 28
    with Client(config={"adapters": {"store": {"path": "store.db"}}}) as client:
        assert len(client.get_trace("1".zfill(32)).data.spans) == 28


def test_a_span_in_pieces_is_delivered_whole(log):
    """On one line, and on several, where each piece is taken once."""
    whole = rpc("1", "CLIENT", "shop", 1, tags={"a": "b"}, annotations=[{"timestamp": T0 // 1000 + 3, "value": "ws"}])
    start = {key: value for key, value in whole.items() if key not in {"duration", "tags", "annotations"}}
    end = {key: value for key, value in whole.items() if key not in {"timestamp", "annotations", "name"}}
    note = {key: value for key, value in whole.items() if key not in {"timestamp", "duration", "tags", "name"}}
    Path("one.jsonl").write_text(json.dumps([start, end, note]) + "\n")
    Path("many.jsonl").write_text("".join(json.dumps(piece) + "\n" for piece in (note, end, start, end)))
    for path, delivered in (("one.jsonl", 1), ("many.jsonl", 3)):
        assert json.loads(run("replay", path, "--json").stdout)["delivered"] == delivered
        (found,) = json.loads(run("show", "1".zfill(32), "--json").stdout)
        assert (found["name"], found["attributes"], [event["name"] for event in found["events"]]) == (
            "call",
            {"a": "b"},
            ["ws"],
        )
        assert (found["start_time_ns"], found["end_time_ns"]) == (T0 + 1_000, T0 + 6_000)
        Path("store.db").unlink()


def test_spans_in_a_circle_are_drawn_and_marked(log):
    """The header says how many there are, and so many are drawn."""
    spans = [rpc("1", "CLIENT", "shop", 1, parentId="2"), rpc("2", "CLIENT", "shop", 2, parentId="1")]
    Path("circle.jsonl").write_text(json.dumps(spans) + "\n")
    shown = run("tail", "circle.jsonl", "--once").stdout
    assert ("2 spans" in shown, shown.count("· call")) == (True, 2)
    assert "(parent 0000000000000002 is one of its own descendants)" in " ".join(shown.split())


def test_nothing_in_a_log_reaches_the_terminal_as_a_command(log):
    """Names, types, keys and IDs are shown without their control characters."""
    evil = "x\x1b[31m\x9b2J\x07"
    record = span(1)
    hostile = SpanRecord(
        record.trace_id, record.span_id, None, evil, 1, 2, attributes={evil: evil}, span_type=evil, custom_trace_id=evil,
        status=2, status_message=evil, end_cause="abandoned", opened_at=evil, tags={evil: evil}, resource=Resource({"service.name": evil}),
    )  # fmt: skip
    log.write_bytes(ENCODE([hostile]))
    shown = run("tail", str(log), "--once", "--attributes").stdout
    assert "x [31m" in shown
    assert not any(char in shown for char in "\x1b\x9b\x07")


def test_following_delivers_as_the_file_grows_until_the_signal(log):
    """A real process, ended by SIGTERM: what it has read has arrived, and its state knows."""
    command = [
        str(Path(sys.executable).parent / "tracebridge"),
        "replay",
        str(log),
        "--follow",
        "--state",
        "s",
        "--json",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(stored()) == 3)
    log.rename(f"{log}.1")
    log.write_bytes(ENCODE([span(4, 1)]))
    wait_for(lambda: len(stored()) == 4)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["delivered"] == 4
    again = json.loads(run("replay", str(log), f"{log}.1", "--state", "s", "--json").stdout)
    assert (again["lines"], again["delivered"]) == (0, 0)


def wait_for(done: Any) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)
