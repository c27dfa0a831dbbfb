"""The result for people: a table for each fault. And for machines: JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.faults.count import Row
from benchmarks.faults.fault import Fault
from benchmarks.faults.subjects import SUBJECTS

COLUMNS = ("acknowledged", "arrived", "lost", "told", "excused", "doubled", "invented", "wrong", "reopened")
PACKAGES = ("tracebridge", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "jaeger-client", "py-zipkin")


def show(fault: Fault, rows: Sequence[Row], absent: dict[str, str], console: Console) -> None:
    """Print one fault."""
    table = Table(title=f"{fault.name}: {fault.title}", title_justify="left", box=None, pad_edge=False)
    table.add_column("who")
    for column in (*COLUMNS, "slowest call"):
        table.add_column(column, justify="right")
    for row in rows:
        who = SUBJECTS[row.subject].title + (f" → {row.destination}" if len(fault.destinations) > 1 else "")
        table.add_row(who, *(_cell(row, column) for column in COLUMNS), f"{row.slowest_ms:.1f} ms")
    console.print(table)
    for subject, why in absent.items():
        console.print(f"{SUBJECTS[subject].title}: {why}", style="dim")
    for row in rows:
        for broken in row.broken:
            console.print(f"  BROKEN, {SUBJECTS[row.subject].title}: {broken}", style="bold red")
        if row.broken:
            console.print(f"    {'; '.join(row.examples[:10])}", style="red")
    console.print()


def _cell(row: Row, column: str) -> str:
    value = getattr(row, column)
    return "-" if value is None else f"{value:,}"


def entry(fault: Fault, rows: Sequence[Row], absent: dict[str, str], seed: str, command: str) -> dict[str, Any]:
    """Return what came of one fault, for JSON, with all that one needs to have it again."""
    return {
        "name": fault.name,
        "title": fault.title,
        "command": command,
        "date": time.strftime("%Y-%m-%d"),
        "seed": seed,
        "machine": {"python": platform.python_version(), "system": platform.system(), "cpus": os.cpu_count()},
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "rows": [row.to_dict() for row in rows],
        "absent": absent,
    }


def write(path: Path, done: dict[str, Any], order: Sequence[str]) -> None:
    """Put one fault's entry into a file of results, in place of an older one: a long run may be done piece by piece."""
    known = {found["name"]: found for found in json.loads(path.read_text())} if path.exists() else {}
    known[done["name"]] = done
    entries = [known[name] for name in order if name in known]
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
