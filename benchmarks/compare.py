"""`python -m benchmarks.compare BEFORE [AFTER]`: two checkouts, by processes in turn, so that a slow minute hits both.

BEFORE and AFTER are folders (`git worktree add ../before COMMIT`); AFTER is this one when left out. Each round is a process of its own for each side and
each work; what counts is the CPU time of the thread that calls, and of that the median of the ratios of neighbours. The works are this checkout's;
with `--instructions` callgrind counts instructions too, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import instructions
from benchmarks.harness import ROOT

ROUNDS = 9
SPANS = 5_000


def cpu(name: str, count: int) -> float:
    """µs of the calling thread's CPU a span, the best of three in this process."""
    client = instructions.client()
    instructions.WORKS[name](client, count // 10)
    best = float("inf")
    for _ in range(3):
        started = time.thread_time_ns()
        instructions.WORKS[name](client, count)
        best = min(best, time.thread_time_ns() - started)
    return best / count / 1e3


def in_checkout(checkout: Path, name: str, count: int = SPANS) -> float:
    """Return what `cpu` says of a checkout's code. Raises RuntimeError when it fails there."""
    path = os.pathsep.join(str(checkout / package) for package in instructions.PACKAGES)
    command = [sys.executable, "-m", "benchmarks.child", "benchmarks.compare:cpu", json.dumps([name, count])]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed in {checkout}:\n{done.stderr[-2_000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["value"])


def compare(before: Path, after: Path, name: str, rounds: int, count: int = SPANS) -> tuple[float, float, float]:
    """Return the medians of both sides, µs a span, and the median of the rounds' ratios, after over before."""
    figures = []
    for number in range(rounds):
        sides = [before, after] if number % 2 == 0 else [after, before]
        measured = {side: in_checkout(side, name, count) for side in sides}
        figures.append((measured[before], measured[after]))
    return (
        statistics.median(one for one, _ in figures),
        statistics.median(other for _, other in figures),
        statistics.median(other / one for one, other in figures),
    )


def main() -> int:
    """Print both sides and their ratio, work by work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", default=ROOT)
    parser.add_argument("--works", nargs="*", default=list(instructions.WORKS), metavar="WORK", help="default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--instructions", action="store_true", help="count instructions too")
    arguments = parser.parse_args()
    before, after = arguments.before.resolve(), arguments.after.resolve()
    for side in (before, after):
        if not (side / "bridge" / "tracebridge").is_dir():
            parser.error(f"{side} holds no checkout: bridge/tracebridge is not there")
    for name in arguments.works:
        one, other, ratio = compare(before, after, name, arguments.rounds)
        print(f"{name:14} {one:6.2f} -> {other:6.2f} µs CPU a span, {ratio:.3f} times", flush=True)
        if arguments.instructions:
            was, now = instructions.a_span(name, before), instructions.a_span(name, after)
            print(f"{'':14} {was:,.0f} -> {now:,.0f} instructions a span, {now / was:.3f} times", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
