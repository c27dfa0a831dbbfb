"""The result: who acknowledged what, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.faults.arrivals import Arrivals
from benchmarks.faults.ledger import UNKNOWN
from benchmarks.faults.run import Run


@dataclass
class Row:
    """One subject's spans under one fault, at one destination."""

    fault: str
    subject: str
    destination: str
    acknowledged: int
    """Spans whose end call returned."""
    arrived: int
    """Of these, how many arrived."""
    excused: int
    """Of the others, how many no sender could deliver: refused for good, or destroyed on the disk."""
    lost: int
    """The rest."""
    told: int | None
    """How many spans the library itself says were lost or refused; None when it does not say."""
    doubled: int
    """Second and further copies."""
    unexplained: int
    """Second copies of spans that were not in flight when something failed."""
    invented: int
    """Spans that nobody started."""
    wrong: int
    """Spans, or traces, whose content is not what was set."""
    reopened: int
    """Spans that were open when their process died, and arrived, marked as unfinished."""
    slowest_ms: float
    """The longest that one call took, start or end."""
    seconds: float = 0.0
    unbalanced: list[str] = field(default_factory=list)
    """Whose counters contradict each other."""
    examples: list[str] = field(default_factory=list)
    """A few of the spans that are lost or wrong."""
    broken: list[str] = field(default_factory=list)
    """Which promises were not kept; empty for a peer, who made none."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


MOST_EXAMPLES = 10


def count(fault: str, run: Run) -> list[Row]:
    """Return one row for each destination."""
    first = next(iter(run.destinations))
    if run.agent is not None:
        books = {first: run.agent.arrivals}
    elif run.kind.protocol == "zipkin":
        books = {first: run.receiver.arrivals[first]}
    else:
        books = run.receiver.arrivals
    acknowledged = run.ledger.all_acknowledged()
    return [_row(fault, run, name, arrivals, acknowledged) for name, arrivals in books.items()]


def _row(fault: str, run: Run, name: str, arrivals: Arrivals, acknowledged: set[int]) -> Row:
    copies = arrivals.copies()
    absent = acknowledged - copies.keys()
    lost = absent - run.excused
    invented = [number for number in copies if run.ledger.state(number) == UNKNOWN]
    misjudged = (acknowledged & arrivals.unfinished) - run.excused
    examples = [f"lost: {number}" for number in sorted(lost)[:MOST_EXAMPLES]]
    examples += [f"wrong: {number}: {why}" for number, why in sorted(arrivals.wrong.items())[:MOST_EXAMPLES]]
    examples += [f"ended, but came as unfinished: {number}" for number in sorted(misjudged)[:MOST_EXAMPLES]]
    return Row(
        fault=fault,
        subject=run.subject,
        destination=name,
        acknowledged=len(acknowledged),
        arrived=len(acknowledged) - len(absent),
        excused=len(absent & run.excused),
        lost=len(lost),
        told=None if run.told is None else run.told.get(name, 0),
        doubled=sum(len(indexes) - 1 for indexes in copies.values()),
        unexplained=arrivals.unexplained(copies, run.in_flight),
        invented=len(invented) + arrivals.strangers,
        wrong=len(arrivals.wrong) + len(misjudged) + arrivals.torn_traces(),
        reopened=len(arrivals.unfinished - acknowledged),
        slowest_ms=round(run.slowest_ms, 2),
        unbalanced=run.unbalanced,
        examples=examples,
    )
