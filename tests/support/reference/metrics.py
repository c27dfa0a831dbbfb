"""docs/reference-metrics.md: every number of `client.stats()`, and every metric made of them."""

from __future__ import annotations

from collections.abc import Iterator

from support.reference.parts import Part, fields, first_paragraph
from tracebridge.journal.accounts import AdapterStats, JournalStats, SharedStats, StageStats, Stats
from tracebridge.metrics.prometheus import prometheus_name
from tracebridge.metrics.table import METRICS, dead_letters

HEAD = """# Reference: metrics

Every number that Tracebridge counts. [Metrics](metrics.md) says how to have them in Prometheus or through OpenTelemetry, with alerts and a dashboard.

## Metrics

A *counter* only grows; an *updown* is a sum that falls, too; a *gauge* is a value that cannot be added up over processes.

| metric | in Prometheus | kind, unit | what it says |
|---|---|---|---|
"""
BOOKS = {
    "stats": Stats,
    "adapters": AdapterStats,
    "journal": JournalStats,
    "stages": StageStats,
    "open_spans": SharedStats,
}


def parts() -> Iterator[Part]:
    """Yield the page."""
    metrics = [*METRICS, dead_letters(0)]
    yield HEAD + "".join(
        f"| `{each.name}` | `{prometheus_name(each)}` | {each.kind}, `{each.unit}` | {each.help} |\n"
        for each in metrics
    )
    yield "## `client.stats()`\n"
    yield "One value that does not change; `to_dict()` gives plain numbers. For each adapter, at any moment:\n"
    yield "```text\nstarted + ingested + adopted = open + shared + held + undecided + queued + exported + sent + dropped\n```\n"
    for key, kind in BOOKS.items():
        yield f"### `{key if kind is Stats else f'stats.{key}'}`\n"
        yield f"{first_paragraph(kind)}\n"
        rows = "".join(f"| `{name}` | `{type_}` | {words} |\n" for name, type_, words in fields(kind)).replace(
            " | None`", " \\| None`"
        )
        yield f"| field | type | what it says |\n|---|---|---|\n{rows}"
