"""The critical path: the spans that the end of a trace waited for."""

from __future__ import annotations

import pytest

from support.pictures import span
from tracebridge.html.critical_path import critical_path
from tracebridge.records.tree import tree_of


def on_path(*spans):
    """The names on the path, in the order of the spans."""
    tops = tree_of(spans)
    path, waiting, found = critical_path(tops), list(tops), set()
    while waiting:
        node = waiting.pop()
        waiting += node.children
        found |= {node.span.name} if id(node) in path else set()
    return [one.name for one in spans if one.name in found]


ROOT = span("root", 1, None, 0, 100)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([ROOT], ["root"], id="alone"),
        pytest.param([ROOT, span("a", 2, 1, 0, 40), span("b", 3, 1, 40, 90)], ["root", "a", "b"], id="one after the other"),
        pytest.param([ROOT, span("short", 2, 1, 0, 40), span("long", 3, 1, 0, 90)], ["root", "long"], id="side by side"),
        pytest.param([ROOT, span("a", 2, 1, 0, 60), span("b", 3, 1, 50, 90)], ["root", "b"], id="b did not wait for a"),
        pytest.param([ROOT, span("late", 2, 1, 50, 400)], ["root", "late"], id="what outlives its parent counts as far as that lasted"),
        pytest.param([ROOT, span("after", 2, 1, 150, 400)], ["root"], id="what begins after its parent ended"),
        pytest.param([ROOT, span("instant", 2, 1, 50, 50)], ["root"], id="no duration"),
        pytest.param([ROOT, span("a", 2, 1, 10, 90), span("b", 3, 2, 20, 30)], ["root", "a", "b"], id="children of children"),
    ],
)  # fmt: skip
def test_the_path_is_what_the_end_waited_for(spans, expected):
    """Backwards from the end, the child that ended last, and so on."""
    assert on_path(*spans) == expected


def test_a_trace_of_ten_thousand_levels_has_a_path():
    """No recursion."""
    spans = [span(f"{n}", n + 1, n or None, 0, 20_000 - n) for n in range(10_000)]
    assert len(on_path(*spans)) == 10_000
