"""One workload process, seen from outside."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.faults.plan import Plan

ROOT = Path(__file__).parents[2]
START_S = 180.0  # longest that starting, importing and ending may take on a busy machine

DYING_S = 10.0  # how long a stuck one is given to say where it stands


class Stuck(Exception):
    """A workload did not end within its time; the message holds the end of its log, with where each of its threads stood."""


class Life:
    """Starts the process at once; `ready()` returns when it is about to build its client."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.plan = plan
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [plan.python or sys.executable, "-W", "ignore", "-m", "benchmarks.faults.workload", plan.to_json()],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out,
            )  # fmt: skip

    def ready(self) -> None:
        """Wait until it says so. Raises Stuck when it dies before."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            self.kill()
            raise Stuck(self._tail())

    def kill(self) -> None:
        """`kill -9`, and no mercy."""
        self._process.kill()
        self._reap()

    def terminate(self, timeout_s: float) -> None:
        """SIGTERM, and wait for the end."""
        self._process.send_signal(signal.SIGTERM)
        self._wait(timeout_s)

    def stop(self, timeout_s: float) -> dict[str, Any]:
        """Tell it to end in peace, and return its report."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.finish(timeout_s)

    def finish(self, timeout_s: float) -> dict[str, Any]:
        """Wait until it has ended, and return its report. Raises Stuck when it does not, or not well."""
        self._wait(timeout_s)
        if self._process.returncode:
            raise Stuck(self._tail())
        path = Path(self.plan.report)
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self._process.pid

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def _wait(self, timeout_s: float) -> None:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # on which it says where each thread stands
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(DYING_S)
            self.kill()
            raise Stuck(f"{self._tail()}\ndid not end within {timeout_s:g} s") from None
        self._reap()

    def _reap(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]
