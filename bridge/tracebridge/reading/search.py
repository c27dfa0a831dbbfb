"""What can be asked of a destination that can be read back: one query value, one page value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tracebridge.records.record import SpanRecord, carried

Operator = Literal["=", "!=", ">", ">=", "<", "<=", "LIKE"]

DEFAULT_MAX_RESULTS = 100  # traces a page, MLflow's own default


class Condition(msgspec.Struct, frozen=True):
    """One comparison. All conditions of a query must hold.

    `field` is one of `name` (of the root), `status` (of the root: OK, ERROR, UNSET), `timestamp_ms` (start of the
    root), `duration_ms` (of the root), `service`, `trace_id` (wire hex), `custom_trace_id`, `attribute` (of any span of
    the trace) or `tag`. `key` names the attribute or tag. LIKE takes SQL's `%` and `_`, matching case-insensitively.
    """

    field: Literal[
        "name", "status", "timestamp_ms", "duration_ms", "service", "trace_id", "custom_trace_id", "attribute", "tag"
    ]
    operator: Operator
    value: str | int | float | bool
    key: str = ""

    def __post_init__(self) -> None:
        """Look for texts as records carry them: a command line's argument may be no UTF-8."""
        msgspec.structs.force_setattr(self, "key", carried(self.key))
        if isinstance(self.value, str):
            msgspec.structs.force_setattr(self, "value", carried(self.value))


class Query(msgspec.Struct, frozen=True):
    """A search over finished traces."""

    conditions: Sequence[Condition] = ()
    order_by: Literal["timestamp_ms", "duration_ms", "name"] = "timestamp_ms"
    descending: bool = True
    max_results: int = DEFAULT_MAX_RESULTS
    page_token: str | None = None
    """The `token` of the page before; opaque, made by the reader."""


class Page(msgspec.Struct, frozen=True):
    """One page of traces; each trace is its spans in start order, root first where there is one."""

    traces: list[list[SpanRecord]] = []
    token: str | None = None
    """Pass as `page_token` for the next page; None on the last."""
