"""The commands that measure, run small: what they measure is real, and what cannot be measured is said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import compare, instructions, ours, realistic
from benchmarks.suite import CASES

ROOT = Path(__file__).parents[2]


def test_the_realistic_cases_come_first() -> None:
    """What applications do stands before what is easy to measure."""
    assert list(CASES)[: len(realistic.CASES)] == [case.name for case in realistic.CASES]


def test_the_realistic_traces_arrive_under_their_own_ids_with_values_of_their_own(make_client) -> None:
    """Ten spans each, and none of the values twice."""
    client = make_client()
    custom_id, values = next(realistic.fresh_traces(10))[0]
    realistic.trace_of_ours(client, custom_id, values)
    assert client.flush(60)
    records = client.adapter("memory").records
    assert {record.custom_trace_id for record in records} == {"order-0"}
    shown = [value for record in records for value in record.attributes.values()]
    assert (len(records), len(set(shown))) == (10, 10 * len(ours.ATTRIBUTES))


def test_two_checkouts_are_compared_by_processes_of_their_own() -> None:
    """A checkout against itself: about the same, from its own code."""
    one, other, ratio = compare.compare(ROOT, ROOT, "spans", 1, 500)
    assert one > 0
    assert other > 0
    assert ratio == other / one


def test_a_folder_without_a_checkout_is_refused(tmp_path: Path) -> None:
    """With the path in the message, before anything is measured."""
    command = [sys.executable, "-m", "benchmarks.compare", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert f"{tmp_path} holds no checkout" in done.stderr


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_callgrind_counts_the_instructions_of_the_thread_that_calls() -> None:
    """More spans take more; nothing is compiled meanwhile, so the rest is the same in both processes."""
    few, many = instructions.instructions("spans", (10, 110))
    assert 10_000 < (many - few) / 100 < 100_000


def test_a_work_that_fails_is_an_error_with_what_it_said() -> None:
    """Before valgrind is started."""
    with pytest.raises(RuntimeError, match="nothing here"):
        instructions.instructions("nothing here", (1,))
