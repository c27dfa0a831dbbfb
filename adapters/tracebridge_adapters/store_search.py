"""A `Query` as SQL over the store's table. Every value is bound, never written into the text."""

from __future__ import annotations

import json
from typing import Any

from tracebridge.errors import InvalidParameterError
from tracebridge.reading.search import Condition, Query

_MS = 1_000_000  # nanoseconds

_COLUMNS = {
    "name": "r.name",
    "status": "r.status",
    "timestamp_ms": "r.start_ns",
    "duration_ms": "r.duration_ns",
    "service": "r.service",
    "trace_id": "lower(hex(r.trace_id))",
    "custom_trace_id": "r.custom_trace_id",
}
_ORDERS = {"timestamp_ms": "r.start_ns", "duration_ms": "r.duration_ns", "name": "r.name"}


def build_search(query: Query) -> tuple[str, list[Any]]:
    """Return the SQL and its values: one row (trace_id) per matching trace, one row more than the page holds.

    A trace stands for its root; one whose root never came stands for its earliest span.
    """
    where: list[str] = []
    values: list[Any] = []
    for condition in query.conditions:
        text, bound = _condition(condition)
        where.append(text)
        values += bound
    direction = "DESC" if query.descending else "ASC"
    sql = (
        "SELECT r.trace_id FROM spans r WHERE (r.is_root = 1 OR NOT EXISTS "
        "(SELECT 1 FROM spans x WHERE x.trace_id = r.trace_id AND x.is_root = 1))"
        + "".join(f" AND {text}" for text in where)
        + f" GROUP BY r.trace_id ORDER BY min({_ORDERS[query.order_by]}) {direction}, r.trace_id LIMIT ? OFFSET ?"
    )
    return sql, [*values, query.max_results + 1, read_token(query.page_token)]


def _condition(condition: Condition) -> tuple[str, list[Any]]:
    operator, value = condition.operator, condition.value
    if condition.field in {"attribute", "tag"}:
        column = "attributes" if condition.field == "attribute" else "tags"
        path = f'$."{_json_key(condition.key)}"'
        compared, bound = _json_comparison(f"json_extract(s.{column}, ?)", operator, value, path)
        return f"EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = r.trace_id AND {compared})", bound
    column = _COLUMNS[condition.field]
    if condition.field in {"timestamp_ms", "duration_ms"}:
        if operator == "LIKE":
            raise InvalidParameterError(f"{condition.field} is a number and cannot be compared with LIKE")
        # milliseconds are coarser than what is stored: compare whole milliseconds
        return f"({column} / {_MS}) {operator} ?", [value]
    if condition.field == "status":
        return f"{column} {operator} ?", [str(value).upper()]
    if operator == "!=":
        return f"({column} IS NULL OR {column} != ?)", [value]
    return f"{column} {operator} ?", [value]


def _json_comparison(extract: str, operator: str, value: Any, path: str) -> tuple[str, list[Any]]:
    if isinstance(value, bool):
        return f"{extract} {operator} ?", [path, int(value)]
    if isinstance(value, (int, float)):
        return f"({extract} {operator} ? AND typeof({extract}) IN ('integer', 'real'))", [path, value, path]
    if operator in {"=", "!=", "LIKE"}:
        # text typed on a command line may name a number or a truth value
        numeric = f"CASE json_type(s.{_column_of(extract)}, ?) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST({extract} AS TEXT) END"
        return f"{numeric} {operator} ?", [path, path, value]
    return f"({extract} {operator} ? AND typeof({extract}) = 'text')", [path, value, path]


def _column_of(extract: str) -> str:
    return extract.partition("s.")[2].partition(",")[0]


def _json_key(key: str) -> str:
    """Return a key as it stands inside a quoted JSON path label."""
    return json.dumps(key, ensure_ascii=False)[1:-1]


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
