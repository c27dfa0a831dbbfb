"""The process that is put to the test: it traces numbered spans and writes down which end calls returned.

    python -m benchmarks.faults.workload PLAN      (started by the harness; PLAN is JSON)

It says `ready` when everything is imported and nothing has begun, and traces until its time is up, its standard input is closed,
or it is killed.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import logging
import os
import select
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.ledger import Ledger
from benchmarks.faults.plan import Plan
from benchmarks.faults.spans import IN_A_TRACE
from benchmarks.faults.subjects import SUBJECTS, Subject

SPANS_A_CHILD = 200  # how many spans a forked child traces
_WARM_UP = 1.0  # seconds in which one-time costs (first imports, connections) do not count as slow calls, unless they are longer


class Worker:
    """One thread's work: trace after trace, at a rate."""

    def __init__(self, subject: Subject, ledger: Ledger, stop: threading.Event) -> None:
        self._subject = subject
        self._ledger = ledger
        self._stop = stop
        self.slowest_s = 0.0
        """The longest that one call took."""

    def run(self, numbers: range, rate: float) -> None:
        """Trace these numbers, `rate` spans a second, until told to stop."""
        begun = time.perf_counter()
        for done, first in enumerate(numbers):
            if self._stop.is_set():
                return
            due = begun + (done + 1) * IN_A_TRACE / rate
            self.trace(first, due, measured=time.perf_counter() - begun > _WARM_UP)

    def trace(self, first: int, due: float = 0.0, measured: bool = False) -> None:
        """Trace one trace: the root around its nine children, with the waiting until `due` in its middle."""
        ledger, subject, now = self._ledger, self._subject, time.perf_counter
        slowest = 0.0
        ledger.started(first)
        root = subject.start(first, None)
        for number in range(first + 1, first + IN_A_TRACE):
            ledger.started(number)
            before = now()
            span = subject.start(number, root)
            between = now()
            subject.end(span)
            after = now()
            ledger.acknowledged(number)
            slowest = max(slowest, between - before, after - between)
            if number == first + IN_A_TRACE // 2 and due > after:
                self._stop.wait(due - after)
        before = now()
        subject.end(root)
        slowest = max(slowest, now() - before)
        ledger.acknowledged(first)
        if measured or slowest > _WARM_UP:
            self.slowest_s = max(self.slowest_s, slowest)


def _fork_children(plan: Plan, subject: Subject, ledger: Ledger, stop: threading.Event) -> None:
    """Fork in the middle of a trace, again and again; each child traces its share and ends as celery's workers do."""
    first = plan.first
    for _ in range(plan.children):
        ledger.started(first)
        root = subject.start(first, None)
        pid = os.fork()
        if pid == 0:
            worker = Worker(subject, ledger, stop)
            for start in range(first + IN_A_TRACE, first + IN_A_TRACE + SPANS_A_CHILD, IN_A_TRACE):
                worker.trace(start)
            os._exit(0)
        for number in range(first + 1, first + IN_A_TRACE):
            ledger.started(number)
            subject.end(subject.start(number, root))
            ledger.acknowledged(number)
        subject.end(root)
        ledger.acknowledged(first)
        os.waitpid(pid, 0)
        first += IN_A_TRACE + SPANS_A_CHILD


def _wait(seconds: float) -> None:
    """Wait so long, or until the harness closes standard input."""
    select.select([sys.stdin], [], [], seconds or None)


def main() -> None:
    """Live one life."""
    faulthandler.enable()  # whoever is stuck is told to abort, and says where it stands
    plan = Plan.from_json(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    ledger = Ledger(Path(plan.ledger))
    kind = SUBJECTS[plan.subject]
    for module in kind.imports:
        try:
            importlib.import_module(module)
        except ImportError:
            if not plan.python:  # another version may have it elsewhere
                raise
    early = kind.make(plan) if kind.starts_early else None
    print("ready", flush=True)
    subject = early or kind.make(plan)
    stop = threading.Event()
    workers = []
    threads = []
    of_children = plan.children * (IN_A_TRACE + SPANS_A_CHILD)
    if plan.rate:
        step = plan.threads * IN_A_TRACE
        for index in range(plan.threads):
            worker = Worker(subject, ledger, stop)
            numbers = range(plan.first + of_children + index * IN_A_TRACE, plan.first + plan.numbers, step)
            threads.append(threading.Thread(target=worker.run, args=(numbers, plan.rate / plan.threads), daemon=True))
            workers.append(worker)
        for thread in threads:
            thread.start()
        if plan.children:
            _fork_children(plan, subject, ledger, stop)
        else:
            _wait(plan.seconds)
        if plan.ending == "exit":
            os._exit(0)
        stop.set()
        for thread in threads:
            thread.join()
    ours: Any = subject  # what is asked of ours alone
    if plan.ending == "drain":
        ours.drain()
    subject.close()
    report = {
        "slowest_ms": max((worker.slowest_s for worker in workers), default=0.0) * 1e3,
        "told": subject.told(),
        "unbalanced": ours.unbalanced() if kind.ours else [],
    }
    Path(plan.report).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
