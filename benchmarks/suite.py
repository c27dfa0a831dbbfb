"""Every case, by theme."""

from __future__ import annotations

from benchmarks import (
    apart,
    configuration,
    durable,
    encoding,
    endtoend,
    growth,
    headers,
    hostile,
    ids,
    lifecycle,
    lines,
    memory,
    realistic,
    replay,
    shapes,
    sources,
    startup,
    steady,
)
from benchmarks.harness import Case

THEMES = (
    realistic, apart, lifecycle, durable, encoding, lines, endtoend, steady, memory, startup, growth, shapes, hostile, ids, headers, configuration, sources, replay,
)  # fmt: skip
CASES: dict[str, Case] = {case.name: case for theme in THEMES for case in theme.CASES}
