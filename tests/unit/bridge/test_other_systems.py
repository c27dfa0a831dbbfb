"""What holds on Windows and macOS, tried in processes that lack what those systems lack; on a machine of theirs, really."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from support.anywhere import COMMANDS

TESTS = Path(__file__).parents[2]
SYSTEMS = ["windows", "macos"] if sys.platform == "linux" else ["here"]
WITHOUT_LOCKS = (
    f"this system ({sys.platform}) has no locks on files (flock), which tell a living process from a dead one, "
    "so no journal can be on its disk; leave the key out, and spans wait in memory"
)
ON_A_JOURNAL = {"stats", "drain", "dead", "journal"}


def has_journals(system: str) -> bool:
    """Whether files can be locked there."""
    return system != "windows" and sys.platform != "win32"


def anywhere(folder: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `support.anywhere`, with an engine of open spans of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TRACE")},
        "PYTHONPATH": str(TESTS),
        "TRACEBRIDGE_OPEN_SPANS": str(Path(folder) / "open-spans"),
    }
    command = [sys.executable, "-m", "support.anywhere", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)


@functools.cache
def came_of(system: str) -> Any:
    """Return what came of each part there. Once: a process that has imported everything is not cheap."""
    with tempfile.TemporaryDirectory() as folder:
        done = anywhere(folder, "all", system)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_can_be_imported(system):
    """Whatever it would use there."""
    assert came_of(system)["modules"] == {}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_kind_of_destination_gets_its_spans(system):
    """From two threads and a shared span, over HTTP and UDP, into files, a database and a terminal; line ends stay as they are."""
    names = ("memory", "store", "log", "console", "otlp_file", "zipkin_file", "otlp_http", "zipkin", "jaeger_thrift")
    assert came_of(system)["destinations"] == {"counts": dict.fromkeys(names, 3), "lines": 3, "carriage returns": 0}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_damaged_store_is_set_aside(system):
    """Windows moves nothing that is open."""
    assert came_of(system)["damaged_store"] == {"aside": 1, "read back": "checkout"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_sigterm_delivers_first(system):
    """On Windows only the process itself can send it."""
    assert came_of(system)["terminated"] == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_journal_on_disk_survives_a_kill_or_is_refused(system):
    """Where files cannot be locked, it could not be told what a living process still writes."""
    assert came_of(system)["journal"] == (1 if has_journals(system) else f"journal.directory: {WITHOUT_LOCKS}")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("line", COMMANDS)
def test_commands_work_or_say_that_there_are_no_journals(system, line):
    """Rather than that a journal from elsewhere is empty; `validate` warns, because the file may be for another machine."""
    told = "" if has_journals(system) else WITHOUT_LOCKS
    command = line.split()[0]
    code, said = came_of(system)["commands"][line]
    if line == "validate otlp.yaml" and told:
        assert (code, f"otlp.yaml:1:22: {told} [not-installed]" in said.splitlines()) == (0, True), said
    elif command in ON_A_JOURNAL and told:
        assert (code, told in " ".join(said.split())) == (1 if command != "drain" else code, True), said
    else:
        assert code == 0, said


@pytest.mark.parametrize(
    ("system", "arguments", "code"),
    [
        *((system, [sys.executable, "-c", "raise SystemExit(3)"], 3) for system in SYSTEMS),
        (SYSTEMS[0], ["a-command-that-is-not-there"], 127),
    ],
)
def test_exec_is_as_if_it_were_not_there(system, arguments, code, tmp_path):
    """With the command's exit code, however the system starts commands."""
    done = anywhere(tmp_path, "exec", system, *arguments)
    assert done.returncode == code, done.stderr
