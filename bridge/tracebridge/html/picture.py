"""What a browser draws of a trace, as plain values: rows in the order in which they stand, bounded, and printable whoever wrote the spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tracebridge.html.critical_path import critical_path
from tracebridge.masking.printable import printable, printable_lines
from tracebridge.records.record import EndCause, Kind, SpanRecord, StatusCode
from tracebridge.records.tree import Node, tree_of

MAX_SPANS: Final = 20_000
"""Spans of one picture; deeper ones are counted on the row that they stand under."""
MAX_NAME: Final = 300
"""Characters of a name, a service or a key."""
MAX_VALUE: Final = 8_000
"""Characters of one value."""
MAX_TEXT: Final = 8_000_000
"""Characters of all values; after so many each is cut to `MAX_SHORT`."""
MAX_SHORT: Final = 200

Picture = dict[str, Any]
_FINISHED: Final = EndCause.FINISHED.value
_encode = msgspec.json.Encoder().encode


def picture(records: Sequence[SpanRecord], *, max_spans: int = MAX_SPANS, unread: int = 0) -> Picture:
    """Return one trace (at least one record) as a browser draws it: IDs as hex, times as nanoseconds after the trace's start, values as text.

    `unread`: spans that the trace has besides, and that were not read. A key that a row lacks is at its default: kind INTERNAL, status UNSET, no details.
    """
    tops = tree_of(records)
    nodes = [node for node, _ in _walk(tops)]
    # a piece of a span that lacks its start would stretch the picture over half a century
    start_ns = min((node.span.start_time_ns for node in nodes if node.span.start_time_ns), default=0)
    end_ns = max(start_ns, *(node.span.start_time_ns + node.span.duration_ns for node in nodes))
    path = critical_path(tops)
    drawn = _shallowest(tops, max_spans) if len(nodes) > max_spans else None
    left_out = {} if drawn is None else _left_out(nodes, drawn)
    texts = _Texts()
    rows = []
    for node, depth in _walk(tops):
        if drawn is not None and id(node) not in drawn:
            continue
        row = _row(node, start_ns, texts) | {"depth": depth}
        if id(node) in path:
            row["critical"] = True
        if left_out.get(id(node)):
            row["left_out"] = left_out[id(node)]
        rows.append(row)
    first = tops[0].span
    custom = next((node.span.custom_trace_id for node in nodes if node.span.custom_trace_id), None)
    return {
        "id": texts.name(custom or first.trace_id.hex()),
        "wire_id": first.trace_id.hex(),
        "name": texts.name(first.name),
        "service": _service(first, texts),
        "status": StatusCode(first.status).name,
        "start_ms": start_ns / 1e6,
        "duration": end_ns - start_ns,
        "spans": len(nodes) + unread,
        "errors": sum(node.span.status == StatusCode.ERROR for node in nodes),
        "left_out": len(nodes) + unread - len(rows),
        "shortened": texts.shortened,
        "rows": rows,
    }


class _Texts:
    """Makes texts printable and bounded, each alone and all together."""

    def __init__(self) -> None:
        self._left = MAX_TEXT
        self.shortened = 0
        """How many values were cut."""

    def name(self, text: str) -> str:
        """Return one line."""
        flat = printable(text[: MAX_NAME + 1])
        return flat if len(flat) <= MAX_NAME else f"{flat[: MAX_NAME - 1]}…"

    def value(self, value: Any) -> str:
        """Return a text as it is, anything else as JSON; a text that is cut says by how much."""
        text = value if isinstance(value, str) else _encode(value).decode()
        most = MAX_VALUE if self._left > 0 else MAX_SHORT
        self._left -= min(len(text), most)
        if len(text) <= most:
            return printable_lines(text)
        self.shortened += 1
        return f"{printable_lines(text[:most])}… ({len(text) - most:,} more characters)"

    def pairs(self, given: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return keys with their values."""
        return [(self.name(key), self.value(value)) for key, value in given.items()]


def _row(node: Node, start_ns: int, texts: _Texts) -> dict[str, Any]:
    span = node.span
    row = {
        "name": texts.name(span.name),
        "service": _service(span, texts),
        "start": max(0, span.start_time_ns - start_ns),
        "duration": span.duration_ns,
        "id": span.span_id.hex(),
    }
    if span.kind not in (Kind.INTERNAL, Kind.UNSPECIFIED):
        row["kind"] = Kind(span.kind).name
    if span.status != StatusCode.UNSET:
        row["status"] = StatusCode(span.status).name
    if span.parent_id is not None:
        row["parent"] = span.parent_id.hex()
    if node.place in ("orphan", "circle"):
        row["place"] = node.place
    if span.span_type != "UNKNOWN":
        row["type"] = texts.name(span.span_type)
    if span.custom_span_id:
        row["own_id"] = texts.name(span.custom_span_id)
    if span.end_cause != _FINISHED:
        row |= {"end_cause": str(span.end_cause), "opened_at": texts.name(span.opened_at)}
    return row | _details(span, start_ns, texts)


def _details(span: SpanRecord, start_ns: int, texts: _Texts) -> dict[str, Any]:
    """Return what is shown of a span when it is asked for; what it does not have is left out."""
    given: dict[str, Any] = {
        "message": texts.value(span.status_message) if span.status_message else None,
        "inputs": None if span.inputs is None else texts.value(span.inputs),
        "outputs": None if span.outputs is None else texts.value(span.outputs),
        "attributes": texts.pairs(span.attributes) or None,
        "tags": texts.pairs(span.tags) or None,
        "events": [(texts.name(e.name), e.time_ns - start_ns, texts.pairs(e.attributes)) for e in span.events] or None,
        "links": [(link.trace_id.hex(), link.span_id.hex(), texts.pairs(link.attributes)) for link in span.links]
        or None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _service(span: SpanRecord, texts: _Texts) -> str:
    return texts.name(span.resource.service_name) if span.resource is not None else ""


# ---------------------------------------------------------------------- which rows


def _walk(tops: Sequence[Node]) -> Iterator[tuple[Node, int]]:
    """Yield each node with its depth, parents first; no recursion, because a trace may be thousands of spans deep."""
    waiting = [(node, 0) for node in reversed(tops)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _shallowest(tops: Sequence[Node], most: int) -> set[int]:
    """Return the `id` of each node that is drawn where not all can be: those nearest to the top."""
    level, drawn = list(tops), set[int]()
    while level and len(drawn) < most:
        drawn |= {id(node) for node in level[: most - len(drawn)]}
        level = [child for node in level for child in node.children]
    return drawn


def _left_out(nodes: Sequence[Node], drawn: set[int]) -> dict[int, int]:
    """Return how many nodes below each one are not drawn, for each that is drawn itself while some of its children are not."""
    below: dict[int, int] = {}
    hidden: dict[int, int] = {}
    for node in reversed(nodes):  # children before parents
        below[id(node)] = 1 + sum(below[id(child)] for child in node.children)
        hidden[id(node)] = sum(below[id(child)] for child in node.children if id(child) not in drawn)
    return hidden
