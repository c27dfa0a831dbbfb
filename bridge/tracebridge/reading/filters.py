"""MLflow's filter strings and orderings, the subset that every readable destination can answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tracebridge.errors import InvalidParameterError, misuse
from tracebridge.reading.search import DEFAULT_MAX_RESULTS, Condition, Operator, Query

SUBSET = (
    "name, status, timestamp_ms, execution_time_ms, trace_id (each also as attributes.NAME), attributes.KEY (or attributes.`KEY`), tags.KEY, compared "
    "with = != > >= < <= LIKE and joined by AND"
)

_FIELDS = {
    "name": "name",
    "trace.name": "name",
    "status": "status",
    "trace.status": "status",
    "state": "status",
    "timestamp_ms": "timestamp_ms",
    "timestamp": "timestamp_ms",
    "trace.timestamp_ms": "timestamp_ms",
    "execution_time_ms": "duration_ms",
    "execution_time": "duration_ms",
    "service": "service",
    "trace_id": "custom_trace_id",
    "request_id": "custom_trace_id",
}
_MLFLOW_ATTRIBUTES = {
    "name", "status", "timestamp", "timestamp_ms", "execution_time", "execution_time_ms", "request_id", "trace_id",
}  # fmt: skip
"""What MLflow calls attributes of a trace (`attributes.status`); a span attribute of such a name is written in backticks."""
_ORDERS = {
    "timestamp_ms": "timestamp_ms",
    "timestamp": "timestamp_ms",
    "execution_time_ms": "duration_ms",
    "name": "name",
}
_WIRE_HEX = re.compile(r"[0-9a-f]{32}")

_COMPARISON = re.compile(
    r"""\s*(?P<field>[A-Za-z_][\w]*(?:\.(?:`[^`]+`|"[^"]+"|[\w.\-]+))?)
        \s*(?P<operator><=|>=|!=|=|<|>|LIKE\b)
        \s*(?P<value>'(?:[^']|'')*'|"(?:[^"]|"")*"|[+-]?\d+(?:\.\d+)?|true\b|false\b)
        \s*(?P<rest>.*)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def parse_filter(text: str | None) -> list[Condition]:
    """Return the conditions of a filter string, all of which must hold; none for None or blank text.

    Raises InvalidParameterError, naming the place and the subset, for anything outside the subset.

    >>> parse_filter("attributes.`user.id` = 'u1' AND status = 'ERROR'")[0].key
    'user.id'
    """
    conditions: list[Condition] = []
    rest = (text or "").strip()
    while rest:
        found = _COMPARISON.fullmatch(rest)
        if found is None:
            raise _outside(rest)
        conditions.append(_condition(found["field"], found["operator"].upper(), _literal(found["value"])))
        rest = found["rest"]
        if rest:
            joined = re.match(r"AND\s+", rest, re.IGNORECASE)
            if joined is None or not rest[joined.end() :].strip():
                raise _outside(rest)
            rest = rest[joined.end() :]
    return conditions


def parse_order(order_by: Sequence[str] | None) -> dict[str, Any]:
    """Return the `order_by` and `descending` of a Query; newest first by default.

    Raises InvalidParameterError for a column outside timestamp_ms, execution_time_ms and name, or more than one.
    """
    if not order_by:
        return {}
    words = order_by[0].split()
    column = _ORDERS.get(words[0].removeprefix("trace.")) if words else None
    direction = words[1].upper() if len(words) > 1 else "ASC"
    if len(order_by) != 1 or column is None or len(words) > 2 or direction not in {"ASC", "DESC"}:
        raise misuse(
            InvalidParameterError,
            f"order_by {list(order_by)!r} is not supported; give one of {', '.join(_ORDERS)}, then ASC or DESC.",
        )
    return {"order_by": column, "descending": direction == "DESC"}


def build_query(
    filter_string: str | None, max_results: int = DEFAULT_MAX_RESULTS, order_by: Sequence[str] | None = None, page_token: str | None = None
) -> Query:  # fmt: skip
    """Return the Query of MLflow's `search_traces` arguments. Raises InvalidParameterError as above."""
    if not isinstance(max_results, int) or max_results < 1:
        raise misuse(InvalidParameterError, f"max_results must be a positive integer, got {max_results!r}.")
    return Query(parse_filter(filter_string), max_results=max_results, page_token=page_token, **parse_order(order_by))


def _condition(field: str, operator: str, value: str | int | float | bool) -> Condition:
    prefix, dot, key = field.partition(".")
    kind = {"attributes": "attribute", "attribute": "attribute", "tags": "tag", "tag": "tag"}.get(prefix.lower())
    if kind == "attribute" and key.lower() in _MLFLOW_ATTRIBUTES:
        kind, field = None, key
    known: Any = kind if kind and dot else _FIELDS.get(field.lower())
    if known is None:
        raise misuse(InvalidParameterError, f"filter: unknown field {field!r}; supported: {SUBSET}.")
    checked: Any = operator
    if known == "custom_trace_id" and isinstance(value, str) and _WIRE_HEX.fullmatch(value):
        known = "trace_id"
    if known in {"timestamp_ms", "duration_ms"} and not isinstance(value, (int, float)):
        raise misuse(InvalidParameterError, f"filter: {field} is compared with a number, not {value!r}.")
    op: Operator = checked
    return Condition(known, op, value, key.strip('`"') if kind else "")


def _literal(text: str) -> str | int | float | bool:
    if text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return float(text) if "." in text else int(text)


def _outside(rest: str) -> Exception:
    return misuse(InvalidParameterError, f"filter: cannot read {rest[:80]!r}; supported: {SUBSET}.")
