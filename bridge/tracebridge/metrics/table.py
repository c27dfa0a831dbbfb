"""Which metrics there are, and where in `Stats.to_dict()` the numbers of each stand.

Names, units and attributes are those of OpenTelemetry's semantic conventions for SDK metrics where these fit; the others begin with `tracebridge.`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Numbers = Mapping[str, Any]
"""`Stats.to_dict()`, of this process or as another process told it."""
Labels = dict[str, str]
Points = Iterator[tuple[Labels, float]]

ADAPTER, REASON = "otel.component.name", "error.type"
TYPE: Labels = {"otel.component.type": "tracebridge"}


@dataclass(frozen=True)
class Metric:
    """One metric: its name, how it behaves, and what reads its points from the numbers."""

    name: str
    kind: Literal["counter", "updown", "gauge"]
    """Only growing; a sum that goes up and down; or a value that cannot be added up over processes."""
    unit: str
    help: str
    points: Callable[[Numbers], Points]


def _top(key: str) -> Callable[[Numbers], Points]:
    def points(numbers: Numbers) -> Points:
        yield {}, numbers.get(key, 0)

    return points


def _by(key: str, label: str) -> Callable[[Numbers], Points]:
    def points(numbers: Numbers) -> Points:
        for name, count in numbers.get(key, {}).items():
            yield {label: name}, count

    return points


def _adapters(key: str, label: str = "") -> Callable[[Numbers], Points]:
    """Read one number of each adapter, or, with a label, each entry of one of its mappings."""

    def points(numbers: Numbers) -> Points:
        for name, books in numbers.get("adapters", {}).items():
            found = books.get(key)
            if label:
                for reason, count in (found or {}).items():
                    yield {**TYPE, ADAPTER: name, label: reason}, count
            else:
                yield {**TYPE, ADAPTER: name}, found or 0

    return points


def _exported(numbers: Numbers) -> Points:
    """Read what exports have ended with: without a reason for what arrived, with one for what this destination will not get."""
    yield from _adapters("exported")(numbers)
    yield from _adapters("dropped", REASON)(numbers)


def _failing(numbers: Numbers) -> Points:
    for name, books in numbers.get("adapters", {}).items():
        yield {**TYPE, ADAPTER: name}, books.get("retrying_since") is not None


def _journal(key: str) -> Callable[[Numbers], Points]:
    def points(numbers: Numbers) -> Points:
        yield {}, numbers.get("journal", {}).get(key, 0)

    return points


def _open_spans(key: str) -> Callable[[Numbers], Points]:
    def points(numbers: Numbers) -> Points:
        yield {}, numbers.get("open_spans", {}).get(key, 0)

    return points


def _unclaimed(numbers: Numbers) -> Points:
    for name, count in numbers.get("journal", {}).get("unclaimed", {}).items():
        yield {ADAPTER: name}, count


def _unclaimed_dropped(numbers: Numbers) -> Points:
    for name, reasons in numbers.get("journal", {}).get("dropped", {}).items():
        for reason, count in reasons.items():
            yield {ADAPTER: name, REASON: reason}, count


def _stages(numbers: Numbers) -> Points:
    for name, stage in numbers.get("stages", {}).items():
        for reason, count in stage["dropped"].items():
            yield {"tracebridge.stage": name, "tracebridge.reason": reason}, count


def _stages_failed(numbers: Numbers) -> Points:
    for name, stage in numbers.get("stages", {}).items():
        yield {"tracebridge.stage": name}, stage["failed"]


SPANS, BYTES, SECONDS, CALLS, ONE = "{span}", "By", "s", "{call}", "1"

METRICS = (
    Metric("otel.sdk.span.started", "counter", SPANS, "Spans started by calls.", _top("started")),
    Metric("otel.sdk.span.live", "updown", SPANS, "Spans that are open.", _top("open")),
    Metric("otel.sdk.processor.span.queue.size", "updown", SPANS, "Spans in the journal or in flight.", _adapters("queued")),
    Metric(
        "otel.sdk.exporter.span.exported",
        "counter",
        SPANS,
        "Spans that the destination has confirmed; with error.type, those that it will not get, by reason.",
        _exported,
    ),
    Metric("tracebridge.span.sent", "counter", SPANS, "Spans handed over where no answer exists.", _adapters("sent")),
    Metric("tracebridge.span.ingested", "counter", SPANS, "Finished spans handed over by sources.", _top("ingested")),
    Metric("tracebridge.span.held", "updown", SPANS, "Spans that a stage holds until it decides.", _top("held")),
    Metric("tracebridge.span.adopted", "counter", SPANS, "Spans taken over from dead processes.", _adapters("adopted")),
    Metric("tracebridge.span.late_ends", "counter", CALLS, "Ends that came after tracebridge had closed the span.", _top("late_ends")),
    Metric("tracebridge.span.shared", "counter", SPANS, "Spans given to the engine of open spans, where any process may end them.", _top("shared")),
    Metric("tracebridge.sampling.left_out", "counter", SPANS, "Spans that sampling left out, by what decided.", _by("sampled", "tracebridge.reason")),
    Metric("tracebridge.sampling.kept", "counter", SPANS, "Spans kept by sampling.keep, by what they were kept for.", _by("kept", "tracebridge.reason")),
    Metric("tracebridge.sampling.undecided", "updown", SPANS, "Spans that wait for sampling.keep.", _top("undecided")),
    Metric("tracebridge.open_spans.delivered", "counter", SPANS, "Shared spans that this process took from the engine.", _open_spans("delivered")),
    Metric("tracebridge.open_spans.taken_over", "counter", SPANS, "Of these, those whose end another process had told.", _open_spans("taken_over")),
    Metric("tracebridge.open_spans.unfinished", "counter", SPANS, "Of these, those that were overdue.", _open_spans("unfinished")),
    Metric("tracebridge.open_spans.orphaned", "counter", SPANS, "Of these, ends that found no start.", _open_spans("orphaned")),
    Metric("tracebridge.open_spans.waiting", "updown", "{change}", "Changes and ends that wait until the engine answers.", _open_spans("waiting")),
    Metric("tracebridge.open_spans.kept_local", "counter", SPANS, "Spans that stayed in their process, because the engine did not answer.", _open_spans("kept_local")),
    Metric("tracebridge.open_spans.lost_changes", "counter", "{change}", "Changes that found no room to wait.", _open_spans("lost_changes")),
    Metric("tracebridge.open_spans.left_alone", "counter", SPANS, "Shared spans that were left to a newer tracebridge, which has changed them.", _open_spans("left_alone")),
    Metric("tracebridge.open_spans.unreadable", "counter", "{part}", "Parts of shared spans that could not be read.", _open_spans("unreadable")),
    Metric("tracebridge.open_spans.errors", "counter", CALLS, "Calls that the engine did not answer, or answered with an error.", _open_spans("errors")),
    Metric("tracebridge.misuse", "counter", CALLS, "Calls that meant nothing, by kind.", _by("misuse", "tracebridge.kind")),
    Metric("tracebridge.source.rejected", "counter", SPANS, "What sources could not read as spans.", _by("rejected", "tracebridge.reason")),
    Metric("tracebridge.stage.dropped", "counter", SPANS, "Spans that a stage dropped, by its reason.", _stages),
    Metric("tracebridge.stage.failed", "counter", SPANS, "Spans on which a stage failed.", _stages_failed),
    Metric("tracebridge.adapter.failing", "gauge", ONE, "1 while the destination is retried, 0 while it is well.", _failing),
    Metric("tracebridge.adapter.oldest_queued_age", "gauge", SECONDS, "How long the oldest queued span has waited at most.", _adapters("oldest_queued_age_s")),
    Metric("tracebridge.journal.size", "updown", BYTES, "Bytes that the journal's segments take.", _journal("bytes")),
    Metric("tracebridge.journal.in_memory_only", "counter", SPANS, "Spans kept in memory because the disk had no room.", _journal("in_memory_only")),
    Metric("tracebridge.journal.starts_lost", "counter", SPANS, "Open spans that would not be known after a crash.", _journal("starts_lost")),
    Metric("tracebridge.journal.waiting", "updown", SPANS, "Spans of dead processes that wait for room.", _journal("waiting")),
    Metric("tracebridge.journal.left_alone", "updown", "{folder}", "Folders of dead processes that could not be taken over.", _journal("left_alone")),
    Metric("tracebridge.journal.damaged", "counter", "{stretch}", "Stretches of segments that were set aside.", _journal("damaged")),
    Metric("tracebridge.journal.torn", "counter", "{record}", "Records that were being written when a process died.", _journal("torn")),
    Metric("tracebridge.journal.unclaimed", "updown", SPANS, "Spans of dead processes for adapters that are not configured.", _unclaimed),
    Metric("tracebridge.journal.unclaimed.dropped", "counter", SPANS, "Spans that such adapters will not get.", _unclaimed_dropped),
)  # fmt: skip


def dead_letters(count: int) -> Metric:
    """Return the metric of what a journal's directory holds as dead letters; its number stands in no process's books."""

    def points(_: Numbers) -> Points:
        yield {}, count

    return Metric("tracebridge.dead_letters", "updown", SPANS, "Dead letters in the journal's directory.", points)


def names() -> Iterable[str]:
    """Return the names of all metrics, for pages and tests."""
    return [metric.name for metric in (*METRICS, dead_letters(0))]
