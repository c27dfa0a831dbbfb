"""`python -m benchmarks [CASE …]`: side by side with the peers in one run; medians, spread and ratios.

Nothing is installed: a peer that is not here is named with the command that brings it (`pip install 'tracebridge[bench]'` brings all of them).
"""

from __future__ import annotations

import argparse
import json
import sys
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks import report
from benchmarks.harness import measure
from benchmarks.suite import CASES

ROUNDS = 9


def main() -> int:
    """Run the chosen cases, print them, and write JSON when asked. Returns 1 with `--strict` when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names or patterns such as 'encode-*'; default: all")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds; their median counts (default {ROUNDS})")
    parser.add_argument("--json", metavar="FILE", help="also write the figures and the machine as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a goal was missed")
    arguments = parser.parse_args()
    patterns = arguments.cases or ["*"]
    chosen = [name for name in CASES if any(fnmatch(name, pattern) for pattern in patterns)]
    unknown = [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in CASES)]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    if arguments.list:
        print("\n".join(chosen))
        return 0
    out, err = Console(highlight=False), Console(stderr=True)
    results = []
    with Progress(console=err, transient=True) as progress:
        for name in chosen:
            case = CASES[name]
            bar = progress.add_task(name, total=(case.rounds or arguments.rounds) + 1)
            results.append(measure(case, arguments.rounds, partial(progress.advance, bar)))
            progress.remove_task(bar)
            out.print(report.table(results[-1]))
            out.print(report.closing(case, results[-1]) + "\n", style="dim")
    absent = {how for result in results for how in result.missing.values()}
    if absent:
        err.print(f"missing peers: {'; '.join(sorted(absent))} (or all: pip install 'tracebridge[bench]')")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report.as_json(results), indent=2, ensure_ascii=False) + "\n")
    return int(arguments.strict and any(result.met is False for result in results))


if __name__ == "__main__":
    sys.exit(main())
