"""Which spans of a trace are drawn, in which order, and how many are not, and why: every span is in one of these counts.

Nothing here recurses: a trace may be thousands of spans deep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tracebridge.cli.shared.names import is_named
from tracebridge.records.record import EndCause, SpanRecord, StatusCode
from tracebridge.records.tree import Node, tree_of

FOLD_FROM = 10  # siblings of one name from which on they are drawn as one
MAX_SPANS = 10_000  # drawn at once
_ERROR = int(StatusCode.ERROR)
_FINISHED = EndCause.FINISHED.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What of a trace somebody wants to see. A span that is not asked for is drawn where it leads to one that is."""

    errors: bool = False
    """Those whose status is ERROR."""
    min_duration_ns: int = 0
    service: str | None = None
    name: str | None = None
    """Exactly, with % as a wildcard."""
    max_depth: int | None = None
    """Levels below the top; None for all."""
    collapse: Sequence[str] = ()
    """Names, with % as a wildcard, of spans whose children are not drawn."""
    unfold: bool = False
    """Draw each of many siblings of one name."""
    max_spans: int = MAX_SPANS

    @property
    def filters(self) -> bool:
        """Whether some spans are not asked for."""
        return bool(self.errors or self.min_duration_ns or self.service or self.name)

    def wants(self, span: SpanRecord) -> bool:
        """Return whether a span is asked for."""
        return (
            (not self.errors or span.status == _ERROR)
            and span.duration_ns >= self.min_duration_ns
            and (self.service is None or service_of(span) == self.service)
            and (self.name is None or is_named(span.name, self.name))
        )


@dataclass(slots=True)
class Row:
    """A span that is drawn."""

    node: Node
    depth: int
    is_last: bool
    """Whether no sibling is drawn below it."""
    has_below: bool = False
    """Whether spans are drawn under it."""
    parent: SpanRecord | None = None
    times: int = 1
    """How many siblings it stands for, itself among them: it is the slowest."""
    folded: int = 0
    """Spans that are not drawn because it stands for them."""
    deeper: int = 0
    """Spans below it that are not drawn because of `max_depth`."""
    collapsed: int = 0
    """Spans below it that are not drawn because of `collapse`."""


@dataclass(slots=True)
class Picture:
    """What is drawn, and what is not."""

    rows: list[Row] = field(default_factory=list)
    spans: int = 0
    errors: int = 0
    depth: int = 0
    """Of the deepest span, drawn or not; the top is 0."""
    filtered: int = 0
    """Spans that nobody asked for."""
    beyond: int = 0
    """Spans after the first `max_spans`."""

    def total(self, kind: str) -> int:
        """Return how many spans are `folded`, `deeper` or `collapsed`."""
        return sum(getattr(row, kind) for row in self.rows)


def service_of(span: SpanRecord) -> str:
    """Return the name of a span's service; empty where it is not told."""
    return span.resource.service_name if span.resource is not None else ""


def picture_of(spans: Sequence[SpanRecord], look: Look) -> Picture:
    """Return what is drawn of one trace."""
    tops = tree_of(spans)
    order = list(_walked(tops))
    picture = Picture(spans=len(order), depth=max(depth for _, depth in order))
    facts: dict[int, _Below] = {}
    for node, _ in reversed(order):  # children before their parents
        picture.errors += node.span.status == _ERROR
        facts[id(node)] = _below(node, look, facts)
    waiting = _entries(tops, 0, None, look, facts)
    while waiting and len(picture.rows) < look.max_spans:
        row = waiting.pop()
        picture.rows.append(row)
        node, below = row.node, facts[id(row.node)]
        if row.depth == look.max_depth:
            row.deeper = below.drawn - 1
        elif any(is_named(node.span.name, name) for name in look.collapse):
            row.collapsed = below.drawn - 1
        else:
            entries = _entries(node.children, row.depth + 1, node.span, look, facts)
            row.has_below = bool(entries)
            waiting += entries
    picture.filtered = picture.spans - sum(facts[id(top)].drawn for top in tops)
    picture.beyond = sum(facts[id(row.node)].drawn + row.folded for row in waiting)
    return picture


@dataclass(slots=True)
class _Below:
    """What is known of a span and all below it."""

    drawn: int
    """How many lead to what is asked for, itself among them."""
    troubled: bool
    """Whether one of them failed, or did not end by itself."""


def _below(node: Node, look: Look, facts: dict[int, _Below]) -> _Below:
    below = [facts[id(child)] for child in node.children]
    drawn = sum(each.drawn for each in below)
    is_drawn = bool(drawn) or look.wants(node.span)
    troubled = node.span.status == _ERROR or node.span.end_cause != _FINISHED or node.place in {"circle", "orphan"}
    return _Below(drawn + is_drawn, troubled or any(each.troubled for each in below))


def _walked(tops: Sequence[Node]) -> Iterator[tuple[Node, int]]:
    """Yield every span with its depth, each before those below it."""
    waiting = [(top, 0) for top in reversed(tops)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _entries(
    nodes: Sequence[Node], depth: int, parent: SpanRecord | None, look: Look, facts: dict[int, _Below]
) -> list[Row]:
    """Return the rows of some siblings, the last in front: the many of one name as one, but for those with trouble in them."""
    shown = [node for node in nodes if facts[id(node)].drawn]
    groups: dict[tuple[object, ...], list[Node]] = {}
    if len(shown) >= FOLD_FROM and not look.unfold:
        for node in shown:
            if not facts[id(node)].troubled:
                groups.setdefault(_alike(node.span), []).append(node)
    stands: dict[int, Row] = {}
    rows = []
    for node in shown:
        group = () if facts[id(node)].troubled else groups.get(_alike(node.span), ())
        if len(group) < FOLD_FROM:
            rows.append(Row(node, depth, False, parent=parent))
        elif id(group) not in stands:
            slowest = max(group, key=lambda one: one.span.duration_ns)
            folded = sum(facts[id(each)].drawn for each in group) - facts[id(slowest)].drawn
            stands[id(group)] = row = Row(slowest, depth, False, parent=parent, times=len(group), folded=folded)
            rows.append(row)
    if rows:
        rows[-1].is_last = True
    return rows[::-1]


def _alike(span: SpanRecord) -> tuple[object, ...]:
    return span.name, span.kind, span.span_type, service_of(span)
