"""A trace as a tree for the terminal: names, durations, a waterfall, status, and inputs and outputs on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tracebridge.cli.shared.words import count
from tracebridge.masking.printable import printable
from tracebridge.records.record import EndCause, SpanRecord, StatusCode

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from tracebridge.records.tree import Node

WATERFALL_CELLS = 24  # width of the bar that shows when a span ran
MAX_SHOWN = 400  # characters of one value
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_MARKS = {StatusCode.OK: ("✓", "green"), StatusCode.ERROR: ("✗", "bold red"), StatusCode.UNSET: ("·", "dim")}


def duration(ns: int) -> str:
    """Return nanoseconds as people say them.

    >>> duration(1_234_567), duration(900), duration(2_000_000_000)
    ('1.23 ms', '900 ns', '2.00 s')
    """
    for size, unit in _UNITS:
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns} ns"


def trace_tree(spans: Sequence[SpanRecord], *, details: bool = False, attributes: bool = False) -> Tree:
    """Return the trace as a rich tree; spans whose parent is not there, and circles, stand at the top, marked."""
    from rich.markup import escape
    from rich.tree import Tree

    from tracebridge.records.tree import tree_of

    tops = tree_of(spans)
    first = min(span.start_time_ns for span in spans)
    whole = max(1, max(span.end_time_ns for span in spans) - first)

    custom = next((span.custom_trace_id for span in spans if span.custom_trace_id), None)
    wire = spans[0].trace_id.hex()
    service = spans[0].resource.service_name if spans[0].resource is not None else ""
    title = f"[bold]{escape(cut(custom or wire))}[/]" + (f"  [dim]{wire}[/]" if custom else "")
    tree = Tree("", guide_style="dim")

    drawn = 0
    waiting: list[tuple[Tree, Node]] = [(tree, node) for node in reversed(tops)]
    while waiting:  # no recursion: a trace may be thousands of spans deep
        branch, node = waiting.pop()
        drawn += 1
        below = branch.add(_line(node, first, whole))
        for shown in _details(node.span, details, attributes):
            below.add(shown)
        waiting.extend((below, child) for child in reversed(node.children))
    tree.label = f"{title}  [cyan]{escape(cut(service))}[/]  {count(drawn, 'span')}"
    return tree


def _line(node: Node, first: int, whole: int) -> Text:
    from rich.text import Text

    span = node.span
    mark, style = _MARKS[StatusCode(span.status)]
    line = Text.assemble((mark + " ", style), (cut(span.name) or "(no name)", "bold" if span.is_root else ""))
    line.append(f"  {duration(span.duration_ns)}", "yellow")
    start = min(WATERFALL_CELLS - 1, (span.start_time_ns - first) * WATERFALL_CELLS // whole)
    width = max(1, min(WATERFALL_CELLS - start, span.duration_ns * WATERFALL_CELLS // whole))
    line.append("  " + "·" * start, "dim")
    line.append("━" * width, style)
    line.append("·" * (WATERFALL_CELLS - start - width), "dim")
    if span.span_type != "UNKNOWN":
        line.append(f"  {cut(span.span_type)}", "magenta")
    if span.status == StatusCode.ERROR and span.status_message:
        line.append(f"  {cut(span.status_message)}", "red")
    if span.end_cause != EndCause.FINISHED:
        line.append(f"  ({span.end_cause}; opened at {cut(span.opened_at) or 'an unknown place'})", "bold yellow")
    parent = span.parent_id.hex() if span.parent_id else ""
    if node.place == "orphan":
        line.append(f"  (parent {parent} is elsewhere)", "dim")
    elif node.place == "circle":
        line.append(f"  (parent {parent} is one of its own descendants)", "bold yellow")
    return line


def _details(span: SpanRecord, details: bool, attributes: bool) -> list[Text]:
    from rich.text import Text

    pairs: list[tuple[str, Any]] = []
    if details:
        pairs += [("inputs", span.inputs), ("outputs", span.outputs)]
    if attributes:
        pairs += [*span.attributes.items(), *((f"tag {key}", value) for key, value in span.tags.items())]
        pairs += [(f"event {event.name}", event.attributes or None) for event in span.events]
    return [Text.assemble((cut(key) + " ", "dim"), cut(as_text(value))) for key, value in pairs if value is not None]


def as_text(value: Any) -> str:
    """Return text as it is and anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def cut(text: str, most: int = MAX_SHOWN) -> str:
    """Return one line of at most `most` characters; control characters cannot reach the terminal."""
    flat = printable(text)
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def span_json(span: SpanRecord) -> dict[str, Any]:
    """Return a record as plain values: IDs as hex, times in nanoseconds as integers."""
    plain: dict[str, Any] = msgspec.structs.asdict(span)
    for key in ("trace_id", "span_id", "parent_id"):
        plain[key] = None if plain[key] is None else plain[key].hex()
    plain["status"] = StatusCode(span.status).name
    plain["events"] = [msgspec.structs.asdict(event) for event in span.events]
    plain["links"] = [
        {**msgspec.structs.asdict(link), "trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}
        for link in span.links
    ]
    plain["resource"] = span.resource.attributes if span.resource is not None else {}
    plain["scope"] = None if span.scope is None else msgspec.structs.asdict(span.scope)
    return plain
