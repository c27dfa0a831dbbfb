"""Fresh environments, made of the built files alone, in which the commands and a program run as a user's would."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from support.pythons import Python, found, on_this_machine
from support.release import program
from support.release.step import ROOT, NotDoneError, require, run

FOR_DEVELOPERS = {"bench", "dev", "docs", "release", "test"}
"""Extras that no user of the library needs."""
PLAIN = ""


def extras() -> list[str]:
    """Return the extras that users install, `PLAIN` first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [PLAIN, *sorted(project["optional-dependencies"].keys() - FOR_DEVELOPERS)]


def pythons(named: list[str]) -> list[Python]:
    """Return the oldest and the newest of the Pythons that are there, or those that are named."""
    there = [each for each in found(named or on_this_machine()) if named or not each.unlocked]
    if not there:
        raise NotDoneError("there is no CPython of a supported version")
    return there if named else list(dict.fromkeys([there[0], there[-1]]))


def environments(wheel: Path, work: Path, wanted: list[Python]) -> Iterator[tuple[Python, str, Path]]:
    """Make an environment for each Python and extra; yield its Python once everything has run in it."""
    missing = [extra for extra in extras() if extra not in program.PROGRAMS]
    require([f"tests/support/release/program.py has nothing to try the extra {extra} with" for extra in missing])
    for python in wanted:
        for extra in extras():
            folder = work / f"{python.name.replace(', ', '-')}-{extra or 'plain'}"
            yield python, extra, tried(wheel, python.path, extra, folder)


def tried(distribution: Path, python: str, extra: str, folder: Path) -> Path:
    """Install a wheel or an sdist into a new environment and use it there; return the environment's Python."""
    inside, home = folder / "environment", folder / "home"
    home.mkdir(parents=True)
    run(python, "-m", "venv", "--without-pip", inside)
    fresh = inside / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", fresh]
    requirement = f"tracebridge[{extra}] @ {distribution.as_uri()}" if extra else str(distribution)
    run(*pip, "install", "-q", requirement, cwd=home)
    run(*pip, "check", cwd=home)
    if not extra:
        run(inside / "bin" / "tracebridge", "demo", cwd=home)
        run(inside / "bin" / "tracebridge", "show", "--help", cwd=home)
    run(fresh, program.__file__, *filter(None, [extra]), cwd=home)
    return fresh
