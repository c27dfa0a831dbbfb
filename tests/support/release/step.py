"""What steps are made of: how they fail, and how they run other programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
LAST_LINES = 15  # of a program that failed


class FailedError(Exception):
    """The release is not as it should be. `str()` is a line for each problem."""

    def __init__(self, problems: Sequence[str]):
        super().__init__("\n".join(problems))


class NotDoneError(Exception):
    """The step cannot be done on this machine; it is told of, and the others go on."""


def require(problems: Sequence[str]) -> None:
    """Raise FailedError when there are any."""
    if problems:
        raise FailedError(problems)


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, codes: tuple[int, ...] = (0,)
) -> str:
    """Run a program and return what it printed. Raises FailedError, with its last lines, when it ends with another code."""
    environment = {**os.environ, **(env or {})}
    environment.pop("PYTHONPATH", None)  # what is installed is to be used
    arguments = [str(each) for each in command]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, cwd=cwd, env=environment)
    if done.returncode not in codes:
        said = (done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:]
        raise FailedError([f"{' '.join(arguments)}: exit code {done.returncode}", *(f"  {line}" for line in said)])
    return done.stdout
