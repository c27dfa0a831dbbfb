"""Two versions of tracebridge side by side over one journal directory, killed at random under load, and what arrives.

    python -m benchmarks.faults.rolling                                 every earlier version with today's; some minutes
    python -m benchmarks.faults.rolling --kills 10 --versions 0.1.0-20261125
    python -m benchmarks.faults.rolling --json benchmarks/results/rolling.json

Two processes trace at any time, of either version by chance; one of them is killed with `kill -9` and another takes its place, which takes over what dead ones of both
versions left. Afterwards a process delivers what is left:

- *forward*: today's. A store is a second destination, which today's version brings up to date while the earlier one has it open.
- *back*: the earlier version, alone: what today's left has to be readable to it.
- *held*: today's version samples with `keep`, so that its journal is of a version that the earlier one does not read. The earlier version looks first, and has to leave it alone
  with a word; then today's delivers.

Counted at the far end, by number. Exit status: 0 when nothing was lost, 1 when something was.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.count import count
from benchmarks.faults.life import START_S, Life
from benchmarks.faults.receiver import MAIN, Mood
from benchmarks.faults.run import RECOVER_S, Run
from benchmarks.versions import TODAY, VERSIONS, python_of

CASES = ("forward", "back", "held")
WITH_A_JOURNAL = [name for name in VERSIONS if name != "0.1.0-20261123"]
AT_ONCE = 2
LONGEST_LIFE_S = 1.2
RATE = 1000.0  # spans a second of each process
LOOK_S = 15.0  # how long the earlier version looks at what it cannot read
KEEP = {"ratio": 0, "keep": {"errors": True, "slower_than": "1us"}}
"""Every trace is held until its root has ended, and kept."""
WORD = "is left alone: it is of version 2"  # what the versions before 0.2.0 say


@dataclass
class Result:
    """What came of one version beside today's in one case."""

    version: str
    case: str
    killed: dict[str, int]
    acknowledged: int
    lost: int
    lost_in_store: int | None
    doubled: int
    unexplained: int
    """Of these, those that were not in flight at a kill."""
    wrong: int
    """Invented, torn or with other content."""
    words: int
    """How often the earlier version said that it leaves something alone."""
    seconds: float
    broken: list[str]


class Pair:
    """An earlier version and today's, over one directory."""

    def __init__(self, run: Run, version: str, case: str) -> None:
        self.run = run
        self._pythons = {version: python_of(version), TODAY: python_of(TODAY)}
        self._case = case
        self.store = run.folder / "store.db"

    def live(self, version: str, **more: Any) -> Life:
        """Start a process of a version."""
        if self._case == "forward":
            more["store"] = str(self.store)
        if self._case == "held" and version == TODAY:
            more["sampling"] = KEEP
        return self.run.live(python=self._pythons[version], **more)

    def drain(self, version: str, close_s: float = RECOVER_S) -> None:
        """Deliver what is left by a process of a version."""
        life = self.live(version, rate=0, ending="drain", close_s=close_s)
        life.stop(close_s + START_S)
        self.run.settle()


def do(version: str, case: str, kills: int, seed: str) -> Result:
    """Do one case with one version."""
    begun = time.monotonic()
    with Run("disk", f"{seed} {version} {case}") as run:
        run.in_flight = 1
        run.receiver.script = lambda numbers: Mood(delay_s=run.random.uniform(0, 0.03))
        pair = Pair(run, version, case)
        killed = {version: 0, TODAY: 0}
        alive = [(each, pair.live(each, rate=RATE)) for each in (version, TODAY)]
        for done in range(kills):
            run.sleep(run.random.uniform(0, LONGEST_LIFE_S))
            which, victim = alive.pop(run.random.randrange(len(alive)))
            victim.kill()
            killed[which] += 1
            if done + AT_ONCE < kills:
                following = run.random.choice((version, TODAY))
                alive.append((following, pair.live(following, rate=RATE)))
        if case == "held":
            pair.drain(version, LOOK_S)
        pair.drain(version if case == "back" else TODAY)
        (row,) = count("rolling", run)
        in_store = _numbers_in(pair.store) if case == "forward" else None
        acknowledged = run.ledger.all_acknowledged()
        words = (run.folder / "log").read_text(errors="replace").count(WORD)
        result = Result(
            version=version,
            case=case,
            killed=killed,
            acknowledged=row.acknowledged,
            lost=row.lost,
            lost_in_store=None if in_store is None else len(acknowledged - in_store),
            doubled=row.doubled,
            unexplained=row.unexplained,
            wrong=row.wrong + row.invented,
            words=words,
            seconds=round(time.monotonic() - begun, 1),
            broken=[],
        )
        result.broken = _broken(result, row.examples)
    return result


def _numbers_in(path: Path) -> set[int]:
    """Return the numbers of the spans in a store, read in SQL."""
    with closing(sqlite3.connect(path)) as store:
        rows = store.execute("SELECT json_extract(attributes, '$.number') FROM spans").fetchall()
    return {int(number) for (number,) in rows if number is not None}


def _broken(result: Result, examples: list[str]) -> list[str]:
    broken = []
    if result.lost:
        broken.append(f"{result.lost} spans were lost: {', '.join(examples[:5])}")
    if result.lost_in_store:
        broken.append(f"{result.lost_in_store} spans are not in the store")
    if result.unexplained:
        broken.append(f"{result.unexplained} second copies of spans that were not in flight")
    if result.wrong:
        broken.append(f"{result.wrong} spans are wrong: {', '.join(examples[:5])}")
    if result.case == "held" and not result.words and result.killed[TODAY]:
        broken.append("the earlier version said no word about what it cannot read")
    if result.case != "held" and result.words:
        broken.append("the earlier version could not read what today's left")
    return broken


def markdown(results: list[dict[str, Any]]) -> str:
    """Return the table for the page."""
    head = ["beside today's", "case", "killed (earlier, today's)", "spans", MAIN, "store", "left alone with a word"]
    lines = [head, ["---"] * len(head)]
    for one in results:
        earlier, today = (one["killed"][name] for name in (one["version"], TODAY))
        main = f"{one['lost']:,} lost, {one['doubled']:,} twice"
        store = "" if one["lost_in_store"] is None else f"{one['lost_in_store']:,} lost"
        words = f"{one['words']:,} times" if one["words"] else ""
        lines.append(
            [one["version"], one["case"], f"{earlier}, {today}", f"{one['acknowledged']:,}", main, store, words]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults.rolling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--versions", nargs="+", choices=WITH_A_JOURNAL, default=WITH_A_JOURNAL)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--kills", type=int, default=40, help="in each case; default 40")
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--json", metavar="FILE", help="also put the result there, in place of what it has of the same")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    results: list[dict[str, Any]] = []
    for version in arguments.versions:
        for case in arguments.cases:
            result = do(version, case, arguments.kills, arguments.seed)
            results.append(asdict(result))
            print(f"{version} {case}: {result}", flush=True)
            if arguments.json:
                _keep(Path(arguments.json), asdict(result))
    print(markdown(results))
    return int(any(result["broken"] for result in results))


def _keep(path: Path, result: dict[str, Any]) -> None:
    known = {(one["version"], one["case"]): one for one in json.loads(path.read_text())} if path.exists() else {}
    known[result["version"], result["case"]] = result
    entries = [known[version, case] for version in WITH_A_JOURNAL for case in CASES if (version, case) in known]
    path.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
