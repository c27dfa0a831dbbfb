"""What the spans of a trace used and cost in all, counted as MLflow counts it (3.18, `tracing/utils`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

USAGE_KEYS = ("input_tokens", "output_tokens", "total_tokens")
COST_KEYS = ("input_cost", "output_cost", "total_cost")


class _Told(Protocol):
    @property
    def span_id(self) -> str: ...
    @property
    def parent_id(self) -> str | None: ...
    def get_attribute(self, key: str) -> Any: ...


def total(spans: Iterable[_Told], attribute: str, keys: Iterable[str]) -> dict[str, Any] | None:
    """Return the sums of what an attribute tells on each span; None when none tells anything.

    A span that tells speaks for all below it: some libraries sum up on the parent what their children tell.
    """
    every = list(spans)
    parents = {span.span_id: span.parent_id for span in every}
    telling = {
        span.span_id: given for span in every if isinstance(given := span.get_attribute(attribute), Mapping) and given
    }
    sums: dict[str, Any] = dict.fromkeys(keys, 0)
    counted = [given for span_id, given in telling.items() if not _is_told_above(span_id, parents, telling)]
    for given in counted:
        for key in sums:
            value = given.get(key)
            sums[key] += value if isinstance(value, (int, float)) else 0
    return sums if counted else None


def _is_told_above(span_id: str, parents: Mapping[str, str | None], telling: Mapping[str, Any]) -> bool:
    above = parents.get(span_id)
    for _ in parents:  # no further than there are spans: parents may go in a circle
        if above is None or above in telling:
            break
        above = parents.get(above)
    return above is not None and above in telling
