"""The spans of a trace as a tree: each once, under the half of a call that it belongs to.

A server's half that shares its client's ID stands under it. A child of that ID stands under the half of its own service (zipkin 3.6,
`zipkin2.internal.SpanNode`). Spans whose parents are not there stand at the top, and so does one span of a circle, so that every
span is in the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tracebridge.records.record import SpanRecord
from tracebridge.records.span_identity import SpanKey, key_of, settled

Place = Literal["root", "child", "orphan", "circle"]


@dataclass(slots=True, eq=False)
class Node:
    """A span and what stands under it."""

    span: SpanRecord
    place: Place = "child"
    """`orphan`: its parent is not there; `circle`: its parent is one of its own descendants."""
    children: list[Node] = field(default_factory=list)
    """In start order."""


def tree_of(records: Sequence[SpanRecord]) -> list[Node]:
    """Return what stands at the top, in start order. The records are of one trace; pieces are merged, doubles are left out."""
    nodes = [Node(span) for span in sorted(settled(records), key=lambda span: (span.start_time_ns, span.end_time_ns))]
    halves = _Halves(nodes)
    parents = {id(node): parent for node in nodes if (parent := halves.parent_of(node)) is not None}
    for node in nodes:
        parent = parents.get(id(node))
        if parent is not None:
            parent.children.append(node)
        else:
            node.place = "root" if node.span.parent_id is None else "orphan"
    _open_circles(nodes, parents)
    return [node for node in nodes if node.place != "child"]


class _Halves:
    """Finds the span that an ID means to another span."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._by_key: dict[SpanKey, Node] = {}
        self._callers: dict[bytes, Node] = {}
        """By ID, the span that is not the server's half of a call, where there is one."""
        for node in nodes:
            key = key_of(node.span)
            self._by_key.setdefault(key, node)
            known = self._callers.get(key.span_id)
            if known is None or (known.span.shared and not node.span.shared):
                self._callers[key.span_id] = node

    def parent_of(self, node: Node) -> Node | None:
        """Return the span that this one stands under; None at the top."""
        span = node.span
        if span.shared:
            caller = self._callers[span.span_id]
            if caller is not node and not caller.span.shared:
                return caller
        if span.parent_id is None:
            return None
        server = self._by_key.get(SpanKey(span.parent_id, "server", key_of(span).service))
        return server if server is not None else self._callers.get(span.parent_id)


def _open_circles(nodes: Sequence[Node], parents: dict[int, Node]) -> None:
    """Bring to the top the first span of each circle, which nothing at the top leads to."""
    reached: set[int] = set()

    def walk(top: Node) -> None:
        waiting = [top]  # no recursion: a trace may be thousands of spans deep
        while waiting:
            node = waiting.pop()
            reached.add(id(node))
            waiting += node.children

    for node in nodes:
        if node.place != "child":
            walk(node)
    for node in nodes:
        if id(node) not in reached:
            first = _first_of_circle(node, parents)
            parents[id(first)].children.remove(first)
            first.place = "circle"
            walk(first)


def _first_of_circle(node: Node, parents: dict[int, Node]) -> Node:
    """Return the earliest span of the circle that a span hangs from."""
    seen: set[int] = set()
    while id(node) not in seen:
        seen.add(id(node))
        node = parents[id(node)]
    circle = [node]
    while (node := parents[id(node)]) is not circle[0]:
        circle.append(node)
    return min(circle, key=lambda one: one.span.start_time_ns)
