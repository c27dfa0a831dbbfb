"""One fault on one subject: the receiver, the network, the folder and the lives of the workload, and what came of it."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.agent import Agent
from benchmarks.faults.ledger import Ledger
from benchmarks.faults.life import START_S, Life
from benchmarks.faults.plan import Plan
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.receiver import MAIN, Receiver
from benchmarks.faults.subjects import SUBJECTS

CAPACITY = 32 * 2**20  # numbers in a ledger; the file is sparse
A_LIFE = 40_000  # numbers that a life gets when it does not ask for more
RECOVER_S = (
    300.0  # longest that delivering what is left may take: hundreds of Collectors have to be started again for it
)
QUIET_S = 0.4  # when nothing has come for so long after the last process ended, everything has come


CANCELLED = threading.Event()
"""Set when the person at the keyboard has had enough: every run ends at its next sleep."""


class Interrupted(Exception):
    """The run was cancelled."""


class Run:
    """What a fault works with. A context manager: everything ends with it."""

    def __init__(
        self,
        subject: str,
        seed: str,
        tick: Callable[[float], None] = lambda done: None,
        destinations: tuple[str, ...] = (MAIN,),
    ) -> None:
        self.subject = subject
        self.kind = SUBJECTS[subject]
        self.random = random.Random(f"{seed} {subject}")
        self.tick = tick
        """Called with the share of the work that is done."""
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.directory = self.folder / "spans"
        self.ledger = Ledger(self.folder / "ledger", CAPACITY)
        self.receiver = Receiver(destinations)
        self.proxy = Proxy(self.receiver.port)
        self.agent = Agent() if self.kind.protocol == "udp" else None
        self.destinations = dict.fromkeys(destinations, f"http://127.0.0.1:{self.proxy.port}")
        """Name to base address; through the proxy unless a fault says otherwise."""
        self.in_flight = 0
        """How many requests of one process may have been in flight when it was killed, so that second copies of theirs are explained."""
        self.told: Counter[str] | None = Counter()
        """Spans that the subject itself says it lost, by destination; None when it does not say."""
        self.unbalanced: list[str] = []
        self.slowest_ms = 0.0
        self.options: dict[str, Any] = {}
        """For every Plan of this run."""
        self.excused: set[int] = set()
        """Spans that no sender could deliver: the server refuses them for good, or the fault destroyed their bytes on the disk."""
        self.complaints: list[str] = []
        """What a fault saw go wrong beside the counts."""
        self._lives: list[Life] = []
        self._next = 0

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for life in self._lives:
            if not life.gone:
                life.kill()
        self.proxy.close()
        self.receiver.close()
        if self.agent is not None:
            self.agent.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------------ lives

    def live(self, numbers: int = A_LIFE, **options: Any) -> Life:
        """Start one more process, with numbers of its own; returns once it is about to begin."""
        number = len(self._lives)
        first, self._next = self._next, self._next + numbers
        plan = Plan(
            subject=self.subject,
            ledger=str(self.ledger.path),
            report=str(self.folder / f"report-{number}.json"),
            life=f"life {number}",
            salt=self.folder.name + uuid.uuid4().hex,
            destinations=self.destinations,
            agent_port=self.agent.port if self.agent is not None else 0,
            directory=str(self.directory) if self.kind.durable else "",
            first=first,
            numbers=numbers,
            **{**self.options, **options},
        )
        life = Life(plan, self.folder / "log")
        self._lives.append(life)
        life.ready()
        return life

    def end(self, life: Life) -> None:
        """Let a life close in peace, and note what it tells."""
        self.note(life.stop(life.plan.close_s + START_S))

    def note(self, report: dict[str, Any]) -> None:
        """Take over what a life told at its end."""
        self.slowest_ms = max(self.slowest_ms, report.get("slowest_ms", 0.0))
        self.unbalanced += report.get("unbalanced", [])
        told = report.get("told")
        if told is None or self.told is None:
            self.told = None
        else:
            self.told.update(told)

    def recover(self, close_s: float = RECOVER_S) -> None:
        """Do what an operator would: start the program again, so that it delivers what is left on the disk."""
        if self.kind.durable:
            life = self.live(rate=0, ending="drain", close_s=close_s)
            self.note(life.stop(close_s + START_S))
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way any more; by now every sender has ended."""
        until = time.monotonic() + START_S
        while (self.proxy.busy or self.receiver.busy) and time.monotonic() < until:
            time.sleep(0.02)
        before, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_S:
            time.sleep(0.05)
            if self.arrived_total != before:
                before, since = self.arrived_total, time.monotonic()

    @property
    def arrived_total(self) -> int:
        """How many spans arrived so far anywhere."""
        if self.agent is not None:
            return self.agent.arrivals.total
        return sum(arrivals.total for arrivals in self.receiver.arrivals.values())

    # ------------------------------------------------------------------ the network

    def cut_off(self) -> None:
        """Refuse connections, and reset those that there are."""
        self.proxy.down()
        if self.agent is not None:
            self.agent.down()

    def reconnect(self) -> None:
        """Let the network be well again."""
        self.proxy.up()
        if self.agent is not None:
            self.agent.up()

    # ------------------------------------------------------------------ time

    def sleep(self, seconds: float, done_before: float = 0.0, done_after: float = 1.0) -> None:
        """Sleep, with progress."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            if CANCELLED.is_set():
                raise Interrupted("interrupted")
            self.tick(done_before + (done_after - done_before) * passed / seconds)
            time.sleep(min(0.1, seconds - passed))
        self.tick(done_after)

    @contextlib.contextmanager
    def tracing(self, rate: float, **options: Any) -> Iterator[Life]:
        """A life that traces while the block runs and closes in peace after it."""
        life = self.live(rate=rate, **options)
        yield life
        self.end(life)
