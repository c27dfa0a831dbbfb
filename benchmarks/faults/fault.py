"""What a fault is to the harness, how large it is, and which promises it puts to the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.count import Row
from benchmarks.faults.receiver import MAIN
from benchmarks.faults.run import Run
from benchmarks.faults.subjects import Kind

LONGEST_CALL_MS = 1000.0  # no call of ours may take longer, whatever is ill; generous, because the machine may be busy
OURS_ONLY = "it is about an option of tracebridge"


def is_ours(kind: Kind) -> bool:
    """Whether this is tracebridge."""
    return kind.ours


def is_library(kind: Kind) -> bool:
    """Whether this is a library in the process that traces, and no Collector beside it."""
    return kind.protocol != "relay"


def is_any(kind: Kind) -> bool:
    """Whether this is anything."""
    return True


@dataclass(frozen=True)
class Scale:
    """How much of each fault."""

    kills: int
    """Processes that are killed, with a journal on disk."""
    ends: int
    """Processes that end by `os._exit` or SIGTERM."""
    children: int
    """Forked children."""
    seconds: float
    """How long a server is ill, or a disk full."""
    outage_s: float
    """How long the server of the long outage is down."""
    damages: int
    """Places that are damaged."""
    rate: float = 1000.0
    """Spans a second."""
    kill_rate: float = 2000.0
    """Spans a second of a process that is going to be killed."""


SHORT = Scale(kills=12, ends=3, children=6, seconds=1.5, outage_s=4, damages=12)
LONG = Scale(kills=300, ends=20, children=40, seconds=15, outage_s=600, damages=200)


@dataclass(frozen=True)
class Fault:
    """One fault. `act` does it to a Run and returns when everything that will arrive has arrived."""

    name: str
    title: str
    act: Callable[[Run, Scale], None]
    takes: Callable[[Kind], bool] = is_library
    """Who can take part."""
    why_not: str = "it is about libraries"
    """Why others cannot."""
    in_memory_loses: bool = False
    """What is only in memory is gone: promised to nobody."""
    policy_loses: bool = False
    """More than fits has to be kept: the last destination, which lags, has to lose, or the fault did not bite; no other may."""
    second_copies: bool = False
    """The network cannot tell which answers arrived: second copies are not judged."""
    counts: bool = True
    """Whether every process lives to tell what it counted."""
    longest_call_ms: float = LONGEST_CALL_MS
    destinations: tuple[str, ...] = (MAIN,)

    def judge(self, row: Row, run: Run) -> list[str]:
        """Return which of tracebridge's promises a row breaks."""
        broken = list(run.complaints)
        if row.invented:
            broken.append(f"{row.invented} spans were invented")
        if row.wrong:
            broken.append(f"{row.wrong} spans or traces are wrong")
        if row.unbalanced:
            broken.append(f"the counters contradict each other: {', '.join(row.unbalanced)}")
        if row.unexplained and not self.second_copies:
            broken.append(f"{row.unexplained} second copies of spans that were not in flight")
        if row.slowest_ms > self.longest_call_ms:
            broken.append(f"a call took {row.slowest_ms:.0f} ms")
        if row.acknowledged == 0:
            broken.append("nothing was traced")
        if row.lost and not self.policy_loses and (run.kind.durable or not self.in_memory_loses):
            broken.append(f"{row.lost} spans were lost")
        if self.counts and row.told != row.lost + row.excused:
            broken.append(f"{row.lost + row.excused} spans did not arrive, {row.told} were counted")
        if self.policy_loses:
            lagging = row.destination == self.destinations[-1]
            if lagging and not row.lost:
                broken.append("nothing had to be dropped: the fault did not bite")
            if row.lost and not lagging:
                broken.append(f"{row.lost} spans were lost that another destination lagged behind with")
        return broken
