"""`python -m benchmarks [--json FILE] [--rounds N] [CASE …]`: medians, spread and ratios against the first peer of each case."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import cases, headers, ids, replay, sources
from benchmarks.cases import Case, Missing

CASES = {**cases.CASES, **headers.CASES, **ids.CASES, **replay.CASES, **sources.CASES}


def measure(case: Case, rounds: int) -> dict[str, object]:
    """Run a case's contestants in turn, round after round, so that a slow minute hits all of them."""
    runs, missing = {}, {}
    for name, make in case.contestants.items():
        try:
            runs[name] = make()
        except Missing as error:
            missing[name] = str(error)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in track(range(rounds), description=case.name, transient=True, console=Console(stderr=True)):
        for name, run in runs.items():
            times[name].append(run())
    for run in runs.values():
        close = getattr(run, "close", None)
        if close is not None:
            close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    spread = {name: (min(values), max(values)) for name, values in times.items()}
    return {
        "case": case.name,
        "unit": case.unit,
        "goal": case.goal,
        "medians": medians,
        "spread": spread,
        "missing": missing,
    }


def show(result: dict[str, object], console: Console) -> None:
    """Print one case as a table; every ratio is tracebridge's median over the peer's."""
    medians: dict[str, float] = result["medians"]
    ours = medians.get("tracebridge")
    table = Table(title=f"{result['case']} ({result['unit']})", title_justify="left", box=None, pad_edge=False)
    for column in ("who", "median", "min to max", "tracebridge is"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for name, median in medians.items():
        low, high = result["spread"][name]
        ratio = "" if name == "tracebridge" or not ours else f"1/{median / ours:.1f} of it"
        table.add_row(name, f"{median:.2f}", f"{low:.2f} to {high:.2f}", ratio)
    for name, reason in result["missing"].items():
        table.add_row(name, "missing", "", reason)
    console.print(table)
    console.print(f"goal: {result['goal']}\n", style="dim")


def main() -> int:
    """Run the chosen cases, print them, and write JSON when asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; the median of them counts (default 7)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures and the machine as JSON")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cases if name not in CASES]
    if unknown:
        parser.error(f"unknown case {', '.join(unknown)}; there are {', '.join(CASES)}")
    console = Console(highlight=False)
    results = []
    for name in arguments.cases or CASES:
        results.append(measure(CASES[name], arguments.rounds))
        show(results[-1], console)
    if arguments.json:
        machine = {"python": sys.version, "platform": platform.platform(), "processor": platform.processor()}
        Path(arguments.json).write_text(json.dumps({"machine": machine, "results": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
