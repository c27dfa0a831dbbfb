"""A `Query` as SQL over the store's tables. Every value is bound, never written into the text.

Traces are walked by the index of their starts, so that the newest cost the same however many there are. What is asked of a root is asked of
each root of the trace, and of every span where the root never came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracebridge.errors import InvalidParameterError
from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT
from tracebridge.reading.search import NEWEST_FIRST, Condition, Query
from tracebridge_adapters.sqlite.schema import OTHER_ID

_MS = 1_000_000  # nanoseconds


class Sql(NamedTuple):
    """A piece of SQL and what is bound in it."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: Any) -> Sql:
        return Sql(self.text + other.text, self.values + other.values)


_OF_TRACE = {
    "timestamp_ms": f"(t.start_ns / {_MS})",
    "duration_ms": f"(t.duration_ns / {_MS})",
    "end_time_ms": f"(t.start_ns / {_MS} + t.duration_ns / {_MS})",
    "name": "t.name",
    "status": "t.status",
    "service": "t.service",
    "trace_id": "lower(hex(t.trace_id))",
    "custom_trace_id": "t.custom_trace_id",
    "experiment_id": f"coalesce(t.experiment_id, '{DEFAULT_EXPERIMENT}')",
}
"""What a trace's own row says: of its first root, or else of its first span."""
_OF_ROOT = {
    "duration_ms": f"(r.duration_ns / {_MS})",
    "end_time_ms": f"(r.start_ns / {_MS} + r.duration_ns / {_MS})",
    "name": "r.name",
    "status": "r.status",
    "service": "o.service",
}
"""What is asked of each root where there are several, and of every span where there is none."""
_OF_SPAN = {"span_name": "s.name", "span_status": "s.status", "span_type": "coalesce(s.span_type, 'UNKNOWN')"}
_NUMBERS = {"timestamp_ms", "duration_ms", "end_time_ms"}
_ORDERS = {
    "timestamp_ms": "t.start_ns",
    "end_time_ms": _OF_TRACE["end_time_ms"],
    "duration_ms": "t.duration_ns",
    "name": "t.name",
    "status": "t.status",
    "trace_id": "coalesce(t.custom_trace_id, lower(hex(t.trace_id)))",
    "tag": "(SELECT g.value FROM tags g WHERE g.trace = t.id AND g.key = ?)",
}
_ANY_SPAN = "EXISTS (SELECT 1 FROM spans s WHERE s.trace = t.id"
_ANY_TAG = "EXISTS (SELECT 1 FROM tags g WHERE g.trace = t.id AND g.key = ?"
_ANY_ROOT = """(t.roots <> 1 AND EXISTS (SELECT 1 FROM spans r JOIN origins o ON o.id = r.origin
    WHERE r.trace = t.id AND (r.is_root = 1 OR t.roots = 0)"""


def build_search(query: Query) -> Sql:
    """Return what selects one row (number, trace_id) per matching trace, one row more than the page holds."""
    where = _where(query.conditions)
    limit = Sql(" LIMIT ? OFFSET ?", (query.max_results + 1, read_token(query.page_token)))
    return _bound(Sql("SELECT t.id, t.trace_id FROM traces t WHERE ") + where + _order(query) + limit)


def is_walked(query: Query) -> bool:
    """Return whether a query looks at every trace or its spans, newest first, so that it is best asked piece by piece."""
    slow = any(
        each.field == "attribute" or each.field.startswith("span_") or each.operator.endswith("LIKE")
        for each in query.conditions
    )
    return slow and tuple(query.order_by) == NEWEST_FIRST


def build_piece(conditions: Sequence[Condition], below: tuple[int, int], traces: int) -> Sql:
    """Return what selects (number, trace_id) of those that match among the next so many traces below a start and number, newest first."""
    timed = [condition for condition in conditions if condition.field == "timestamp_ms"]
    rest = [condition for condition in conditions if condition.field != "timestamp_ms"]
    piece = Sql("SELECT t.id, t.trace_id FROM (") + _piece("*", timed, below, traces) + Sql(") t WHERE ") + _where(rest)
    return _bound(piece + Sql(" ORDER BY t.start_ns DESC, t.id DESC"))


