"""Search over systems that can only say "the newest traces up to here": conditions are checked here, pages are made here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tracebridge.errors import InvalidParameterError
from tracebridge.reading.search import Condition, Page, Query
from tracebridge.records.record import SpanRecord, StatusCode, Value

MS: Final = 1_000_000  # nanoseconds
LOOKBACK_MS: Final = 7 * 86_400_000  # how far a search goes back when it does not say: Zipkin's own QUERY_LOOKBACK
MAX_LOOKED_AT: Final = 2_000  # traces fetched for one page; a search that matches little then says where to go on
BATCH: Final = 100  # traces fetched at once, at least

Fetch = Callable[[int, int, int], tuple[list[list[SpanRecord]], bool]]
"""(first ms, last ms, limit) -> the newest traces that started in between, at most so many, and whether there may be more."""


def in_order(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Return a trace's spans in start order, root first, each once: some stores keep what is sent again beside the first."""
    ordered: list[SpanRecord] = []
    met: dict[bytes, list[SpanRecord]] = {}
    for span in sorted(spans, key=lambda span: (not span.is_root, span.start_time_ns)):
        same_id = met.setdefault(span.span_id, [])
        if span not in same_id:
            same_id.append(span)
            ordered.append(span)
    return ordered


def search(query: Query, fetch: Fetch, *, folds_names: bool = False) -> Page:
    """Return one page of matching traces, newest first. `folds_names`: the system does not keep the case of names.

    Raises InvalidParameterError for an order that such systems do not have, and for a foreign page token.
    """
    if query.order_by != "timestamp_ms" or not query.descending:
        raise InvalidParameterError(
            "this destination lists traces newest first only; the embedded store can order them"
        )
    first, last = _window(query.conditions)
    last, seen = _read_token(query.page_token, last)
    found: list[list[SpanRecord]] = []
    looked_at = 0
    while last >= first:
        limit = max(BATCH, query.max_results) + len(seen)
        traces, more = fetch(first, last, limit)
        fresh = [in_order(trace) for trace in traces if trace and trace[0].trace_id not in seen]
        for trace in sorted(fresh, key=_start_ms, reverse=True):
            looked_at += 1
            start = _start_ms(trace)
            seen = {*seen, trace[0].trace_id} if start >= last else {trace[0].trace_id}
            last = min(last, start)
            if matches(trace, query.conditions, folds_names=folds_names):
                found.append(trace)
            if len(found) == query.max_results or looked_at == MAX_LOOKED_AT:
                return Page(found, _write_token(last, seen))
        if not more:
            break
        if not fresh:
            last, seen = last - 1, set()
    return Page(found)


def _start_ms(trace: Sequence[SpanRecord]) -> int:
    return min(span.start_time_ns for span in trace) // MS


def _window(conditions: Sequence[Condition]) -> tuple[int, int]:
    """Return the first and the last millisecond in which a matching trace can have started."""
    first, last = 0, int(time.time() * 1000) + 86_400_000  # clocks of other machines may be ahead
    bounded = False
    for condition in conditions:
        if condition.field != "timestamp_ms" or isinstance(condition.value, str):
            continue
        moment = int(condition.value)
        if condition.operator in {">", ">=", "="}:
            first, bounded = max(first, moment), True
        if condition.operator in {"<", "<=", "="}:
            last = min(last, moment)
    return (first if bounded else max(0, last - 86_400_000 - LOOKBACK_MS)), last


# ---------------------------------------------------------------------- conditions


def matches(trace: Sequence[SpanRecord], conditions: Sequence[Condition], *, folds_names: bool = False) -> bool:
    """Return whether a trace, root first, meets every condition (`tracebridge.reading.search.Condition` says what each means)."""
    return all(_holds(trace, condition, folds_names) for condition in conditions)


def _holds(trace: Sequence[SpanRecord], condition: Condition, folds_names: bool) -> bool:
    root = trace[0]
    compare = _folded if folds_names and condition.field in {"name", "service"} else _compare
    if condition.field in {"attribute", "tag"}:  # such systems keep tags among the root's attributes
        holders: list[Mapping[str, Value]] = [{**span.attributes, **span.tags} for span in trace]
        return any(
            _compare(holder[condition.key], condition.operator, condition.value)
            for holder in holders
            if condition.key in holder
        )
    given: Value = {
        "name": root.name,
        "status": StatusCode(root.status).name,
        "timestamp_ms": root.start_time_ns // MS,
        "duration_ms": root.duration_ns // MS,
        "service": root.resource.service_name if root.resource is not None else "",
        "trace_id": root.trace_id.hex(),
        "custom_trace_id": root.custom_trace_id,
    }[condition.field]
    wanted = str(condition.value).upper() if condition.field == "status" else condition.value
    return compare(given, condition.operator, wanted)


def _folded(given: Value, operator: str, wanted: Any) -> bool:
    return _compare(str(given).lower(), operator, str(wanted).lower())


def _compare(given: Value, operator: str, wanted: Any) -> bool:
    """Compare as the embedded store does: numbers with numbers, text with text, and a text with what it spells."""
    if operator == "!=":
        return not _compare(given, "=", wanted)
    if operator == "LIKE":
        return given is not None and _like(str(wanted)).fullmatch(_spelled(given)) is not None
    if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        given = _number(given)
    elif operator == "=":
        return given is not None and _spelled(given) == _spelled(wanted)
    if given is None or isinstance(given, str) != isinstance(wanted, str):
        return False
    return bool(
        {"=": given == wanted, ">": given > wanted, ">=": given >= wanted, "<": given < wanted, "<=": given <= wanted}[
            operator
        ]
    )


def _number(value: Value) -> float | int | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else None  # a system of texts keeps numbers as texts
    except ValueError:
        return None


def _spelled(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(pattern: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.DOTALL | re.IGNORECASE)


# ---------------------------------------------------------------------- page tokens


def _write_token(last_ms: int, seen: set[bytes]) -> str:
    return ":".join([str(last_ms), *sorted(each.hex() for each in seen)])


def _read_token(token: str | None, last_ms: int) -> tuple[int, set[bytes]]:
    """Return where a page begins: the last millisecond, and the traces of it that were shown already."""
    if token is None:
        return last_ms, set()
    moment, *ids = token.split(":")
    try:
        return int(moment), {bytes.fromhex(each) for each in ids}
    except ValueError:
        raise InvalidParameterError(f"page_token {token[:40]!r} was not made by this destination") from None
