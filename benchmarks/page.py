"""`python -m benchmarks.page RESULTS.json`: the tables of docs/performance.md, as Markdown, of what a run wrote with `--json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import Goal
from benchmarks.report import as_goal, as_ratio, missed_by

Found = dict[str, Any]


def tables(results: Found) -> str:
    """Return the machine, the cases with goals, and the others."""
    with_goal = [each for each in results["results"] if each["goal"] and each["medians"]]
    others = [each for each in results["results"] if not each["goal"] and each["medians"]]
    return "\n\n".join([_machine(results["machine"]), _goals(with_goal), _shown(others)]) + "\n"


def _machine(machine: Found) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Python {machine['python']}, {machine['system']}, {machine['cores']} cores of a shared machine ({machine['processor']}), "
        f"load {machine['load']} at the end; {versions}."
    )


def _goals(results: list[Found]) -> str:
    rows = ["| case | ours | peer | ratio | goal | |", "|---|---:|---|---:|---|---|"]
    for each in results:
        goal = Goal(each["goal"]["at_most"], each["goal"]["of"])
        first = next(iter(each["medians"]))
        mine = f"{each['medians'][first]:,.2f} {each['unit']}"
        if goal.of not in each["ratios"]:
            rows.append(f"| `{each['case']}` | {mine} | {goal.of} | | {as_goal(goal)} | not measured |")
            continue
        ratio = each["ratios"][goal.of]
        verdict = "met" if each["met"] else f"**missed by {missed_by(ratio, goal)}**"
        peer = f"{goal.of}: {each['medians'][goal.of]:,.2f}"
        rows.append(f"| `{each['case']}` | {mine} | {peer} | {as_ratio(ratio)} | {as_goal(goal)} | {verdict} |")
    return "\n".join(rows)


def _shown(results: list[Found]) -> str:
    rows = ["| case | figures |", "|---|---|"]
    for each in results:
        figures = "; ".join(
            f"{name}: {value:,.2f}" + (f" ({as_ratio(each['ratios'][name])})" if name in each["ratios"] else "")
            for name, value in each["medians"].items()
        )
        note = f". {each['note'][0].upper()}{each['note'][1:]}" if each["note"] else ""
        rows.append(f"| `{each['case']}`, {each['unit']} | {figures}{note} |")
    return "\n".join(rows)


def main() -> None:
    """Print the tables."""
    print(tables(json.loads(Path(sys.argv[1]).read_text())), end="")


if __name__ == "__main__":
    main()
