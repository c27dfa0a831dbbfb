"""`tracebridge sample`, `id --ratio`, and `replay` with sampling: the same decision, told, counted and carried out."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tracebridge import Client
from tracebridge.cli.main import main

CONFIG = """
sampling:
  ratio: 0.5
  rules: [{match: {name: "GET /health*"}, ratio: 0}]
  keep: {errors: true}
adapters:
  otlp_file: {path: kept.jsonl}
"""


def spans(folder: Path) -> None:
    """A file of 100 orders, 10 with an error, and 20 health checks, two spans each; and the configuration."""
    with Client(config={"adapters": {"otlp_file": {"path": str(folder / "spans.jsonl")}}}) as client:
        for n in range(120):
            with client.trace("order" if n < 100 else "GET /healthz", trace_id=f"t-{n}"):
                client.start_span("work").end(status="ERROR" if n < 100 and n % 10 == 0 else "OK")
    (folder / "bridge.yaml").write_text(CONFIG)


def run(*arguments: str) -> str:
    """What a command prints on standard output."""
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_dry_run_counts_by_what_decides_and_replay_delivers_just_that(tmp_path, monkeypatch):
    """Traces and spans, kept and left out, by the keys of the file."""
    monkeypatch.chdir(tmp_path)
    spans(tmp_path)
    told = json.loads(run("sample", "--config", "bridge.yaml", "--dry-run", "--json", "spans.jsonl"))
    by = {(row["delivered"], row["by"]): (row["traces"], row["spans"]) for row in told}
    kept, dropped = by[True, "ratio"][0], by[False, "ratio"][0]
    assert {
        (True, "keep.errors"): (10, 20),
        (True, "ratio"): (kept, 2 * kept),
        (False, "ratio"): (dropped, 2 * dropped),
        (False, "rules[0]"): (20, 40),
    } == by
    assert (kept + dropped, 25 < kept < 65) == (90, True)
    run("replay", "spans.jsonl", "--config", "bridge.yaml")
    lines = (tmp_path / "kept.jsonl").read_text().splitlines()
    found = [
        s for line in lines for r in json.loads(line)["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]
    ]
    states = [span["traceState"] for span in found]
    assert {"ot=th:0": 20, "ot=th:8": 2 * kept} == {state: states.count(state) for state in states}


def test_the_table_is_for_people(tmp_path, monkeypatch):
    """One row each; a file without spans says so."""
    monkeypatch.chdir(tmp_path)
    spans(tmp_path)
    rows = run("sample", "--config", "bridge.yaml", "--dry-run", "spans.jsonl").splitlines()
    assert rows[0] == "delivered by keep.errors                     10 traces          20 spans"
    (tmp_path / "empty.jsonl").write_text("")
    assert run("sample", "--config", "bridge.yaml", "empty.jsonl") == "no spans were found\n"


def test_an_id_says_how_it_is_drawn():
    """R, T and the decision; an ID that is not random is drawn by its hash."""
    told = json.loads(run("id", "4bf92f3577b34da6a3ff929d0e0e4736", "--ratio", "10%", "--json"))
    assert told["sampling"] == {
        "randomness": "ff929d0e0e4736",
        "drawn_by": "the ID's last 14 digits",
        "threshold": "e6666666666666",
        "kept": True,
    }
    lines = run("id", "42", "--scheme", "decimal", "--ratio", "0").splitlines()
    assert [line.split(None, 1)[1] for line in lines[-2:]] == ["none: nothing is kept", "left out"]
    assert "told as rv" in lines[-3]
    assert CliRunner().invoke(main, ["id", "42", "--ratio", "1/3"]).exit_code == 2
