"""A trace as a tree: each span once, under the half of a call that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tracebridge.records.record import Kind, Resource, SpanRecord
from tracebridge.records.tree import Node, tree_of

T0 = 1_790_000_000_000_000_000


def span(
    name: str, own: int, parent: int | None, service: str = "shop", kind: int = Kind.INTERNAL, **more: Any
) -> SpanRecord:
    """A span whose start is its number."""
    start = T0 + more.pop("start", own) * 1_000
    return SpanRecord(
        b"t" * 16, own.to_bytes(8, "big"), None if parent is None else parent.to_bytes(8, "big"), name, start, start + 5_000, int(kind),
        resource=Resource({"service.name": service}), **more,
    )  # fmt: skip


def drawn(nodes: Sequence[Node]) -> Any:
    """Names and places, nested."""
    return [(node.span.name, node.place, drawn(node.children)) for node in nodes]


def hops(number: int, *, flagged: bool) -> list[SpanRecord]:
    """A chain of services, each of which calls the next under an ID that both halves have."""
    out = []
    for n in range(1, number + 1):
        above = n - 1 if n > 1 else None
        out.append(span(f"c{n}", n, above, f"svc{n}", Kind.CLIENT, start=2 * n))
        out.append(span(f"s{n}", n, above, f"svc{n + 1}", Kind.SERVER, start=2 * n + 1, shared=flagged))
    return out


@pytest.mark.parametrize("flagged", [True, False])
def test_a_chain_of_shared_spans_is_a_chain(flagged):
    """The server's half stands under its client's, what it calls under it: 14 hops are 28 rows."""
    expected: Any = []
    for n in range(14, 0, -1):
        expected = [(f"c{n}", "child" if n > 1 else "root", [(f"s{n}", "child", expected)])]
    assert expected == drawn(tree_of(hops(14, flagged=flagged)[::-1]))


def test_a_child_stands_under_the_half_of_its_own_service():
    """Of both halves, and of several servers."""
    spans = [
        span("call", 1, None, "front", Kind.CLIENT), span("back", 1, None, "back", Kind.SERVER, shared=True),
        span("stock", 1, None, "stock", Kind.SERVER, shared=True),
        span("in front", 2, 1, "front"), span("in back", 3, 1, "back"), span("in stock", 4, 1, "stock"), span("elsewhere", 5, 1, "mail"),
    ]  # fmt: skip
    leaf: list[Any] = [("in front", "child", []), ("elsewhere", "child", [])]
    back: Any
    stock: Any
    back, stock = ("back", "child", [("in back", "child", [])]), ("stock", "child", [("in stock", "child", [])])
    assert drawn(tree_of(spans)) == [("call", "root", [back, stock, *leaf])]


def test_a_servers_half_without_its_client_stands_where_its_parent_is():
    """The client's service is not traced, or its span was lost."""
    spans = [span("root", 1, None), span("served", 2, 1, "back", Kind.SERVER, shared=True), span("below", 3, 2, "back")]
    assert drawn(tree_of(spans)) == [("root", "root", [("served", "child", [("below", "child", [])])])]


def test_spans_whose_parent_is_not_there_stand_at_the_top():
    """Marked, in start order."""
    assert drawn(tree_of([span("b", 3, 9), span("a", 2, 8)])) == [("a", "orphan", []), ("b", "orphan", [])]


def test_a_circle_is_opened_at_its_first_span():
    """Two that are each other's parents are two; what hangs from the circle is below it."""
    assert drawn(tree_of([span("a", 1, 2), span("b", 2, 1)])) == [("a", "circle", [("b", "child", [])])]
    spans = [span("leaf", 9, 3, start=0), span("b", 2, 4), span("c", 3, 2), span("d", 4, 3), span("root", 5, None)]
    expected: list[Any] = [
        ("b", "circle", [("c", "child", [("leaf", "child", []), ("d", "child", [])])]),
        ("root", "root", []),
    ]
    assert drawn(tree_of(spans)) == expected
    assert drawn(tree_of([span("own parent", 1, 1)])) == [("own parent", "circle", [])]


def test_deep_and_wide_traces_are_no_problem():
    """No recursion; every span once."""
    nodes = tree_of(
        [span("x", n, n - 1 or None) for n in range(1, 20_000)] + [span("y", 30_000 + n, 1) for n in range(20_000)]
    )
    waiting, seen = list(nodes), 0
    while waiting:
        seen += 1
        waiting += waiting.pop().children
    assert (len(nodes), seen) == (1, 39_999)
