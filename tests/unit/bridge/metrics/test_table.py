"""Every number of the books is a metric, and each says what it counts."""

from __future__ import annotations

import msgspec

from tracebridge.journal.accounts import AdapterStats, JournalStats, SharedStats, StageStats, Stats
from tracebridge.metrics.table import METRICS, names

TEXTS = {"last_error", "looked"}  # for people, not for counting


def distinct(kind: type, start: int) -> dict[str, object]:
    """Values of a struct's fields that can be told apart; those of mappings are mappings."""
    made: dict[str, object] = {}
    for at, field in enumerate(msgspec.structs.fields(kind), start):
        text = str(field.type)
        if field.name in TEXTS:
            made[field.name] = ""
        elif text.count("Mapping") == 2:
            made[field.name] = {f"{field.name}-name": {"reason": at}}
        elif "Mapping" in text:
            made[field.name] = {f"{field.name}-name": at}
        else:
            made[field.name] = at
    return made


def test_every_number_of_the_books_is_a_metric():
    """A field that is added to the books has to be added to the table of metrics, tracebridge.metrics.table.METRICS."""
    numbers = {
        **distinct(Stats, 100),
        "adapters": {"zipkin": distinct(AdapterStats, 200)},
        "journal": distinct(JournalStats, 300),
        "stages": {"stage": distinct(StageStats, 400)},
        "open_spans": distinct(SharedStats, 500),
    }
    shown = {value for metric in METRICS for _, value in metric.points(numbers)}
    own = {
        100 + at
        for at, field in enumerate(msgspec.structs.fields(Stats))
        if field.name not in ("adapters", "journal", "stages", "open_spans")
    }
    of_adapter = {200 + at for at, field in enumerate(msgspec.structs.fields(AdapterStats)) if field.name not in TEXTS}
    of_journal = {300 + at for at, field in enumerate(msgspec.structs.fields(JournalStats)) if field.name not in TEXTS}
    of_stage = {400 + at for at, _ in enumerate(msgspec.structs.fields(StageStats))}
    of_sharing = {500 + at for at, field in enumerate(msgspec.structs.fields(SharedStats)) if field.name not in TEXTS}
    since = 200 + [field.name for field in msgspec.structs.fields(AdapterStats)].index("retrying_since")
    expected = (own | of_adapter | of_journal | of_stage | of_sharing) - {since} | {True}  # shown as failing or not
    assert expected - shown == set()


def test_names_are_told_once_and_each_metric_says_what_it_counts():
    """Two metrics of one name would be added up by whoever reads them."""
    assert len(set(names())) == len(list(names()))
    assert [metric.name for metric in METRICS if not metric.help.endswith(".")] == []


def test_a_process_that_has_told_nothing_yet_has_no_adapters():
    """In its first second."""
    assert [point for metric in METRICS if "adapter" in metric.name for point in metric.points({})] == []
