"""A `Query` as SQL over the store's tables. Every value is bound, never written into the text.

Traces are walked by the index of their starts, so that the newest cost the same however many there are. What is asked of a root is asked of
each root of the trace, and of every span where the root never came.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tracebridge.errors import InvalidParameterError
from tracebridge.reading.search import Condition, Query

_MS = 1_000_000  # nanoseconds


class Sql(NamedTuple):
    """A piece of SQL and what is bound in it."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: Any) -> Sql:
        return Sql(self.text + other.text, self.values + other.values)


_NUMBERS = {
    "timestamp_ms": f"(t.start_ns / {_MS})",
    "duration_ms": f"(r.duration_ns / {_MS})",
    "end_time_ms": f"(r.start_ns / {_MS} + r.duration_ns / {_MS})",
}
_TEXTS = {
    "name": "r.name",
    "status": "r.status",
    "service": "r.service",
    "trace_id": "lower(hex(t.trace_id))",
    "custom_trace_id": "r.custom_trace_id",
    "experiment_id": "experiment_id(r.record)",
    "span_name": "s.name",
    "span_status": "s.status",
    "span_type": "span_type(s.record)",
}
_ORDERS = {
    "timestamp_ms": "t.start_ns",
    "end_time_ms": f"h.start_ns / {_MS} + h.duration_ns / {_MS}",
    "duration_ms": "h.duration_ns",
    "name": "h.name",
    "status": "h.status",
    "trace_id": "coalesce(h.custom_trace_id, lower(hex(t.trace_id)))",
    "tag": "json_extract(h.tags, ?)",
}
_HEAD = " JOIN spans h ON h.trace_id = t.trace_id AND h.span_id = t.span_id"
_ANY_SPAN = "EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id"
_ANY_ROOT = "EXISTS (SELECT 1 FROM spans r WHERE r.trace_id = t.trace_id AND (r.is_root = 1 OR t.is_root = 0)"


def build_search(query: Query) -> Sql:
    """Return what selects one row (trace_id) per matching trace, one row more than the page holds."""
    of_trace: list[Sql] = []
    of_root: list[Sql] = []
    of_span: list[Sql] = []
    for condition in query.conditions:
        if condition.field in {"attribute", "tag"}:
            of_trace.append(_of_any_span(condition))
        elif condition.field in {"timestamp_ms", "trace_id"} or _is_exact_id(condition):
            of_trace.append(_of_trace(condition))
        elif condition.field.startswith("span_"):
            of_span.append(_compared(condition))
        else:
            of_root.append(_compared(condition))
    for exists, inner in ((_ANY_ROOT, of_root), (_ANY_SPAN, of_span)):
        if inner:
            of_trace.append(Sql(f"{exists} AND ") + _joined(inner, " AND ") + Sql(")"))
    where = Sql(" WHERE ") + _joined(of_trace, " AND ") if of_trace else Sql("")
    table = Sql("SELECT t.trace_id FROM traces t" + ("" if _is_by_start(query) else _HEAD))
    limit = Sql(" LIMIT ? OFFSET ?", (query.max_results + 1, read_token(query.page_token)))
    whole = table + where + _order(query) + limit
    return Sql(whole.text, tuple(map(_bindable, whole.values)))


def _bindable(value: Any) -> Any:
    """Return a number as SQLite takes it: an integer of more than 64 bits is near enough as a float, larger than all that is stored."""
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def _is_by_start(query: Query) -> bool:
    return len(query.order_by) == 1 and query.order_by[0].field == "timestamp_ms"


def _order(query: Query) -> Sql:
    directions = ["DESC" if order.descending else "ASC" for order in query.order_by]
    if _is_by_start(query):
        return Sql(f" ORDER BY t.start_ns {directions[0]}, t.trace_id {directions[0]}")  # as the index has them
    terms = [
        f"{_ORDERS[order.field]} {way} NULLS LAST, " for order, way in zip(query.order_by, directions, strict=True)
    ]
    paths = [_json_path(order.key) for order in query.order_by if order.field == "tag"]
    return Sql(f" ORDER BY {''.join(terms)}t.start_ns DESC, t.trace_id DESC", tuple(paths))


# ---------------------------------------------------------------------- conditions


def _is_exact_id(condition: Condition) -> bool:
    return condition.field == "custom_trace_id" and condition.operator in {"=", "IN"}


