"""What can be asked of a destination that can be read back: one query value, one page value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from tracebridge.records.record import SpanRecord, carried

Operator = Literal["=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "RLIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"]
Field = Literal[
    "name", "status", "timestamp_ms", "end_time_ms", "duration_ms", "service", "trace_id", "custom_trace_id", "experiment_id", "attribute",
    "tag", "span_name", "span_status", "span_type", "span_attribute",
]  # fmt: skip
Scalar = str | int | float | bool

DEFAULT_MAX_RESULTS = 100  # traces a page, MLflow's own default


class Condition(msgspec.Struct, frozen=True):
    """One comparison. All conditions of a query must hold.

    `field` is one of `name` (of the root), `status` (of the root: OK, ERROR, UNSET), `timestamp_ms` (start of the
    trace), `duration_ms` (of the root), `end_time_ms` (the sum of the two), `service`, `trace_id` (wire hex), `custom_trace_id`, `experiment_id` (MLflow's;
    a trace that names none is in the default one, "0"), `attribute` (of any span of the trace) or `tag`; or of the `span_…` fields, which must all hold for one and the same span. `key` names the attribute or tag.

    `value` is a tuple for IN and NOT IN, None for IS NULL and IS NOT NULL (of attributes and tags: whether the trace has one of that name). LIKE and
    ILIKE take SQL's `%` and `_`, the latter in any case; RLIKE takes a regular expression of Python's that matches somewhere in the text.
    """

    field: Field
    operator: Operator
    value: Scalar | tuple[Scalar, ...] | None
    key: str = ""

    def __post_init__(self) -> None:
        """Look for texts as records carry them: a command line's argument may be no UTF-8."""
        msgspec.structs.force_setattr(self, "key", carried(self.key))
        if isinstance(self.value, str):
            msgspec.structs.force_setattr(self, "value", carried(self.value))
        elif isinstance(self.value, tuple):
            texts = [carried(value) if isinstance(value, str) else value for value in self.value]
            msgspec.structs.force_setattr(self, "value", tuple(texts))

    @property
    def values(self) -> tuple[Scalar, ...]:
        """What is compared with: one value, for IN and NOT IN any number, for IS NULL and IS NOT NULL none."""
        return self.value if isinstance(self.value, tuple) else () if self.value is None else (self.value,)

    @property
    def pattern(self) -> str:
        """The regular expression, to be searched for, that LIKE, ILIKE and RLIKE mean.

        >>> Condition("name", "ILIKE", "Batch_%").pattern
        '(?is)\\\\Abatch..*\\\\Z'
        """
        text = str(self.value)
        if self.operator == "RLIKE":
            return text
        flags, text = ("(?is)", text.lower()) if self.operator == "ILIKE" else ("(?s)", text)
        first, *others = ["".join("." if char == "_" else re.escape(char) for char in part) for part in text.split("%")]
        # each part between two % where it first comes, and no other try: so it takes time linear in the text
        between = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
        return rf"{flags}\A{first}{between}{f'.*{others[-1]}' if others else ''}\Z"


class Order(msgspec.Struct, frozen=True):
    """One thing to sort by. Traces that lack it come last, either way."""

    field: Literal["timestamp_ms", "end_time_ms", "duration_ms", "name", "status", "trace_id", "tag"]
    """As in a `Condition`; `trace_id` is the one that is shown."""
    descending: bool = False
    key: str = ""
    """The tag's name."""


NEWEST_FIRST = (Order("timestamp_ms", descending=True),)


class Query(msgspec.Struct, frozen=True):
    """A search over finished traces."""

    conditions: Sequence[Condition] = ()
    order_by: Sequence[Order] = NEWEST_FIRST
    """What is equal by these comes newest first."""
    max_results: int = DEFAULT_MAX_RESULTS
    page_token: str | None = None
    """The `token` of the page before; opaque, made by the reader."""

    def narrowed(self, condition: Condition) -> Query:
        """Return the query with one condition more."""
        return msgspec.structs.replace(self, conditions=[*self.conditions, condition])

    def with_own_ids(self, attribute: str) -> Query:
        """Return the query in which the attribute or tag under which own IDs travel means the own ID, as records have it."""
        own = {"attribute", "span_attribute", "tag"}
        conditions = [
            msgspec.structs.replace(each, field="custom_trace_id", key="")
            if each.field in own and each.key == attribute and each.value is not None
            else each
            for each in self.conditions
        ]
        return msgspec.structs.replace(self, conditions=conditions)


class Page(msgspec.Struct, frozen=True):
    """One page of traces; each trace is its spans in start order, root first where there is one."""

    traces: list[list[SpanRecord]] = []
    token: str | None = None
    """Pass as `page_token` for the next page; None on the last."""
