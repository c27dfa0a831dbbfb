"""What a text may mean in a store, as questions in SQL: each is answered by an index, or by walking one that is small."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tracebridge.reading.sought import Near, Sought
from tracebridge_adapters.sqlite.schema import OTHER_ID

MOST_EXACT = 100  # traces of one custom ID
SHORTEST_PART = 4  # hex digits of a wire ID, below which nearly every trace has them
RECENT = 2_000  # of whose custom IDs those are offered that are like the text
_NEWEST = " ORDER BY t.start_ns DESC, t.id DESC LIMIT ?"
_OTHERS = f"SELECT trace FROM tags WHERE key = '{OTHER_ID}' AND value"

Ask = Callable[[str, Sequence[Any]], list[Any]]


def by_custom_id(text: str) -> tuple[str, tuple[Any, ...]]:
    """Return what selects the wire IDs of the traces that carry a custom ID, newest first."""
    own = "SELECT id FROM traces WHERE custom_trace_id = ?"
    sql = f"SELECT t.trace_id FROM traces t WHERE t.id IN ({own} UNION {_OTHERS} = ?){_NEWEST}"
    return sql, (text, text, MOST_EXACT)


def near(ask: Ask, sought: Sought, limit: int) -> list[Near]:
    """Return traces that a text may mean, likeliest first."""
    found: dict[bytes, Near] = {}
    for why, sql, values in _questions(sought, limit):
        for trace_id, custom in ask(sql, values):
            found.setdefault(trace_id, Near(trace_id, custom, why))
    return list(found.values())[:limit]


def similar(ask: Ask, text: str, limit: int) -> list[Near]:
    """Return traces whose custom ID is like a text, of those that are recent."""
    sql = f"SELECT t.custom_trace_id, t.trace_id FROM traces t WHERE t.custom_trace_id IS NOT NULL{_NEWEST}"
    recent = dict(ask(sql, (RECENT,)))
    return [Near(recent[each], each, "similar") for each in difflib.get_close_matches(text, recent, limit)]


def _questions(sought: Sought, limit: int) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Yield why, SQL and values."""
    traces = "SELECT t.trace_id, t.custom_trace_id FROM traces t WHERE "
    for low in sought.low:
        yield "low 64 bits", f"{traces}substr(t.trace_id, 9) = ?{_NEWEST}", (low, limit)
    for span_id in sought.spans:
        inner = "SELECT trace FROM spans WHERE substr(span_id, 1, 8) = ?"
        yield "span ID", f"{traces}t.id IN ({inner}){_NEWEST}", (span_id, limit)
    escaped = sought.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    part = (f"%{escaped}%", "\\")
    yield (
        "part of the ID",
        f"{traces}t.custom_trace_id LIKE ? ESCAPE ? OR t.id IN ({_OTHERS} LIKE ? ESCAPE ?){_NEWEST}",
        (*part, *part, limit),
    )
    if len(sought.digits) >= SHORTEST_PART:
        yield "part of the wire ID", f"{traces}instr(hex(t.trace_id), ?) > 0{_NEWEST}", (sought.digits.upper(), limit)
