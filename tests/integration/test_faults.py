"""The fault harness in short: every fault is done for real, and the far end counts. `python -m benchmarks.faults` is the long one."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from benchmarks.faults import rolling
from benchmarks.faults.count import Row
from benchmarks.faults.disks import NotHere
from benchmarks.faults.fault import Scale
from benchmarks.faults.harness import FAULTS, do, why_not
from benchmarks.faults.report import entry, write
from benchmarks.faults.subjects import SUBJECTS
from benchmarks.faults.table import markdown

from support.backends.cache import REQUIRE, MissingServerError
from support.backends.fetching import collector_binary

ROOT = Path(__file__).parents[2]
A_MOMENT = Scale(kills=10, ends=2, children=4, seconds=0.8, outage_s=2, damages=10, kill_rate=1000)
IN_MEMORY = ("outage", "cut", "400", "413", "partial", "restart", "budget")


AT_ONCE = 3  # mostly they wait

Done = Callable[[str, str], list[Row]]


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest) -> Iterator[Done]:
    """The rows of one fault done to one subject; those that the chosen tests want are under way from the first on.

    Chance can be had again with the seed that a failure shows.
    """
    seed = secrets.token_hex(4)
    params = [
        item.callspec.params
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    absent = _get_a_collector() if any(SUBJECTS[chosen["subject"]].protocol == "relay" for chosen in params) else ""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {
            (chosen["fault"], chosen["subject"]): pool.submit(
                do, FAULTS[chosen["fault"]], chosen["subject"], A_MOMENT, seed
            )
            for chosen in params
        }

        def rows(fault: str, subject: str) -> list[Row]:
            print(f"seed {seed}")
            if absent and SUBJECTS[subject].protocol == "relay":
                pytest.skip(absent)
            try:
                return futures[fault, subject].result()
            except NotHere as error:
                if os.environ.get(REQUIRE):
                    raise
                pytest.skip(str(error))

        yield rows


def _get_a_collector() -> str:
    """Build one where there is none yet; return why this machine cannot have one."""
    try:
        collector_binary()
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            raise
        return str(error)
    return ""


@pytest.mark.parametrize("subject", ["disk"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_journal_on_disk_keeps_every_promise(done, fault, subject):
    """Nothing acknowledged is lost but by a policy, and then counted; nothing is invented or wrong; doubles were in flight."""
    for row in done(fault, subject):
        assert (row.broken, row.examples if row.broken else []) == ([], [])


@pytest.mark.parametrize("subject", ["memory"])
@pytest.mark.parametrize("fault", IN_MEMORY)
def test_a_journal_in_memory_keeps_every_promise_while_its_process_lives(done, fault, subject):
    """The same, for what does not kill the process."""
    for row in done(fault, subject):
        assert (row.broken, row.examples if row.broken else []) == ([], [])


@pytest.mark.parametrize(("fault", "subject"), [("exit", "memory"), ("400", "opentelemetry")])
def test_the_harness_sees_a_loss_where_there_is_one(done, fault, subject):
    """What is only in memory dies with its process, and the SDK drops a whole batch for one bad span."""
    assert sum(row.lost for row in done(fault, subject)) > 0


def test_who_cannot_take_part_is_told_why():
    """A fault that needs answers is no fault for UDP; a peer that is not installed is named with its package, a Collector with how to have one."""
    assert why_not(FAULTS["half"], "jaeger-client") == "does not take part: UDP has no answers"
    assert {why_not(FAULTS["calm"], subject) for subject, kind in SUBJECTS.items() if kind.ours} == {""}
    libraries = [kind for kind in SUBJECTS.values() if kind.protocol != "relay"]
    assert all(kind.missing.startswith("pip install ") for kind in libraries if kind.missing)


def test_a_collector_that_this_machine_does_not_have_is_named_with_how_to_have_one(tmp_path, monkeypatch):
    """Where the tests have built none, none is on the path and none was named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TRACEBRIDGE_BACKENDS_CACHE", str(tmp_path))
    monkeypatch.delenv("OTELCOL", raising=False)
    told = why_not(FAULTS["kill"], "collector")
    assert told.startswith("missing: a Collector with file_storage: `python -m support.backends collector`"), told


@pytest.mark.parametrize("fault", ["kill"])
@pytest.mark.parametrize("subject", ["collector", "collector-batch"])
def test_a_real_collector_takes_part(done, fault, subject):
    """Its file_storage keeps what it has taken, killed or not; the harness starts it again on what it left."""
    (row,) = done(fault, subject)
    assert (row.acknowledged > 0, row.invented, row.wrong) == (True, 0, 0)
    if subject == "collector":
        assert row.lost == 0


def test_the_command_prints_a_table_and_writes_json(tmp_path):
    """One fault, one subject, as anybody would run it; the exit status says that every promise was kept."""
    path = tmp_path / "result.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "calm", "--short", "--subjects", "disk", "--seed", "1", "--json", path],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "calm: nothing happens" in done.stdout
    (result,) = json.loads(path.read_text())
    (row,) = result["rows"]
    assert (result["seed"], row["subject"], row["lost"], row["arrived"]) == ("1", "disk", 0, row["acknowledged"])


def test_a_result_file_is_filled_piece_by_piece(tmp_path):
    """One fault's entry replaces its older one and leaves the others, in the harness's own order."""
    path = tmp_path / "result.json"
    for name, seed in (("kill", "1"), ("calm", "2"), ("kill", "3")):
        write(path, entry(FAULTS[name], [], {}, seed, "a command"), list(FAULTS))
    assert [(found["name"], found["seed"]) for found in json.loads(path.read_text())] == [("calm", "2"), ("kill", "3")]


def test_the_page_shows_the_result_that_is_kept():
    """The table on the page is the one that the committed result makes, and tracebridge kept every promise in it."""
    entries = json.loads((ROOT / "benchmarks" / "results" / "faults.json").read_text())
    assert markdown(entries) in (ROOT / "docs" / "reliability.md").read_text()
    assert [row["broken"] for found in entries for row in found["rows"] if row["broken"]] == []
    assert [found["name"] for found in entries] == list(FAULTS)


def test_the_page_shows_what_the_collector_lost():
    """The second table on the page is the one that its own result makes."""
    entries = json.loads((ROOT / "benchmarks" / "results" / "faults-collector.json").read_text())
    assert markdown(entries) in (ROOT / "docs" / "reliability.md").read_text()
    assert {row["subject"] for found in entries for row in found["rows"]} == {"collector", "collector-batch"}


def test_the_page_shows_two_versions_side_by_side():
    """The table on the page of upgrades is the one that its own result makes: nothing lost, each earlier version in each case."""
    entries = json.loads((ROOT / "benchmarks" / "results" / "rolling.json").read_text())
    assert rolling.markdown(entries) in (ROOT / "docs" / "upgrades.md").read_text()
    assert [(one["version"], one["case"]) for one in entries] == [
        (version, case) for version in rolling.WITH_A_JOURNAL for case in rolling.CASES
    ]
    assert [(one["lost"], one["lost_in_store"] or 0, one["broken"]) for one in entries] == [(0, 0, [])] * len(entries)


def test_a_wrong_name_is_refused_with_the_right_ones():
    """Exit status 2, as for any wrong command."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "earthquake"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, "unknown: earthquake; there are calm, kill" in done.stderr) == (2, True)
