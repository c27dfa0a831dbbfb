"""`python -m benchmarks.sides [CASE …] [--write]`: the cases that the native module is for, with it and with the Python code alone.

Each round is a run of `python -m benchmarks` with TRACEBRIDGE_NATIVE=1 and one with 0, in turn; what counts is each side's ratio to the same peer in the
same run. `--write` puts the table into docs/native.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT
from benchmarks.report import as_ratio

CASES = ("encode-journal-*", "end-to-end-otlp", "end-to-end-otlp-new", "end-to-end-grpc", "end-to-end-zipkin", "lifecycle", "lifecycle-with", "durable", "traces-of-ten", "replay")  # fmt: skip
SIDES = {"1": "native", "0": "Python"}
PAGE = ROOT / "docs" / "native.md"
BEGIN, END = "<!-- made by `python -m benchmarks.sides --write` -->", "<!-- end -->"


def main() -> int:
    """Run both sides, print the table, and write it when asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sides", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=CASES)
    parser.add_argument("--turns", type=int, default=2, help="runs of each side (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each run (default 5)")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(given.turns):
        for side, results in found.items():
            results.append(_run(side, given.cases, given.rounds))
    table = _table(found)
    print(table)
    if given.write:
        page = PAGE.read_text()
        PAGE.write_text(re.sub(f"(?<={re.escape(BEGIN)}\n).*(?={END})", lambda _: table + "\n", page, flags=re.DOTALL))
    return 0


def _run(side: str, cases: Any, rounds: int) -> dict[str, Any]:
    """Return the results of one run, by case, and the machine."""
    with tempfile.TemporaryDirectory(prefix="tracebridge-benchmark-") as folder:
        file = Path(folder, "results.json")
        command = [sys.executable, "-m", "benchmarks", *cases, "--rounds", str(rounds), "--json", str(file)]
        environment = {**os.environ, "TRACEBRIDGE_NATIVE": side}
        subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        results = json.loads(file.read_text())
    return {"machine": results["machine"], **{each["case"]: each for each in results["results"]}}


def _table(found: dict[str, list[dict[str, Any]]]) -> str:
    machine = found["1"][0]["machine"]
    rows = [
        f"Python {machine['python']}, {machine['system']}, {machine['cores']} cores of a shared machine.",
        "",
        "| case | peer | native | of the peer | Python | of the peer | native, of Python |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for case, one in found["1"][0].items():
        if case == "machine" or not one["ratios"]:
            continue
        ours = next(iter(one["medians"]))
        peer = one["goal"]["of"] if one["goal"] else next(iter(one["ratios"]))
        cells, figures = [f"`{case}`", peer], []
        for side in SIDES:
            runs = [each[case] for each in found[side]]
            figures.append(statistics.median(run["medians"][ours] for run in runs))
            ratio = statistics.median(run["ratios"][peer] for run in runs)
            cells += [f"{figures[-1]:,.2f} {one['unit'].split()[0]}", as_ratio(ratio)]
        rows.append(f"| {' | '.join([*cells, as_ratio(figures[0] / figures[1])])} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
