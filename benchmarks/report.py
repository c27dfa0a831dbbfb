"""Results as a table for people and as JSON for machines."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.harness import Case, Goal, Result

PEERS = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc",
         "opentelemetry-exporter-zipkin-json", "jaeger-client", "py-zipkin", "mlflow-skinny", "structlog", "protobuf", "msgspec")  # fmt: skip


def as_ratio(ratio: float) -> str:
    """Return a ratio as people say it: `1/4.1` below 1, `3.6 times` from there on."""
    if 0.995 <= ratio < 1.005:
        return "the same"
    return f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g}"


def as_goal(goal: Goal) -> str:
    """Return a goal in words."""
    return f"at most {as_ratio(goal.ratio)} of {goal.of}" if goal.ratio != 1 else f"at most {goal.of}"


def verdict(result: Result) -> str:
    """Return whether the goal was met, in words that stand behind it."""
    goal, met = result.case.goal, result.met
    if goal is None:
        return "no goal"
    if met is None:
        return "not measured: its peer is missing"
    return "met" if met else f"missed by {missed_by(result.ratios[goal.of], goal)}"


def missed_by(ratio: float, goal: Goal) -> str:
    """Return by which part of the goal a ratio is above it."""
    return f"{ratio / goal.ratio - 1:.0%}"


def table(result: Result) -> Table:
    """Return one case as a table; every ratio is the first contestant's figure over the other's."""
    case = result.case
    first = next(iter(result.figures), "nobody")
    shown = Table(title=f"{case.name} ({case.unit})", title_justify="left", box=None, pad_edge=False)
    for column in ("who", "median", "min to max", f"{first} is, of it"):
        shown.add_column(column, justify="left" if column == "who" else "right")
    ratios = result.ratios if result.figures else {}
    for name, rounds in result.figures.items():
        spread = f"{min(rounds):,.2f} to {max(rounds):,.2f}"
        shown.add_row(
            name, f"{statistics.median(rounds):,.2f}", spread, as_ratio(ratios[name]) if name in ratios else ""
        )
    for name, how in result.missing.items():
        shown.add_row(name, "missing", "", how)
    return shown


def closing(case: Case, result: Result) -> str:
    """Return the line under a case's table."""
    said = f"goal: {as_goal(case.goal)}: {verdict(result)}" if case.goal else ""
    return "; ".join(part for part in (said, case.note) if part)


def as_json(results: Iterable[Result]) -> dict[str, Any]:
    """Return everything, for machines, the machine described in general terms."""
    return {"machine": machine(), "results": [_result(result) for result in results]}


def _result(result: Result) -> dict[str, Any]:
    goal = result.case.goal
    return {
        "case": result.case.name,
        "unit": result.case.unit,
        "goal": None if goal is None else {"at_most": goal.ratio, "of": goal.of},
        "note": result.case.note,
        "met": result.met,
        "medians": {name: round(value, 3) for name, value in result.medians.items()},
        "ratios": {name: round(value, 4) for name, value in result.ratios.items()} if result.figures else {},
        "spread": {name: [round(min(rounds), 3), round(max(rounds), 3)] for name, rounds in result.figures.items()},
        "rounds": max((len(rounds) for rounds in result.figures.values()), default=0),
        "missing": result.missing,
    }


def machine() -> dict[str, Any]:
    """Return what figures depend on: interpreter, processor, load, and the peers' versions."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": dict(sorted(_versions())),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _versions() -> Iterable[tuple[str, str]]:
    for name in PEERS:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
