"""Do every fault to every subject, and count what arrives.

    python -m benchmarks.faults --jobs 4                all of it, four at a time; about half an hour
    python -m benchmarks.faults --short                 the same faults, each for a moment; a few minutes
    python -m benchmarks.faults kill outage --subjects disk opentelemetry --json result.json

Exit status: 0 when tracebridge kept every promise, 1 when it broke one, 2 for a wrong command, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.faults.count import Row
from benchmarks.faults.disks import NotHere
from benchmarks.faults.fault import LONG, SHORT, Fault, Scale
from benchmarks.faults.harness import FAULTS, do, why_not
from benchmarks.faults.life import Stuck
from benchmarks.faults.report import entry, show, write
from benchmarks.faults.run import CANCELLED, Interrupted
from benchmarks.faults.subjects import SUBJECTS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"default: all of {', '.join(FAULTS)}")
    parser.add_argument("--subjects", nargs="+", metavar="WHO", default=[*SUBJECTS], help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--short", action="store_true", help="each fault for a moment only")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at a time; default 1")
    parser.add_argument("--seed", default="", help="what chance grows from; default: a new one, which is printed")
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="also put the result into this JSON file, in place of what it has of the same faults",
    )
    arguments = parser.parse_args()
    for given, known in ((arguments.faults, FAULTS), (arguments.subjects, SUBJECTS)):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


@dataclass
class Outcome:
    """What came of one fault on one subject."""

    rows: list[Row] = field(default_factory=list)
    absent: str = ""
    """Why there are no rows."""
    stuck: bool = False


class Jobs:
    """Does faults to subjects, several at once if asked to, and shows how far each is."""

    def __init__(self, scale: Scale, seed: str, progress: Progress) -> None:
        self._scale = scale
        self._seed = seed
        self._progress = progress

    def do(self, fault: Fault, subject: str) -> Outcome:
        """Do one."""
        reason = why_not(fault, subject)
        if reason:
            return Outcome(absent=reason)
        task = self._progress.add_task(f"{fault.name}, {SUBJECTS[subject].title}", total=1.0)
        try:
            tick = partial(self._progress.update, task)
            return Outcome(do(fault, subject, self._scale, self._seed, lambda done: tick(completed=done)))
        except (NotHere, Interrupted) as error:
            return Outcome(absent=str(error))
        except Stuck as error:
            self._progress.console.print(str(error), markup=False)
            return Outcome(absent=str(error).strip().rpartition("\n")[2], stuck=True)
        except Exception as error:  # a mistake of the harness itself costs one result, not those of hours
            self._progress.console.print_exception()
            return Outcome(absent=f"the harness failed: {error!r}", stuck=True)
        finally:
            self._progress.remove_task(task)


def main() -> int:
    """Run what was asked for."""
    arguments = _arguments()
    seed = arguments.seed or secrets.token_hex(4)
    command = shlex.join(["python", "-m", "benchmarks.faults", *sys.argv[1:]])
    faults = [FAULTS[name] for name in arguments.faults or FAULTS]
    console, words = Console(highlight=False, width=150), Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    broken = False
    with Progress(*columns, console=words, transient=True) as progress, ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = Jobs(SHORT if arguments.short else LONG, seed, progress)
        whole = progress.add_task("all", total=len(faults) * len(arguments.subjects))
        futures = {
            (fault.name, subject): pool.submit(jobs.do, fault, subject)
            for fault in faults
            for subject in arguments.subjects
        }
        try:
            for fault in faults:
                outcomes = {}
                for subject in arguments.subjects:
                    outcomes[subject] = futures[fault.name, subject].result()
                    progress.advance(whole)
                rows = [row for outcome in outcomes.values() for row in outcome.rows]
                absent = {subject: outcome.absent for subject, outcome in outcomes.items() if outcome.absent}
                show(fault, rows, absent, console)
                if arguments.json:
                    write(Path(arguments.json), entry(fault, rows, absent, seed, command), list(FAULTS))
                broken |= any(row.broken for row in rows)
                broken |= any(outcome.stuck and SUBJECTS[subject].ours for subject, outcome in outcomes.items())
        except BaseException:
            CANCELLED.set()
            pool.shutdown(cancel_futures=True)
            raise
    console.print(f"seed {seed}", style="dim")
    return int(broken)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