def build_bounds(conditions: Sequence[Condition], below: tuple[int, int], traces: int) -> Sql:
    """Return what selects the start and the number of each trace of such a piece, newest first."""
    timed = [condition for condition in conditions if condition.field == "timestamp_ms"]
    return _bound(_piece("t.start_ns, t.id", timed, below, traces))


def _piece(columns: str, timed: Sequence[Condition], below: tuple[int, int], traces: int) -> Sql:
    where = _where(timed) + Sql(" AND (t.start_ns, t.id) < (?, ?)", below)
    order = Sql(" ORDER BY t.start_ns DESC, t.id DESC LIMIT ?", (traces,))
    return Sql(f"SELECT {columns} FROM traces t WHERE ") + where + order


def _where(conditions: Sequence[Condition]) -> Sql:
    of_trace: list[Sql] = [Sql("1")]
    of_root: list[Condition] = []
    of_span: list[Sql] = []
    for condition in conditions:
        if condition.field == "attribute":
            of_trace.append(_of_any_span(condition))
        elif condition.field == "tag":
            of_trace.append(_of_tags(condition))
        elif condition.field in _OF_ROOT:
            of_root.append(condition)
        elif condition.field.startswith("span_"):
            of_span.append(_compared(condition, _OF_SPAN))
        else:
            of_trace.append(_of_trace(condition))
    if of_root:
        told = _joined([_compared(condition, _OF_TRACE) for condition in of_root], " AND ")
        each = _joined([_compared(condition, _OF_ROOT) for condition in of_root], " AND ")
        of_trace.append(Sql("((t.roots > 0 AND ") + told + Sql(f") OR {_ANY_ROOT} AND ") + each + Sql(")))"))
    if of_span:
        of_trace.append(Sql(f"{_ANY_SPAN} AND ") + _joined(of_span, " AND ") + Sql(")"))
    return _joined(of_trace, " AND ")


def _bound(sql: Sql) -> Sql:
    return Sql(sql.text, tuple(map(_bindable, sql.values)))


def _bindable(value: Any) -> Any:
    """Return a number as SQLite takes it: an integer of more than 64 bits is near enough as a float, larger than all that is stored."""
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def _order(query: Query) -> Sql:
    directions = ["DESC" if order.descending else "ASC" for order in query.order_by]
    if len(query.order_by) == 1 and query.order_by[0].field == "timestamp_ms":
        return Sql(f" ORDER BY t.start_ns {directions[0]}, t.id {directions[0]}")  # as the index has them
    terms = [
        f"{_ORDERS[order.field]} {way} NULLS LAST, " for order, way in zip(query.order_by, directions, strict=True)
    ]
    keys = [order.key for order in query.order_by if order.field == "tag"]
    return Sql(f" ORDER BY {''.join(terms)}t.start_ns DESC, t.id DESC", tuple(keys))


# ---------------------------------------------------------------------- conditions


def _of_trace(condition: Condition) -> Sql:
    """Return a condition of a trace's own row; by an index, where one has it."""
    value = condition.value
    if condition.field == "custom_trace_id" and condition.operator in {"=", "IN"}:
        given = ", ".join("?" * len(condition.values))
        own = f"SELECT id FROM traces WHERE custom_trace_id IN ({given})"
        other = f"SELECT trace FROM tags WHERE key = '{OTHER_ID}' AND value IN ({given})"
        return Sql(f"t.id IN ({own} UNION {other})", (*condition.values, *condition.values))
    if condition.field == "trace_id" and condition.operator == "=":
        return Sql("t.trace_id = ?", (_unhex(str(value)),))
    if condition.field == "timestamp_ms" and type(value) is int:  # whole milliseconds of what is stored finer
        first, after = value * _MS, (value + 1) * _MS
        bounds = {">=": (first,), ">": (after,), "<": (first,), "<=": (after,), "=": (first, after)}
        texts = {"=": "t.start_ns >= ? AND t.start_ns < ?", ">=": "t.start_ns >= ?", ">": "t.start_ns >= ?"}
        if condition.operator in bounds:
            return Sql(texts.get(condition.operator, "t.start_ns < ?"), bounds[condition.operator])
    return _compared(condition, _OF_TRACE)


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""  # which is the ID of no trace


