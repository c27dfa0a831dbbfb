"""A trace as a waterfall for the terminal: names to the left, bars on one time axis to the right, so that bars can be compared.

A trace as wide as the terminal is: what does not fit is cut and marked, levels too deep to be indented say how deep they are, and every
span that is not drawn is counted, with the option that draws it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style

from tracebridge.cli.shared.folding import Look, Picture, Row, picture_of, service_of
from tracebridge.cli.shared.spantexts import as_text
from tracebridge.cli.shared.texts import Texts
from tracebridge.cli.shared.words import count
from tracebridge.records.durations import duration
from tracebridge.records.record import EndCause, Kind, SpanRecord, StatusCode

if TYPE_CHECKING:
    from rich.console import ConsoleOptions


MAX_SHOWN = 400  # characters of one value
NARROWEST_BAR = 8  # cells
OFFSETS_FROM = 100  # columns, from which on the starts are told in numbers too
NARROWEST_NAME = 12  # cells that a name keeps beside its service
NUMBER = 8  # cells of a duration
_BAR, _HALF = "━", "╸"
_MARKS = {
    int(StatusCode.OK): ("✓ ", Style(color="green")),
    int(StatusCode.ERROR): ("✗ ", Style(color="red", bold=True)),
    int(StatusCode.UNSET): ("· ", Style(dim=True)),
}
_KINDS = {int(kind): kind.name.lower() for kind in (Kind.SERVER, Kind.CLIENT, Kind.PRODUCER, Kind.CONSUMER)}
_DIM, _BOLD, _RED, _WARN = Style(dim=True), Style(bold=True), Style(color="red"), Style(color="yellow", bold=True)
_TIME, _WHAT, _PLAIN = Style(color="yellow"), Style(color="magenta"), Style()
_NEXT = Segment.line()


class Waterfall:
    """One trace, for `console.print`. `details` shows inputs and outputs, `attributes` attributes, tags and events."""

    def __init__(
        self, spans: Sequence[SpanRecord], look: Look | None = None, *, details: bool = False, attributes: bool = False
    ) -> None:
        self._spans = spans
        self._look = Look() if look is None else look
        self._details, self._attributes = details, attributes

    def __rich_console__(self, console: Any, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield what is drawn."""
        picture = picture_of(self._spans, self._look)
        texts = Texts(console.encoding)
        yield from _title(self._spans, picture, texts, options.max_width)
        if picture.rows:
            chart = _Chart(picture, self._spans, texts, options.max_width)
            yield from chart.axis()
            for row in picture.rows:
                yield from chart.line(row)
                for style, text in self._notes(row, texts):
                    yield from chart.note(row, style, text)
            if chart.is_deep:
                yield from _said(texts, [f"»{picture.depth}: {picture.depth} levels below the top"])
        yield from _said(texts, _counts(picture, self._look))

    def _notes(self, row: Row, texts: Texts) -> Iterator[tuple[Style, str]]:
        """Yield what is said below a span."""
        span = row.node.span
        if span.status == StatusCode.ERROR and span.status_message:
            yield _RED, texts.cut(span.status_message, MAX_SHOWN)
        if span.end_cause != EndCause.FINISHED:
            yield _WARN, texts.cut(f"({span.end_cause}; opened at {span.opened_at or 'an unknown place'})", MAX_SHOWN)
        parent = span.parent_id.hex() if span.parent_id else ""
        if row.node.place == "orphan":
            yield _DIM, f"(parent {parent} is elsewhere)"
        elif row.node.place == "circle":
            yield _WARN, f"(parent {parent} is one of its own descendants)"
        if row.times > 1:
            yield _DIM, f"the slowest of {row.times:,}; {count(row.folded, 'span')} not drawn: --unfold"
        if row.deeper:
            yield _DIM, f"{count(row.deeper, 'deeper span')}"
        if row.collapsed:
            yield _DIM, f"{count(row.collapsed, 'span')} below, collapsed"
        for key, value in _pairs(span, self._details, self._attributes):
            yield _PLAIN, f"{texts.cut(key, MAX_SHOWN)} {texts.cut(as_text(value), MAX_SHOWN)}"


