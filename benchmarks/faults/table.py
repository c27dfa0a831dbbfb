"""The result as a table for a page: `python -m benchmarks.faults.table RESULT.json` prints Markdown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.faults.subjects import SUBJECTS

SLOW_MS = 1000.0  # a call that took longer is worth a word


def markdown(entries: list[dict[str, Any]]) -> str:
    """Return one line for each fault and destination, one column for each subject."""
    subjects = [name for name in SUBJECTS if any(_cells(fault, name) for fault in entries)]
    head = ["what happens", *(SUBJECTS[name].title for name in subjects)]
    lines = [head, ["---"] * len(head)]
    for fault in entries:
        destinations = list(dict.fromkeys(row["destination"] for row in fault["rows"]))
        for destination in destinations:
            title = fault["title"] + (f": *{destination}*" if len(destinations) > 1 else "")
            lines.append([title, *(_cells(fault, name).get(destination, "") for name in subjects)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(fault: dict[str, Any], subject: str) -> dict[str, str]:
    return {row["destination"]: _cell(row) for row in fault["rows"] if row["subject"] == subject}


def _cell(row: dict[str, Any]) -> str:
    lost = f"{row['lost']:,}" if not row["lost"] else f"**{row['lost']:,}**"
    notes = [f"{lost} of {row['acknowledged']:,}"]
    if row["lost"] and row["told"]:
        notes.append(f"{row['told']:,} told")
    for key, word in (("doubled", "twice"), ("invented", "invented"), ("wrong", "wrong")):
        if row[key]:
            notes.append(f"{row[key]:,} {word}")
    if row["slowest_ms"] > SLOW_MS:
        notes.append(f"a call took {row['slowest_ms'] / 1000:.0f} s")
    return ", ".join(notes)


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())), end="")
