"""`cd tests && python -m support.pythons [PYTHON …]`: the unit tests on every Python that is there.

Those on the PATH and pyenv's and uv's, or those that are named. Each has a virtual environment of its own with what `.[test]` brings. On the oldest
Python the lowest versions of everything have their turn too; where threads can inherit contexts, so do the tests of threads with `-X
thread_inherit_context=1`. The lowest versions run with the Python code alone, the others with the native module. Each part of the tests is a process of its own, and what came out is kept in `--work`: a run that was stopped
goes on from there. `--write` makes the table of docs/pythons.md of it. The exit code is 1 when any test failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support.lowest import lowest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "pythons.md"
OLDEST = (3, 11)
BEGIN, END = "<!-- made by support.pythons -->", "<!-- end -->"
UNIT = (
    "tests/unit/adapters",
    *sorted(str(each.relative_to(ROOT)) for each in (ROOT / "tests/unit/bridge").iterdir() if any(each.glob("*.py"))),
    "tests/unit/bridge/test_*.py",
)
THREADS = (
    "tests/unit/bridge/spans",
    "tests/unit/bridge/otel",
    "tests/unit/bridge/logs",
    "tests/unit/bridge/process",
    "tests/property/test_encoder_sees_snapshots.py",
)
"""The tests of what is current in which thread: all that a context which threads inherit can change."""

_ABOUT = """
import json, sys
unlocked = not getattr(sys, "_is_gil_enabled", lambda: True)()
print(json.dumps([list(sys.version_info[:3]), sys.implementation.name, unlocked]))
"""
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed)")


class Python(NamedTuple):
    """One interpreter."""

    path: str
    version: tuple[int, ...]
    unlocked: bool
    """Whether it runs without a global interpreter lock."""

    @property
    def name(self) -> str:
        """As the table shows it."""
        version = ".".join(map(str, self.version))
        return f"{version}, free-threaded" if self.unlocked else version


class Way(NamedTuple):
    """One way to run on one interpreter: a row of the table."""

    name: str
    python: Python
    tests: tuple[str, ...] = UNIT
    constraints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def found(paths: Iterable[str]) -> list[Python]:
    """Return those of these that are CPythons which the package supports, oldest first; of each minor version the newest."""
    newest: dict[tuple[Any, ...], Python] = {}
    for path in paths:
        try:
            asked = subprocess.run([path, "-c", _ABOUT], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError):  # such as a version manager's shim for what is not installed
            continue
        version, implementation, unlocked = json.loads(asked.stdout)
        python = Python(path, tuple(version), unlocked)
        key = python.version[:2], unlocked
        if (
            implementation == "cpython"
            and python.version >= OLDEST
            and (key not in newest or python.version > newest[key].version)
        ):
            newest[key] = python
    return [newest[key] for key in sorted(newest)]


def on_this_machine() -> Iterator[str]:
    """Yield what may be a Python: on the PATH, pyenv's and uv's."""
    for folder in os.get_exec_path():
        yield from map(str, sorted(Path(folder).glob("python3.[0-9][0-9]")))
        yield from map(str, sorted(Path(folder).glob("python3.[0-9][0-9]t")))
    for versions in (".pyenv/versions", ".local/share/uv/python"):
        yield from map(str, sorted(Path.home().glob(f"{versions}/*/bin/python3")))


def ways(pythons: Iterable[Python], for_lowest: Iterable[Python]) -> Iterator[Way]:
    """Yield the ways to run on these."""
    for python in for_lowest:
        yield Way(f"{python.name}, lowest versions", python, constraints=tuple(lowest()))
    for python in pythons:
        yield Way(python.name, python)
        if python.version >= (3, 14) and not python.unlocked:  # without a lock it is the default
            name = f"{python.name}, `-X thread_inherit_context=1`"
            yield Way(name, python, THREADS, options=("-X", "thread_inherit_context=1"))


def run(way: Way, work: Path) -> Counter[str]:
    """Run the parts that have not run yet, and return how many tests passed, failed, were skipped and broke in all."""
    kind = "lowest" if way.constraints else "newest"
    folder = work / f"{kind}-{way.python.name.replace(', ', '-')}"
    results = work / "results.json"
    kept: dict[str, dict[str, dict[str, int]]] = json.loads(results.read_text()) if results.exists() else {}
    parts = kept.setdefault(way.name, {})
    for part in way.tests:
        if part not in parts:
            parts[part] = _part(_environment(folder, way), part, way.options, python_code_only=bool(way.constraints))
            results.write_text(json.dumps(kept, indent=1))
    return sum((Counter(parts[part]) for part in way.tests), Counter())


def _environment(folder: Path, way: Way) -> Path:
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    subprocess.run([way.python.path, "-m", "venv", folder], check=True)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(way.constraints))
    install: list[str | Path] = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "-c", constraints, "-e", f"{ROOT}[test]"], check=True)
    (folder / "complete").touch()
    return python


def _part(python: Path, part: str, options: tuple[str, ...], *, python_code_only: bool = False) -> dict[str, int]:
    files = sorted(map(str, ROOT.glob(part)))
    command = [str(python), *options, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    variables = {**os.environ, "TRACEBRIDGE_NATIVE": "0"} if python_code_only else None
    done = subprocess.run(command, check=False, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines() or [""]
    counts = {kind.rstrip("s") if kind == "errors" else kind: int(count) for count, kind in _COUNT.findall(lines[-1])}
    if done.returncode:
        print(done.stdout, flush=True)
        counts["failed"] = counts.get("failed", 0) or 1  # it may have broken before it could count
    return counts


def table(rows: Iterable[tuple[str, Counter[str]]]) -> str:
    """Return the table as Markdown."""
    lines = ["| Python | passed | skipped | failed |", "|---|---|---|---|"]
    for name, counts in rows:
        failed = counts["failed"] + counts["error"]
        lines.append(f"| {name} | {counts['passed']:,} | {counts['skipped']:,} | {failed or 'none'} |")
    return "\n".join(lines)


def main() -> int:
    """Run, and show or write the table."""
    parser = argparse.ArgumentParser(prog="python -m support.pythons", description=__doc__)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="default: all that are there")
    parser.add_argument(
        "--lowest",
        metavar="PYTHON",
        help="run the lowest versions on this one (default: on 3.11, unless others are named)",
    )
    parser.add_argument(
        "--work", type=Path, help="where environments and results are kept (default: a folder that is deleted)"
    )
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    if arguments.pythons or arguments.lowest:
        pythons, for_lowest = found(arguments.pythons), found(filter(None, [arguments.lowest]))
    else:
        pythons = found(on_this_machine())
        for_lowest = [each for each in pythons if each.version[:2] == OLDEST and not each.unlocked]
    if not pythons and not for_lowest:
        parser.error("there is no CPython of 3.11 or newer")
    with tempfile.TemporaryDirectory() as deleted:
        work = arguments.work or Path(deleted)
        work.mkdir(parents=True, exist_ok=True)
        rows = []
        for way in ways(pythons, for_lowest):
            print(f"== Python {way.name}", flush=True)
            rows.append((way.name, run(way, work.resolve())))
    shown = table(rows)
    print(shown)
    if arguments.write:
        page = PAGE.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{shown}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return int(any(counts["failed"] or counts["error"] for _, counts in rows))


if __name__ == "__main__":
    sys.exit(main())
