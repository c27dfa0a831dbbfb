"""The three hottest paths stay far cheaper than the OpenTelemetry SDK's, in the same run.

Ratios of CPU time of interleaved rounds, each bound about twice what was measured (docs/performance.md): a slow machine slows both sides, and
only a regression that a user would feel fails. The best of several attempts counts, because a neighbour can only ever make a round slower.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import encoding, lifecycle, ours, page
from benchmarks.durable import CASES as DURABLE
from benchmarks.harness import Case, measure

ROOT = Path(__file__).parents[2]
RESULTS = "benchmarks/results/python-3.11.json"
ATTEMPTS, ROUNDS = 3, 5
SDK = "opentelemetry-sdk"
GUARDED = {
    "start and end of a span": (
        Case("lifecycle", {"tracebridge": lambda: lifecycle.tracebridge(ours.ATTRIBUTES), SDK: lambda: lifecycle.otel(ours.ATTRIBUTES)}),
        1 / 2.5,
    ),
    "OTLP encoding": (
        Case("encode", {"tracebridge": lambda: encoding.mine("otlp.protobuf", False), SDK: lambda: encoding.otlp(False)}),
        1 / 6,
    ),
    "a durable end": (next(case for case in DURABLE if case.name == "durable-end"), 1 / 3),
}  # fmt: skip


@pytest.mark.parametrize("path", GUARDED)
def test_the_hottest_paths_cost_a_fraction_of_the_sdks(path: str) -> None:
    """Start and end, a durable end, and OTLP encoding keep their distance from the SDK's."""
    case, bound = GUARDED[path]
    measured = []
    for _ in range(ATTEMPTS):
        ratios = measure(case, ROUNDS).ratios
        measured.append(next(iter(ratios.values())))
        if measured[-1] <= bound:
            return
    pytest.fail(f"{path} costs {min(measured):.3f} of what the SDK's does, at most {bound:.3f} expected")


def test_the_tables_are_those_of_the_committed_results() -> None:
    """docs/performance.md shows what `python -m benchmarks.page` makes of the results beside the benchmarks, unchanged."""
    shown = (ROOT / "docs" / "performance.md").read_text()
    begin = shown.index(f"<!-- made by `python -m benchmarks.page {RESULTS}` -->\n")
    inside = shown[begin : shown.index("<!-- end -->")].split("\n", 1)[1]
    assert page.tables(json.loads((ROOT / RESULTS).read_text())) == inside.strip() + "\n"
