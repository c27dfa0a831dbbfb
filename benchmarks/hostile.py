"""What hostile data costs the caller: linear in its size up to the limits, and bounded by them, never quadratic.

Each row's sizes grow tenfold; its ratios tell by how much the cost grew. Beyond `limits.*` the cost of reading what is given
stays (it has to be looked at), but nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import ours
from benchmarks.harness import Case, Make, Run, in_thread

COUNT = 50  # spans a round


def _attribute(value: Any) -> Run:
    client = ours.client()
    return in_thread(ours.spans(client, COUNT, {"hostile": value}), COUNT, client.flush)


def _inputs(value: Any) -> Run:
    client = ours.client()
    return in_thread(ours.spans(client, COUNT, None, value), COUNT, client.flush)


def _many(count: int) -> Run:
    client = ours.client()
    return in_thread(ours.spans(client, COUNT, {f"key {n}": n for n in range(count)}), COUNT, client.flush)


def _events(count: int) -> Run:
    from tracebridge import SpanEvent

    client = ours.client()
    root = client.start_trace("root")

    def one_round() -> None:
        for _ in range(5):
            span = client.start_span("operation", root.trace_id, root.span_id)
            for _ in range(count):
                span.add_event(SpanEvent("again"))
            span.end()

    return in_thread(one_round, 5, client.flush)


def _nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def _wide(size: int) -> Any:
    """A mapping, a cycle and a shared list in every branch."""
    shared = list(range(10))
    out: dict[str, Any] = {f"branch {n}": {"shared": shared, "text": "x" * 10} for n in range(size // 10)}
    out["cycle"] = out
    return out


class _Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def _row(what: str, make: Callable[[int], Run], sizes: tuple[int, ...]) -> dict[str, Make]:
    return {f"{size:,} {what}": partial(make, size) for size in sizes}


LONG, MANY = (1_000, 10_000, 100_000, 1_000_000), (100, 1_000, 10_000)

CASES = (
    Case("hostile-text", _row("characters", lambda n: _attribute("ä" * n), LONG), None, "one text of so many letters"),
    Case("hostile-surrogates", _row("characters", lambda n: _attribute("\ud800" * n), LONG), None, "none of which UTF-8 can carry"),
    Case("hostile-secret", _row("characters", lambda n: _attribute("Bearer " + "x" * n), LONG), None, "a credential, which is masked"),
    Case("hostile-attributes", _row("attributes", _many, MANY), None, "keys beyond the limit of 128 are counted and left out"),
    Case("hostile-list", _row("elements", lambda n: _inputs(list(range(n))), MANY), None, "inputs"),
    Case("hostile-depth", _row("deep", lambda n: _inputs(_nested(n)), (10, 100, 500)), None, "deeper than 32 becomes text"),
    Case("hostile-cycle", _row("nodes", lambda n: _inputs(_wide(n)), MANY), None, "a mapping in itself, lists shared by its branches"),
    Case("hostile-objects", _row("objects", lambda n: _inputs([_Broken()] * n), MANY), None, "none of which has a text"),
    Case("hostile-events", _row("events", _events, MANY), None, "events of one span beyond the limit of 128 are counted and left out"),
)  # fmt: skip
