"""The critical path of a trace: the spans that its end waited for.

Walked backwards from the end: of what a span waited for, the child that ended last, then the one that ended last before that one began, and so
on, each with its own children (Jaeger's UI marks the same, `jaeger-ui` 1.62, `computeCriticalPath`). What outlives its parent counts as far as
the parent lasted.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracebridge.records.tree import Node


def critical_path(tops: Sequence[Node]) -> set[int]:
    """Return the `id` of each node on the path. Spans without any duration are not on it."""
    found: set[int] = set()
    end_ns = max((_end_ns(node) for node in tops), default=0)
    waiting: list[tuple[Sequence[Node], int]] = [(tops, end_ns)]
    while waiting:  # no recursion: a trace may be thousands of spans deep
        nodes, parent_end_ns = waiting.pop()
        before_ns = parent_end_ns
        for node in sorted(nodes, key=_end_ns, reverse=True):
            start_ns, node_end_ns = node.span.start_time_ns, min(_end_ns(node), parent_end_ns)
            if start_ns < node_end_ns <= before_ns:
                found.add(id(node))
                waiting.append((node.children, node_end_ns))
                before_ns = start_ns
    return found


def _end_ns(node: Node) -> int:
    return node.span.start_time_ns + node.span.duration_ns
