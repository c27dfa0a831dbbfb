"""All faults, and how one of them is done to one subject."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.faults import crashes, disks, networks
from benchmarks.faults.count import Row, count
from benchmarks.faults.fault import Fault, Scale
from benchmarks.faults.run import Run
from benchmarks.faults.subjects import SUBJECTS

FAULTS = {fault.name: fault for fault in (*crashes.FAULTS, *networks.FAULTS, *disks.FAULTS)}


def do(
    fault: Fault, subject: str, scale: Scale, seed: str, tick: Callable[[float], None] = lambda done: None
) -> list[Row]:
    """Do a fault to a subject and return what came of it. Raises NotHere where this machine does not allow it."""
    begun = time.monotonic()
    with Run(subject, f"{seed} {fault.name}", tick, fault.destinations) as run:
        fault.act(run, scale)
        rows = count(fault.name, run)
        for row in rows:
            row.seconds = round(time.monotonic() - begun, 1)
            if run.kind.ours:
                row.broken = fault.judge(row, run)
            if not fault.counts:
                row.told = None  # who was killed tells nothing
    return rows


def why_not(fault: Fault, subject: str) -> str:
    """Return why a subject does not take part in a fault; empty when it does."""
    kind = SUBJECTS[subject]
    if not fault.takes(kind):
        return f"does not take part: {fault.why_not}"
    return f"missing: {kind.missing}" if kind.missing else ""