def _title(spans: Sequence[SpanRecord], picture: Picture, texts: Texts, width: int) -> Iterator[Segment]:
    custom = next((span.custom_trace_id for span in spans if span.custom_trace_id), None)
    wire = spans[0].trace_id.hex()
    title = texts.clean(custom or wire)  # whole, however long: it is there to be copied
    yield Segment(title, _BOLD)
    if custom:
        yield from (Segment("  "),) if texts.cells(title) + 2 + len(wire) <= width else (_NEXT,)
        yield Segment(wire, _DIM)
    yield _NEXT
    services = dict.fromkeys(name for span in spans if (name := service_of(span)))
    first, last = _window(spans)
    facts = [
        texts.fit(", ".join(services), max(20, width // 3)),
        count(picture.spans, "span"),
        count(picture.errors, "error") if picture.errors else "",
        duration(last - first),
        f"{_moment(first)}" if first else "",
    ]
    yield Segment(texts.fit(texts.clean(" · ".join(fact for fact in facts if fact)), width))
    yield _NEXT


def _moment(ns: int) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=ns // 1_000)
    except OverflowError:
        return f"{ns} ns"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // 1_000_000 % 1_000:03d} UTC"


def _window(spans: Sequence[SpanRecord]) -> tuple[int, int]:
    """Return when the first span starts and the last one ends; a piece that has no start yet does not count."""
    timed = [span for span in spans if span.start_time_ns] or spans
    first = min(span.start_time_ns for span in timed)
    last = max(span.start_time_ns + span.duration_ns for span in timed)
    return first, last


def _counts(picture: Picture, look: Look) -> Iterator[str]:
    """Yield what is not drawn, and how to see it."""
    deeper = picture.total("deeper")
    if deeper:
        yield f"{count(deeper, 'deeper span')}: --max-depth {picture.depth}"
    if picture.total("collapsed"):
        yield f"{count(picture.total('collapsed'), 'collapsed span')}: without --collapse"
    if picture.total("folded"):
        yield f"{count(picture.total('folded'), 'span')} folded into others of their name: --unfold"
    if picture.beyond:
        yield f"{count(picture.beyond, 'more span')}: --max-spans {picture.spans}"
    if picture.filtered:
        asked = {
            "--errors": look.errors,
            "--min-duration": look.min_duration_ns,
            "--service": look.service,
            "--name": look.name,
        }
        yield f"{count(picture.filtered, 'span')} not asked for ({', '.join(name for name, given in asked.items() if given)})"


def _said(texts: Texts, lines: Sequence[str] | Iterator[str]) -> Iterator[Segment]:
    for line in lines:
        yield Segment(texts.clean(line), _DIM)
        yield _NEXT


def _pairs(span: SpanRecord, details: bool, attributes: bool) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    if details:
        pairs += [("inputs", span.inputs), ("outputs", span.outputs)]
    if attributes:
        pairs += [*span.attributes.items(), *((f"tag {key}", value) for key, value in span.tags.items())]
        pairs += [(f"event {event.name}", event.attributes or "") for event in span.events]
    return [(key, value) for key, value in pairs if value is not None]


class _Chart:
    """The columns, and what stands in them."""

    def __init__(self, picture: Picture, spans: Sequence[SpanRecord], texts: Texts, width: int) -> None:
        self._texts = texts
        self._first, last = _window(spans)
        self._whole = max(1, last - self._first)
        self._offset = 2 + NUMBER if width >= OFFSETS_FROM else 0
        numbers = self._offset + 2 + NUMBER + 2
        most = max(NARROWEST_NAME, width - numbers - max(NARROWEST_BAR, width // 3))
        self.levels = max(2, most // 4)
        """How many levels are indented; what is deeper says how deep it is."""
        self.is_deep = any(row.depth > self.levels for row in picture.rows)
        self._many_services = len({service_of(span) for span in spans}) > 1
        longest = max(
            2 * min(row.depth, self.levels) + 2 + texts.cells(self._name(row)) + self._what_cells(row)
            for row in picture.rows
        )
        self._left = min(most, longest)
        self._bar = max(1, width - self._left - numbers)
        self._guides: list[str] = []
        """What stands before the rows of each level, as the rows above have left it."""

    def axis(self) -> Iterator[Segment]:
        """Yield the line above the spans: the time axis that all bars share."""
        end = duration(self._whole)
        middle = duration(self._whole // 2)
        half = self._bar // 2
        room = self._bar - len(end) - 1
        text = (
            "0".ljust(half - len(middle) // 2) + middle if half > len(middle) + 2 and room > half + len(middle) else "0"
        )
        yield Segment(" " * (self._left + self._offset + 2 + NUMBER + 2))
        yield Segment(self._texts.clean(text.ljust(room + 1) + end if room > 0 else end[: self._bar]), _DIM)
        yield _NEXT

    def line(self, row: Row) -> Iterator[Segment]:
        """Yield a span's line."""
        span = row.node.span
        guides = self._branch(row)
        room = self._left - self._texts.cells(guides) - 2
        mark, style = _MARKS[StatusCode(span.status)]
        name, what = self._name(row), self._what(row)
        if what and self._texts.cells(name) + 2 + self._texts.cells(what) > room:
            what = self._texts.fit(what, max(0, room - 2 - min(NARROWEST_NAME, self._texts.cells(name))))
        name = self._texts.fit(name, room - (2 + self._texts.cells(what) if what else 0))
        yield Segment(guides, _DIM)
        yield Segment(self._texts.clean(mark), style)
        yield Segment(name, _BOLD if span.is_root else _PLAIN)
        if what:
            yield Segment("  " + what, _WHAT)
        used = self._texts.cells(name) + (2 + self._texts.cells(what) if what else 0)
        start = span.start_time_ns - self._first
        offset = self._texts.clean("+" + duration(start) if span.start_time_ns else "?").rjust(self._offset)
        told = self._texts.clean(duration(span.duration_ns)).rjust(NUMBER + 2)
        yield Segment(" " * (room - used) + (offset if self._offset else ""), _DIM)
        yield Segment(told + "  ", _TIME)
        if span.start_time_ns:
            yield from self._drawn(start, span.duration_ns, style)
        yield _NEXT

    def note(self, row: Row, style: Style, text: str) -> Iterator[Segment]:
        """Yield lines below a span's own, across the columns."""
        guides = self._below(row)
        room = max(NARROWEST_NAME, self._left + self._offset + NUMBER + 4 + self._bar - self._texts.cells(guides))
        for part in self._texts.folded(text, room):
            yield Segment(guides, _DIM)
            yield Segment(part, style)
            yield _NEXT

    def _drawn(self, start: int, ns: int, style: Style) -> Iterator[Segment]:
        """Yield a bar, to half a cell; the shortest is half a cell long."""
        halves = 2 * self._bar
        begin = min(halves - 1, max(0, start) * halves // self._whole)
        length = max(1, min(halves - begin, -(-ns * halves // self._whole)))
        before, begins_late = divmod(begin, 2)
        cells = (begins_late + length + 1) // 2
        bar = _BAR * cells if length > 1 else _HALF
        yield Segment(" " * before)
        yield Segment(self._texts.clean(bar), style)

    def _branch(self, row: Row) -> str:
        """Return the guides before a span, and remember those for what comes below."""
        depth = min(row.depth, self.levels)
        del self._guides[depth:]
        if row.depth == 0:
            return ""
        before = "".join(self._guides[1:depth])
        self._guides += [""] * (depth - len(self._guides))
        self._guides.append("  " if row.is_last else "│ ")
        if row.depth > self.levels:
            return self._texts.clean(f"»{row.depth} ").rjust(2 * self.levels)
        return self._texts.clean(before + ("└ " if row.is_last else "├ "))

    def _below(self, row: Row) -> str:
        depth = min(row.depth, self.levels)
        inner = "" if row.depth > self.levels else "".join(self._guides[1 : depth + 1])
        return self._texts.clean(inner.ljust(2 * depth) + ("│ " if row.has_below and depth < self.levels else "  "))

    def _name(self, row: Row) -> str:
        name = self._texts.cut(row.node.span.name, MAX_SHOWN) or "(no name)"
        return name if row.times == 1 else self._texts.clean(f"{name} × {row.times:,}")

    def _what_cells(self, row: Row) -> int:
        what = self._what(row)
        return 2 + self._texts.cells(what) if what else 0

    def _what(self, row: Row) -> str:
        """Return a span's service, where it changes, its kind and its type."""
        span, parent = row.node.span, row.parent
        service = service_of(span)
        changes = self._many_services if parent is None else service != service_of(parent)
        said = [service if changes else "", _KINDS.get(span.kind, "")]
        said.append(span.span_type if span.span_type != "UNKNOWN" else "")
        if parent is not None and parent.span_id == span.span_id:
            said.append("same ID")  # the server's half of the call above
        return self._texts.cut(", ".join(part for part in said if part), MAX_SHOWN)
