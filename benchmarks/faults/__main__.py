"""Do every fault to every subject, and count what arrives.

    python -m benchmarks.faults                         all of it; about an hour, ten minutes of them an outage of ten minutes
    python -m benchmarks.faults --short                 the same faults, each for a moment; a few minutes
    python -m benchmarks.faults kill outage --subjects disk opentelemetry --json result.json

Exit status: 0 when tracebridge kept every promise, 1 when it broke one, 2 for a wrong command.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.faults.count import Row
from benchmarks.faults.disks import NotHere
from benchmarks.faults.fault import LONG, SHORT
from benchmarks.faults.harness import FAULTS, do, why_not
from benchmarks.faults.life import Stuck
from benchmarks.faults.report import document, show
from benchmarks.faults.subjects import SUBJECTS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"default: all of {', '.join(FAULTS)}")
    parser.add_argument("--subjects", nargs="+", metavar="WHO", default=[*SUBJECTS], help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--short", action="store_true", help="each fault for a moment only")
    parser.add_argument("--seed", default="", help="what chance grows from; default: a new one, which is printed")
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")
    arguments = parser.parse_args()
    for given, known in ((arguments.faults, FAULTS), (arguments.subjects, SUBJECTS)):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


def main() -> int:
    """Run what was asked for."""
    arguments = _arguments()
    scale = SHORT if arguments.short else LONG
    seed = arguments.seed or secrets.token_hex(4)
    faults = [FAULTS[name] for name in arguments.faults or FAULTS]
    console, words = Console(highlight=False, width=150), Console(stderr=True)
    results = []
    stuck: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=words, transient=True) as progress:
        whole = progress.add_task("all", total=len(faults) * len(arguments.subjects))
        part = progress.add_task("", total=1.0)
        for fault in faults:
            rows: list[Row] = []
            absent: dict[str, str] = {}
            for subject in arguments.subjects:
                progress.reset(part, description=f"{fault.name}, {SUBJECTS[subject].title}", total=1.0)
                reason = why_not(fault, subject)
                try:
                    if not reason:
                        tick = lambda done: progress.update(part, completed=done)  # noqa: E731
                        rows += do(fault, subject, scale, seed, tick)
                except NotHere as error:
                    reason = str(error)
                except Stuck as error:
                    reason = str(error).strip().rpartition("\n")[2]
                    stuck.append(subject)
                    words.print(str(error), markup=False)
                if reason:
                    absent[subject] = reason
                progress.advance(whole)
            results.append((fault, rows, absent))
            show(fault, rows, absent, console)
    console.print(f"seed {seed}", style="dim")
    if arguments.json:
        command = shlex.join(["python", "-m", "benchmarks.faults", *sys.argv[1:]])
        Path(arguments.json).write_text(
            json.dumps(document(results, seed, command), indent=1, ensure_ascii=False) + "\n"
        )
    return int(any(row.broken for _, rows, _ in results for row in rows) or any(SUBJECTS[name].ours for name in stuck))


if __name__ == "__main__":
    sys.exit(main())