def _of_trace(condition: Condition) -> Sql:
    """Return a condition that an index answers, where it is one."""
    if condition.field == "custom_trace_id":
        given = ", ".join("?" * len(condition.values))
        return Sql(f"t.trace_id IN (SELECT trace_id FROM spans WHERE custom_trace_id IN ({given}))", condition.values)
    value = condition.value
    if condition.field == "trace_id" and condition.operator == "=":
        return Sql("t.trace_id = ?", (_unhex(str(value)),))
    if condition.field == "timestamp_ms" and type(value) is int:  # whole milliseconds of what is stored finer
        first, after = value * _MS, (value + 1) * _MS
        bounds = {">=": (first,), ">": (after,), "<": (first,), "<=": (after,), "=": (first, after)}
        texts = {"=": "t.start_ns >= ? AND t.start_ns < ?", ">=": "t.start_ns >= ?", ">": "t.start_ns >= ?"}
        if condition.operator in bounds:
            return Sql(texts.get(condition.operator, "t.start_ns < ?"), bounds[condition.operator])
    return _compared(condition)


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""  # which is the ID of no trace


def _of_any_span(condition: Condition) -> Sql:
    if condition.operator in {"IS NULL", "IS NOT NULL"}:
        negated = "NOT " if condition.operator == "IS NULL" else ""
        column = _json_column(condition)
        return Sql(f"{negated}{_ANY_SPAN} AND json_type({column}, ?) IS NOT NULL)", (_json_path(condition.key),))
    return Sql(f"{_ANY_SPAN} AND ") + _compared(condition) + Sql(")")


def _compared(condition: Condition) -> Sql:
    """Return what one condition says of a row."""
    if condition.operator in {"IN", "NOT IN"}:
        each, joined = ("=", " OR ") if condition.operator == "IN" else ("!=", " AND ")
        alternatives = [Condition(condition.field, each, value, condition.key) for value in condition.values]  # type: ignore[arg-type]
        return Sql("(") + _joined([_compared(one) for one in alternatives], joined) + Sql(")")
    if condition.field in {"attribute", "tag", "span_attribute"}:
        return _json_comparison(condition)
    operator, value = condition.operator, condition.value
    if condition.field in _NUMBERS:
        if operator in {"LIKE", "ILIKE", "RLIKE"}:
            raise InvalidParameterError(f"{condition.field} is a number and cannot be compared with {operator}")
        return Sql(f"{_NUMBERS[condition.field]} {operator} ?", (value,))
    column = _TEXTS[condition.field]
    if operator in {"LIKE", "ILIKE", "RLIKE"}:
        return Sql(f"{column} REGEXP ?", (condition.pattern,))
    if condition.field in {"status", "span_status"}:
        value = str(value).upper()
    if operator == "!=":
        return Sql(f"({column} IS NULL OR {column} != ?)", (value,))
    return Sql(f"{column} {operator} ?", (value,))


def _json_comparison(condition: Condition) -> Sql:
    operator, value, column, path = (
        condition.operator,
        condition.value,
        _json_column(condition),
        _json_path(condition.key),
    )
    extract = f"json_extract({column}, ?)"
    if isinstance(value, bool):
        return Sql(f"{extract} {operator} ?", (path, int(value)))
    if isinstance(value, (int, float)):
        return Sql(f"({extract} {operator} ? AND typeof({extract}) IN ('integer', 'real'))", (path, value, path))
    if operator in {"=", "!=", "LIKE", "ILIKE", "RLIKE"}:
        # text typed on a command line may name a number or a truth value
        text = f"CASE json_type({column}, ?) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST({extract} AS TEXT) END"
        matched = ("REGEXP", condition.pattern) if operator.endswith("LIKE") else (operator, value)
        return Sql(f"{text} {matched[0]} ?", (path, path, matched[1]))
    return Sql(f"({extract} {operator} ? AND typeof({extract}) = 'text')", (path, value, path))


def _json_column(condition: Condition) -> str:
    return "s.tags" if condition.field == "tag" else "s.attributes"


def _json_path(key: str) -> str:
    """Return the JSON path of a key, whatever is in it."""
    return f'$."{json.dumps(key, ensure_ascii=False)[1:-1]}"'


def _joined(parts: list[Sql], between: str) -> Sql:
    return Sql(between.join(part.text for part in parts), tuple(value for part in parts for value in part.values))


# ---------------------------------------------------------------------- pages


def read_token(token: str | None) -> int:
    """Return the offset in a page token. Raises InvalidParameterError for a token that is not ours."""
    if token is None:
        return 0
    if not token.isdigit():
        raise InvalidParameterError(f"page_token {token!r} was not made by this store")
    return int(token)


def write_token(offset: int) -> str:
    """Return the page token of an offset."""
    return str(offset)
