"""The command that runs the tests on every Python: what it finds, what it installs, what it tells."""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support import pythons
from support.lowest import PYPROJECT, lowest

THIS = pythons.Python(sys.executable, sys.version_info[:3], not getattr(sys, "_is_gil_enabled", lambda: True)())


def test_it_finds_those_that_run_and_leaves_out_the_others(tmp_path: Path) -> None:
    """A shim for what is not installed, a path that leads nowhere, and the same version twice."""
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert pythons.found([str(shim), str(tmp_path / "python3.98"), sys.executable, sys.executable]) == [THIS]


def test_each_python_has_its_ways() -> None:
    """The lowest versions where they are asked for; the tests of threads once more where threads can be told to inherit."""
    old, new, unlocked = (
        pythons.Python("p", version, lock)
        for version, lock in (((3, 11, 7), False), ((3, 14, 1), False), ((3, 14, 1), True))
    )
    inheriting = ("-X", "thread_inherit_context=1")
    assert [(way.name, way.options) for way in pythons.ways([old, new, unlocked], [old])] == [
        ("3.11.7, lowest versions", ()),
        ("3.11.7", ()),
        ("3.14.1", ()),
        ("3.14.1, `-X thread_inherit_context=1`", inheriting),
        ("3.14.1, free-threaded", ()),
    ]


def test_a_part_is_counted_and_one_that_breaks_is_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """By real processes; what they printed is shown when they fail."""
    part = "tests/unit/bridge/spans/test_closed_doors.py"
    counts = pythons._part(Path(sys.executable), part, ())
    assert (list(counts), counts["passed"] > 1) == (["passed"], True)
    assert pythons._part(Path(sys.executable), part, ("-c", "raise SystemExit('broken')")) == {"failed": 1}


def test_what_has_run_is_not_run_again(tmp_path: Path) -> None:
    """A run that was stopped goes on with the next part."""
    folder = tmp_path / f"newest-{THIS.name}"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/bin/false")
    (folder / "complete").touch()
    (tmp_path / "results.json").write_text('{"way": {"one": {"passed": 7, "skipped": 1}}}')
    way = pythons.Way("way", THIS, ("one", "tests/unit/bridge/spans/test_closed_doors.py"))
    assert pythons.run(way, tmp_path) == Counter(passed=7, skipped=1, failed=1)


def test_the_table_tells_what_came_out() -> None:
    """Whole numbers, and what broke is among what failed."""
    rows = [("3.11.7", Counter(passed=4_567, skipped=2)), ("3.14.1", Counter(passed=1, failed=2, error=3))]
    assert pythons.table(rows) == (
        "| Python | passed | skipped | failed |\n|---|---|---|---|\n| 3.11.7 | 4,567 | 2 | none |\n| 3.14.1 | 1 | 0 | 5 |"
    )


def test_no_row_of_the_page_has_a_failure_and_each_python_is_one_that_the_package_names() -> None:
    """What has been run, and not yet all that there is."""
    page = pythons.PAGE.read_text("utf-8")
    table = page[page.index(pythons.BEGIN) : page.index(pythons.END)]
    rows = re.findall(r"^\| (3\.\d+)\.\d+(.*?) \| [\d,]+ \| \d+ \| (\w+) \|$", table, re.MULTILINE)
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    named = {line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d", line)}
    assert {version for version, _, _ in rows} - named == set()
    assert {failed for _, _, failed in rows} <= {"none"}


def test_the_lowest_version_of_each_library_is_what_its_bound_says() -> None:
    """Of the package, of its extras, and of what tests need; with the marker that the bound has."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    bounds = [Requirement(line) for line in [*project["dependencies"], *project["optional-dependencies"]["grpc"]]]
    expected = {f"{each.name}{each.specifier}".replace(">=", "==") for each in bounds}
    lines = list(lowest())
    assert expected - {line.partition(";")[0] for line in lines} == set()
    assert [line for line in lines if "==" not in line] == []
    assert 'msgspec==0.21; implementation_name == "cpython"' in lines


def test_a_library_without_one_lower_bound_is_refused(tmp_path: Path) -> None:
    """The lowest version would be anybody's guess."""
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\nname = "x"\ndependencies = ["click<9"]\n[project.optional-dependencies]\ntest = []\n'
    )
    with pytest.raises(ValueError, match=r"click<9: give one lower bound, click>=…"):
        list(lowest(project))
