"""Stages of a user's own: what they change, drop, hold and get wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.journals import crash
from support.stages import install
from tracebridge import Client, ConfigError
from tracebridge.cli import main
from tracebridge.stages import holding, stage

NAMES = {
    name.lower(): f"support.stages:{name}"
    for name in ("Mark", "Tenth", "Secretive", "Broken", "PlainOnly", "Tail", "Impatient", "Unbuildable")
}


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stages are installed."""
    install(monkeypatch, tmp_path, "stages", **NAMES, missing="support.stages:Missing", naked="pathlib:Path")


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so, a minute at most."""
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)


def trace(client: Client, *names: str, **root: Any) -> None:
    """A trace with a child of each name."""
    span = client.start_trace("root", **root)
    for name in names:
        client.start_span(name, trace_id=span.trace_id, parent_id=span.span_id).end()
    span.end()


def balanced(client: Client) -> bool:
    """Whether the books balance."""
    stats = client.stats()
    return all(stats.balance(name) == 0 for name in stats.adapters)


def test_stages_run_in_their_order_on_plain_spans_too(make_client, delivered):
    """Each sees what the one before it returned; no span is too plain for a stage."""
    client = make_client(stages=[{"mark": {"word": "a"}}, {"mark/second": {"word": "b"}}])
    trace(client, "plain")
    client.start_trace("odd", inputs={"x": object()}).end()
    assert [record.attributes["marks"] for record in delivered(client)] == ["a;b;"] * 3


def test_a_stage_that_keeps_a_tenth_keeps_a_tenth(make_client, delivered):
    """Of plain spans as of any; what it drops is counted by its reason, and the books balance."""
    client = make_client(stages=["tenth"])
    trace(client, *["plain"] * 999)
    stats = client.stats()
    assert len(delivered(client)) == 100
    assert (stats.stages["tenth"].dropped, stats.stages["tenth"].failed) == ({"ratio": 900}, 0)
    assert (stats.adapters["memory"].dropped, balanced(client)) == ({"sampled": 900}, True)


def test_only_a_stage_that_says_so_is_passed_by(make_client, delivered):
    """The fast path is open when every stage allows it, and only for plain spans."""
    client = make_client(stages=["plainonly"])
    assert client._stages.fast_path
    trace(client, "plain")
    client.start_trace("odd", attributes={"password": "x"}).end()
    assert [record.attributes.get("marks") for record in delivered(client)] == [None, None, "seen;"]
    assert not make_client(stages=["plainonly", "mark"])._stages.fast_path


def test_what_a_stage_adds_is_redacted(make_client, delivered):
    """Redaction comes after every stage."""
    client = make_client(stages=["secretive"])
    trace(client)
    (record,) = delivered(client)
    assert (record.attributes["password"], record.redacted) == ("[redacted]", 1)


@pytest.mark.parametrize("name", ["raises", "nonsense", "holds", "unrecordable"])
def test_a_stage_that_fails_costs_no_span(make_client, delivered, caplog, name):
    """The span goes on as it came; that is counted, and said once, with the stage's name and never with the exception's text."""
    client = make_client(stages=["broken", "mark"])
    for _ in range(3):
        client.start_trace(name, attributes={"a": 1}).end()
    client.start_trace("fine").end()
    marks = {} if name == "unrecordable" else {"marks": "seen;"}
    found = [(record.name, dict(record.attributes)) for record in delivered(client)]
    assert found == [(name, {"a": 1, **marks})] * 3 + [("fine", {"marks": "seen;"})]
    warned = [record.getMessage() for record in caplog.records if record.name == "tracebridge.stages"]
    blamed = "mark" if name == "unrecordable" else "broken"
    assert (len(warned), f'stage "{blamed}" failed' in warned[0], "hunter2" in caplog.text) == (1, True, False)
    assert (client.stats().stages[blamed].failed, balanced(client)) == (3, True)


def test_the_log_says_where_a_stage_raised(make_client, caplog):
    """File and line, which is what its author needs."""
    client = make_client(stages=["broken"])
    client.start_trace("raises").end()
    (message,) = [record.getMessage() for record in caplog.records if record.name == "tracebridge.stages"]
    assert "ValueError at " in message
    assert "support/stages.py:" in message


def test_a_stage_without_which_nothing_may_leave_holds_spans_back(make_client, delivered):
    """They are dead letters, redacted, and counted; the others go on."""
    client = make_client(stages=[{"broken": {"on_error": "hold_back"}}])
    client.start_trace("raises", attributes={"token": "x"}).end()
    client.start_trace("fine").end()
    assert [record.name for record in delivered(client)] == ["fine"]
    (letter,) = client.dead_letters()
    assert (letter.record.name, letter.record.attributes, letter.reason) == (
        "raises", {"token": "[redacted]"}, "stage_failed",
    )  # fmt: skip
    assert (client.stats().adapters["memory"].dropped, balanced(client)) == ({"stage_failed": 1}, True)


def test_ingested_spans_pass_the_stages_too(make_client, delivered):
    """What a source or a replay hands in is treated like our own."""
    client = make_client(stages=["mark"])
    trace(make_client(), "x")
    source = make_client()
    trace(source, "child")
    for record in delivered(source):
        client.ingest(record)
    assert [record.attributes["marks"] for record in delivered(client)] == ["seen;"] * 2


# ---------------------------------------------------------------------- holding


def test_held_spans_reach_nobody_until_the_stage_has_decided(make_client, delivered):
    """They are neither open nor queued; once it keeps them they go, as it has changed them, but for those it drops."""
    client = make_client(stages=["tail"])
    root = client.start_trace("root")
    for name in ("error", "noise"):
        client.start_span(name, trace_id=root.trace_id, parent_id=root.span_id).end()
    assert (delivered(client), client.stats().held, client.stats().open, balanced(client)) == ([], 2, 1, True)
    root.end()
    assert [(r.name, r.trace_state) for r in delivered(client)] == [("error", "ot=th:0"), ("root", "ot=th:0")]
    stats = client.stats()
    assert (stats.held, stats.stages["tail"].dropped, balanced(client)) == (0, {"": 1}, True)
    assert stats.adapters["memory"].dropped == {"sampled": 1}


def test_a_trace_that_is_dropped_goes_nowhere(make_client, delivered):
    """All of it."""
    client = make_client(stages=["tail"])
    trace(client, "a", "b")
    assert (delivered(client), client.stats().held, balanced(client)) == ([], 0, True)
    assert client.stats().adapters["memory"].dropped == {"sampled": 3}


def test_a_decision_that_fails_keeps_what_was_held(make_client, delivered):
    """Rather too many than lost."""
    client = make_client(stages=["tail"])
    trace(client, "broken")
    assert ([r.name for r in delivered(client)], client.stats().stages["tail"].failed) == (["broken", "root"], 1)


def test_what_is_held_too_long_is_decided(make_client, delivered):
    """Whatever has come by then."""
    client = make_client(stages=["impatient"])
    root = client.start_trace("root")
    client.start_span("error", trace_id=root.trace_id, parent_id=root.span_id).end()
    until(lambda: client.stats().held == 0)
    assert [r.name for r in delivered(client)] == ["error"]
    root.end()


def test_closing_decides_what_is_held(make_client):
    """Nothing stays undecided in memory."""
    client = make_client(stages=["tail"])
    root = client.start_trace("root")
    client.start_span("error", trace_id=root.trace_id, parent_id=root.span_id).end()
    client.close()
    assert sorted(r.name for r in client.adapter("memory").records) == ["error", "root"]
    assert (client.stats().held, balanced(client)) == (0, True)


def test_what_is_held_is_bounded(make_client, monkeypatch):
    """The oldest key is decided when there is too much."""
    monkeypatch.setattr(holding, "MOST_HELD_BYTES", 2_000)
    client = make_client(stages=["tail"])
    for _ in range(50):
        root = client.start_trace("root")
        client.start_span("error", trace_id=root.trace_id, parent_id=root.span_id, inputs="x" * 200).end()
    assert (0 < client.stats().held < 20, balanced(client)) == (True, True)


def on_disk(make_client: Any, folder: Path, **more: Any) -> Client:
    """A client with a journal on disk that holds."""
    client: Client = make_client(journal={"directory": str(folder)}, stages=["tail"], **more)
    return client


def test_a_process_that_dies_leaves_what_it_held_to_the_next_one(make_client, delivered, tmp_path):
    """Whose stage decides about it: kept spans are delivered as they ended, dropped ones are not, open ones are unfinished."""
    first = on_disk(make_client, tmp_path / "spans")
    for names in (("error", "noise"), ("fine",)):
        root = first.start_trace("root", trace_id=f"order-{names[0]}")
        for name in names:
            first.start_span(name, trace_id=root.trace_id, parent_id=root.span_id, attributes={"n": 1}).end()
    with first._accounts.lock:
        assert (first.stats().held, first._parts.deliveries["memory"].queued) == (3, 0)
    crash(first)
    second = on_disk(make_client, tmp_path / "spans")
    until(lambda: second.stats().journal.looked)
    found = sorted((r.name, r.end_cause, r.trace_state) for r in delivered(second))
    assert found == [("error", "finished", "ot=th:0"), ("root", "unfinished", ""), ("root", "unfinished", "")]
    assert (balanced(second), list((tmp_path / "spans").glob("0*/*.seg"))) == (True, [])


def test_without_the_stage_the_next_process_delivers_what_was_held(make_client, delivered, tmp_path):
    """Nothing is lost because a configuration has changed."""
    first = on_disk(make_client, tmp_path / "spans")
    root = first.start_trace("root")
    first.start_span("noise", trace_id=root.trace_id, parent_id=root.span_id).end()
    crash(first)
    second = make_client(journal={"directory": str(tmp_path / "spans")})
    until(lambda: second.stats().journal.looked)
    assert sorted((r.name, r.end_cause) for r in delivered(second)) == [("noise", "finished"), ("root", "unfinished")]


def test_what_was_decided_does_not_come_back(make_client, delivered, tmp_path):
    """Neither what was dropped nor what was delivered, however the process ends."""
    first = on_disk(make_client, tmp_path / "spans")
    trace(first, "fine")
    trace(first, "error", "noise")
    assert [r.name for r in delivered(first)] == ["error", "root"]
    crash(first)
    second = on_disk(make_client, tmp_path / "spans")
    until(lambda: second.stats().journal.looked)
    assert delivered(second) == []


def test_held_spans_outlive_the_segments_they_were_written_in(make_client, delivered, tmp_path):
    """A long hold does not keep the disk from being given back, and loses nothing."""
    first = make_client(journal={"directory": str(tmp_path / "spans"), "max_bytes": "1MiB"}, stages=["tail"])
    root = first.start_trace("root", trace_id="held")
    for _ in range(20):
        first.start_span("error", trace_id="held", parent_id=root.span_id).end()
    for _ in range(300):
        trace(first, "error", inputs="x" * 4_000)
        assert first.flush(60)
    assert first.stats().adapters["memory"].exported == 600
    crash(first)
    second = on_disk(make_client, tmp_path / "spans")
    until(lambda: second.stats().journal.looked)
    names = sorted(r.name for r in delivered(second))
    assert names == ["error"] * 20 + ["root"]


def test_a_secret_is_masked_on_the_disk_while_its_span_is_held(make_client, tmp_path):
    """Nothing unredacted is written, whoever decides later."""
    client = on_disk(make_client, tmp_path / "spans")
    root = client.start_trace("root")
    child = client.start_span("x", trace_id=root.trace_id, parent_id=root.span_id, attributes={"password": "hunter2"})
    child.end()
    written = b"".join(path.read_bytes() for path in (tmp_path / "spans").glob("*/*.seg"))
    assert (b"hunter2" in written, b"[redacted]" in written) == (False, True)


# ---------------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (["tenht"], 'stages[0].tenht: unknown stage "tenht"; did you mean "tenth"?'),
        ([{"mark": {"wrod": "x"}}], 'stages[0].mark.wrod: unknown key "wrod" in stages[0].mark; did you mean "word"?'),
        ([{"mark": {"on_error": "explode"}}], "stages[0].mark.on_error must be one of pass, hold_back"),
        (["mark", "mark"], 'stages[1]: there are two stages "mark"; name the second one, such as `mark/second`'),
        ({"mark": None}, "stages must be a list"),
        ([{"mark": None, "tenth": None}], "stages[0] must be one stage"),
        ([3], "stages[0] must be one stage"),
        (["missing"], 'stage "missing" of strangers cannot be imported from support.stages:Missing'),
        (
            ["naked"],
            'stage "naked" (pathlib:Path) lacks an Options class derived from tracebridge.plugins.stage.StageOptions: give it one',
        ),
    ],
)
def test_what_is_wrong_with_a_stage_is_said_where_it_stands(stages, words):
    """With its place, and what was meant."""
    with pytest.raises(ConfigError) as caught:
        Client(config={"adapters": {"memory": {}}, "stages": stages})
    assert words in str(caught.value)


def test_a_stage_that_cannot_be_built_is_named(make_client):
    """The client does not start without it."""
    with pytest.raises(ConfigError, match='stage "unbuildable" cannot be built: RuntimeError: no dice'):
        make_client(stages=["unbuildable"])


def test_two_stages_that_hold_are_refused(make_client):
    """Nobody could say what becomes of a span that both hold."""
    with pytest.raises(ConfigError, match="only one stage may hold spans; tail and impatient do"):
        make_client(stages=["tail", "impatient"])


def test_a_file_names_stages_and_shows_them_in_effect(tmp_path, monkeypatch, capsys):
    """`validate --print-effective` prints them with every option."""
    path = tmp_path / "bridge.yaml"
    path.write_text("adapters: {memory: {}}\nstages:\n  - mark: {word: hello}\n  - tenth\n")
    monkeypatch.setattr(sys, "argv", ["tracebridge", "validate", str(path), "--print-effective", "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    values = json.loads(capsys.readouterr().out)
    assert "mark" in json.dumps(values)


def test_a_stage_that_does_not_return_is_named(make_client, monkeypatch, caplog):
    """Nothing can stop it, but the log says who it is that everybody waits for."""
    monkeypatch.setattr(stage, "STUCK_S", 0.0)
    client = make_client(stages=["mark"])
    client._stages._inside[1] = "mark", time.monotonic() - 11
    client._decide_due()
    client._decide_due()
    said = [record.getMessage() for record in caplog.records]
    assert said == ['stage "mark" has not returned for 11 s; the thread that ended a span waits for it']
    client._stages._inside.clear()


def test_a_client_without_stages_loads_none_of_them():
    """Who has no stages pays for none."""
    code = (
        "import tracebridge, sys; tracebridge.Client(config={'adapters': {'memory': {}}}).close(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "support.stages" not in done.stdout.split()