def _of_any_span(condition: Condition) -> Sql:
    if condition.operator in {"IS NULL", "IS NOT NULL"}:
        negated = "NOT " if condition.operator == "IS NULL" else ""
        return Sql(f"{negated}{_ANY_SPAN} AND json_type(s.attributes, ?) IS NOT NULL)", (_json_path(condition.key),))
    return Sql(f"{_ANY_SPAN} AND ") + _compared(condition, _OF_SPAN) + Sql(")")


def _of_tags(condition: Condition) -> Sql:
    """Return a condition of a trace's tags, which are texts; a number is compared with those that are written as one."""
    operator, key = condition.operator, condition.key
    if operator in {"IS NULL", "IS NOT NULL"}:
        return Sql(f"{'NOT ' if operator == 'IS NULL' else ''}{_ANY_TAG})", (key,))
    texts = [value for value in condition.values if isinstance(value, str)]
    if operator in {"=", "IN"} and len(texts) == len(condition.values):
        given = ", ".join("?" * len(texts))
        return Sql(f"t.id IN (SELECT trace FROM tags WHERE key = ? AND value IN ({given}))", (key, *texts))
    return Sql(f"{_ANY_TAG} AND ", (key,)) + _compared(condition, {"tag": "g.value"}) + Sql(")")


def _compared(condition: Condition, columns: Mapping[str, str]) -> Sql:
    """Return what one condition says of a row that has its field in one of these columns."""
    if condition.operator in {"IN", "NOT IN"}:
        each, joined = ("=", " OR ") if condition.operator == "IN" else ("!=", " AND ")
        alternatives = [Condition(condition.field, each, value, condition.key) for value in condition.values]  # type: ignore[arg-type]
        return Sql("(") + _joined([_compared(one, columns) for one in alternatives], joined) + Sql(")")
    if condition.field in {"attribute", "span_attribute"}:
        return _json_comparison(condition)
    operator, value, column = condition.operator, condition.value, columns[condition.field]
    if condition.field in _NUMBERS:
        if operator in {"LIKE", "ILIKE", "RLIKE"}:
            raise InvalidParameterError(f"{condition.field} is a number and cannot be compared with {operator}")
        return Sql(f"{column} {operator} ?", (value,))
    if operator in {"LIKE", "ILIKE", "RLIKE"}:
        return Sql(f"{column} REGEXP ?", (condition.pattern,))
    if condition.field in {"status", "span_status"}:
        value = str(value).upper()
    if operator == "!=":
        return Sql(f"({column} IS NULL OR {column} != ?)", (value,))
    return Sql(f"{column} {operator} ?", (value,))


def _json_comparison(condition: Condition) -> Sql:
    operator, value, path = condition.operator, condition.value, _json_path(condition.key)
    extract = "json_extract(s.attributes, ?)"
    if isinstance(value, bool):
        return Sql(f"{extract} {operator} ?", (path, int(value)))
    if isinstance(value, (int, float)):
        return Sql(f"({extract} {operator} ? AND typeof({extract}) IN ('integer', 'real'))", (path, value, path))
    if operator in {"=", "!=", "LIKE", "ILIKE", "RLIKE"}:
        # text typed on a command line may name a number or a truth value
        text = f"CASE json_type(s.attributes, ?) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST({extract} AS TEXT) END"
        matched = ("REGEXP", condition.pattern) if operator.endswith("LIKE") else (operator, value)
        return Sql(f"{text} {matched[0]} ?", (path, path, matched[1]))
    return Sql(f"({extract} {operator} ? AND typeof({extract}) = 'text')", (path, value, path))


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
