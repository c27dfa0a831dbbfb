"""What a case is and how it is measured: contestants in turn, round after round, in one process.

The primary clock is CPU time, not the wall's: on a shared machine the wall says how busy the neighbours are. What the application
pays is the CPU of the thread that calls (`in_thread`); what the machine pays is the CPU of the whole process until
everything is delivered (`in_process`). Figures depend on the machine, ratios in one run hardly do.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPANS = 5_000  # spans a round
ROOT = Path(__file__).parent.parent

Run = Callable[[], float]
"""One round; returns its figure in the case's unit. It may have a `close` for when the case is over."""
Make = Callable[[], Run]
"""Prepares a contestant. Raises Missing when its library is not here."""


class Missing(Exception):
    """A peer is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Goal:
    """The first contestant's figure is to be at most `ratio` of that of the contestant `of`."""

    ratio: float
    of: str


@dataclass(frozen=True)
class Case:
    """One comparison. Every ratio compares the first contestant with the others."""

    name: str
    contestants: Mapping[str, Make]
    goal: Goal | None = None
    note: str = ""
    unit: str = "µs CPU a span"
    rounds: int | None = None
    """Rounds when one takes long; None is what the command line says."""


@dataclass
class Result:
    """What came out of a case: every round's figure, in order."""

    case: Case
    figures: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def medians(self) -> dict[str, float]:
        """The median of each contestant's rounds."""
        return {name: statistics.median(rounds) for name, rounds in self.figures.items()}

    @property
    def ratios(self) -> dict[str, float]:
        """The first contestant's figure over each other's: the median over the rounds, each a comparison of neighbours in time."""
        first, *others = self.figures
        mine = self.figures[first]
        return {
            name: statistics.median(a / b for a, b in zip(mine, self.figures[name], strict=True))
            for name in others
            if min(mine) > 0 and min(self.figures[name]) > 0
        }

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None without one, or when its peer is missing."""
        goal = self.case.goal
        if goal is None or not self.figures or goal.of not in self.ratios:
            return None
        return self.ratios[goal.of] <= goal.ratio


def measure(case: Case, rounds: int, on_round: Callable[[], object] = lambda: None) -> Result:
    """Run a case's contestants in turn, so that a slow minute hits all of them; the first round warms up and does not count."""
    result = Result(case)
    runs: dict[str, Run] = {}
    for name, make in case.contestants.items():
        try:
            runs[name] = make()
        except Missing as error:
            result.missing[name] = str(error)
    result.figures = {name: [] for name in runs}
    for number in range((case.rounds or rounds) + 1):
        for name, run in runs.items():
            gc.collect()  # nobody pays for another's garbage
            figure = run()
            if number:
                result.figures[name].append(figure)
        on_round()
    for run in runs.values():
        getattr(run, "close", lambda: None)()
    return result


def peer(module: str, package: str) -> Any:
    """Import a peer, or say how to have it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise Missing(f"pip install {package}") from None


def in_thread(one_round: Callable[[], object], count: int = SPANS, settle: Callable[[], object] = lambda: None) -> Run:
    """Return a run that tells the calling thread's CPU, µs for each of `count`; `settle` comes after it, unmeasured."""

    def run() -> float:
        started = time.thread_time_ns()
        one_round()
        spent = time.thread_time_ns() - started
        settle()
        return spent / count / 1e3

    return run


def in_process(one_round: Callable[[], object], count: int = SPANS, settle: Callable[[], object] = lambda: None) -> Run:
    """Return a run that tells the CPU of all threads until `settle` returns, µs for each of `count`."""

    def run() -> float:
        started = time.process_time_ns()
        one_round()
        settle()
        return (time.process_time_ns() - started) / count / 1e3

    return run


@functools.cache
def environment() -> dict[str, str]:
    """What child processes see: compiled modules are kept, as anywhere in production, but in a folder of this run's own."""
    folder = tempfile.mkdtemp(prefix="benchmark-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}


def in_child(function: str, *arguments: Any) -> Any:
    """Call `module:function` in a process of its own and return what it returns (through JSON). Raises Missing as the function does."""
    command = [sys.executable, "-m", "benchmarks.child", function, json.dumps(arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment())
    if done.returncode:
        raise RuntimeError(f"{function}{arguments} failed:\n{done.stderr}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "missing" in answer:
        raise Missing(answer["missing"])
    return answer["value"]


def child(function: str, *arguments: Any) -> Make:
    """Return a contestant each of whose rounds is a process of its own."""

    def make() -> Run:
        in_child(function, *arguments)  # says what is missing before the rounds begin
        return lambda: float(in_child(function, *arguments))

    return make
