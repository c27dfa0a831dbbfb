"""Search over systems that can only say "the newest traces up to here": conditions are checked here, pages are made here."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from tracebridge.errors import InvalidParameterError
from tracebridge.masking.printable import printable
from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT
from tracebridge.plugins.format import Decoded
from tracebridge.reading.search import NEWEST_FIRST, Condition, Page, Query
from tracebridge.records.record import SpanRecord, StatusCode, Value
from tracebridge.records.span_identity import in_order

MS: Final = 1_000_000  # nanoseconds
LOOKBACK_MS: Final = 7 * 86_400_000  # how far a search goes back when it does not say: Zipkin's own QUERY_LOOKBACK
MAX_LOOKED_AT: Final = 2_000  # traces fetched for one page; a search that matches little then says where to go on
MAX_TOLD: Final = 10  # spans that could not be read, of one answer
BATCH: Final = 100  # traces fetched at once, at least

_log = logging.getLogger("tracebridge.readers")

Fetch = Callable[[int, int, int], tuple[list[list[SpanRecord]], bool]]
"""(first ms, last ms, limit) -> the newest traces that started in between, at most so many, and whether there may be more."""


def kept(traces: Sequence[Decoded], whose: str) -> list[list[SpanRecord]]:
    """Return the spans of each trace that could be read, and log what could not. Raises ValueError when none could."""
    damage = [reason for trace in traces for reason in trace.damage]
    if damage and not any(trace.records for trace in traces):
        raise ValueError(damage[0])
    for reason in damage[:MAX_TOLD]:
        _log.warning("%s: a span was left out: %s", whose, printable(reason))
    if len(damage) > MAX_TOLD:
        _log.warning("%s: %d more spans were left out", whose, len(damage) - MAX_TOLD)
    return [trace.records for trace in traces]


def search(query: Query, fetch: Fetch, *, folds_names: bool = False) -> Page:
    """Return one page of matching traces, newest first. `folds_names`: the system does not keep the case of names.

    Raises InvalidParameterError for an order that such systems do not have, and for a foreign page token.
    """
    if tuple(query.order_by) != NEWEST_FIRST:
        raise InvalidParameterError(
            "this destination lists traces newest first only; the embedded store can order them"
        )
    if any(c.field == "experiment_id" and set(c.values) != {DEFAULT_EXPERIMENT} for c in query.conditions):
        raise InvalidParameterError(
            "this destination keeps no experiments of MLflow's; leave experiment_ids and locations out"
        )
    first, last = _window(query.conditions)
    last, seen = _read_token(query.page_token, last)
    found: list[list[SpanRecord]] = []
    looked_at = 0
    while last >= first:
        limit = max(BATCH, query.max_results) + len(seen)
        traces, more = fetch(first, last, limit)
        fresh = [in_order(trace) for trace in traces if trace and trace[0].trace_id not in seen]
        for trace in sorted(fresh, key=start_ms, reverse=True):
            looked_at += 1
            start = start_ms(trace)
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


def start_ms(trace: Sequence[SpanRecord]) -> int:
    """Return the millisecond in which a trace started."""
    return min(span.start_time_ns for span in trace) // MS


def _window(conditions: Sequence[Condition]) -> tuple[int, int]:
    """Return the first and the last millisecond in which a matching trace can have started."""
    first, last = 0, int(time.time() * 1000) + 86_400_000  # clocks of other machines may be ahead
    bounded = False
    for condition in conditions:
        if condition.field != "timestamp_ms" or not isinstance(condition.value, (int, float)):
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
    of_span = [condition for condition in conditions if condition.field.startswith("span_")]
    return all(_of_trace(trace, condition, folds_names) for condition in conditions if condition not in of_span) and (
        not of_span or any(all(_of_span(span, c, folds_names) for c in of_span) for span in trace)
    )


def _of_trace(trace: Sequence[SpanRecord], condition: Condition, folds_names: bool) -> bool:
    root, key = trace[0], condition.key
    if condition.field in {"attribute", "tag"}:  # such systems keep tags among the root's attributes
        found = [mapping[key] for span in trace for mapping in (span.tags, span.attributes) if key in mapping]
        if condition.operator in {"IS NULL", "IS NOT NULL"}:
            return bool(found) is (condition.operator == "IS NOT NULL")
        return any(_holds(value, condition) for value in found)
    start_ms, duration_ms = root.start_time_ns // MS, root.duration_ns // MS
    given: Value = {
        "name": root.name,
        "status": StatusCode(root.status).name,
        "timestamp_ms": start_ms,
        "duration_ms": duration_ms,
        "end_time_ms": start_ms + duration_ms,
        "service": root.resource.service_name if root.resource is not None else "",
        "trace_id": root.trace_id.hex(),
        "custom_trace_id": root.custom_trace_id,
        "experiment_id": root.experiment_id or DEFAULT_EXPERIMENT,
    }[condition.field]
    return _holds(given, condition, folds=folds_names and condition.field in {"name", "service"})


def _of_span(span: SpanRecord, condition: Condition, folds_names: bool) -> bool:
    if condition.field == "span_attribute":
        return condition.key in span.attributes and _holds(span.attributes[condition.key], condition)
    given = {"span_name": span.name, "span_status": StatusCode(span.status).name, "span_type": span.span_type}
    return _holds(given[condition.field], condition, folds=folds_names and condition.field == "span_name")


def _holds(given: Value, condition: Condition, *, folds: bool = False) -> bool:
    """Return whether a value is as the condition says. `folds`: in any case, because the system does not keep it."""
    operator = condition.operator
    if operator.endswith("LIKE"):
        flags = re.IGNORECASE if folds else re.NOFLAG
        return given is not None and re.search(condition.pattern, _spelled(given), flags) is not None
    wanted: Sequence[Any] = condition.values
    if condition.field in {"status", "span_status"}:
        wanted = [str(value).upper() for value in wanted]
    if folds:
        given, wanted = str(given).lower(), [str(value).lower() for value in wanted]
    if operator in {"IN", "NOT IN"}:
        return any(_compare(given, "=", value) for value in wanted) is (operator == "IN")
    return _compare(given, operator, wanted[0])


def _compare(given: Value, operator: str, wanted: Any) -> bool:
    """Compare as the embedded store does: numbers with numbers, text with text, and a text with what it spells."""
    if operator == "!=":
        return not _compare(given, "=", wanted)
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
