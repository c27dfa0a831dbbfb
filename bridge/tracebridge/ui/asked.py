"""What the page asks for, read from an address: each value is checked and bounded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from tracebridge.errors import InvalidParameterError
from tracebridge.reading.filters import parse_filter
from tracebridge.reading.search import Condition, Field, Query

MAX_TRACES: Final = 200
DEFAULT_TRACES: Final = 50
MAX_NUMBER: Final = 2**53
"""The largest number that a script has exactly."""

Parameters = Mapping[str, Sequence[str]]
"""As `urllib.parse.parse_qs` returns them."""


def query_of(parameters: Parameters) -> Query:
    """Return the search that the list's filters mean. Raises InvalidParameterError, naming the parameter."""
    text = {key: values[-1] for key, values in parameters.items() if values and values[-1]}
    try:
        conditions = parse_filter(text.get("filter"))
    except InvalidParameterError as error:
        raise InvalidParameterError(str(error).removeprefix("filter: ")) from error
    if "service" in text:
        conditions.append(Condition("service", "=", text["service"]))
    if "name" in text:
        conditions.append(_contains("name", text["name"]))
    if "id" in text:
        conditions.append(_contains("custom_trace_id", text["id"]))
    if "status" in text:
        conditions.append(Condition("status", "=", text["status"].upper()))
    numbers: Sequence[tuple[str, Field, str]] = (
        ("since", "timestamp_ms", ">="),
        ("before", "timestamp_ms", "<"),
        ("min", "duration_ms", ">="),
        ("max", "duration_ms", "<="),
    )
    for key, field, operator in numbers:
        if key in text:
            conditions.append(Condition(field, operator, _number(key, text[key])))  # type: ignore[arg-type]
    for pair in parameters.get("attribute", ()):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise InvalidParameterError(f"attribute: {pair[:80]!r} is not KEY=VALUE")
        conditions.append(Condition("attribute", "=", value, key))
    limit = _number("limit", text["limit"]) if "limit" in text else DEFAULT_TRACES
    return Query(conditions, max_results=max(1, min(limit, MAX_TRACES)))


def _contains(field: Field, text: str) -> Condition:
    """Return what asks for a text within another, in any case; no character of it is a wildcard."""
    return Condition(field, "RLIKE", f"(?i){re.escape(text)}")


def _number(key: str, text: str) -> int:
    try:
        number = int(float(text))
    except (ValueError, OverflowError):
        raise InvalidParameterError(f"{key}: {text[:80]!r} is not a number") from None
    if not -MAX_NUMBER <= number <= MAX_NUMBER:
        raise InvalidParameterError(f"{key}: {text[:80]} is too large a number")
    return number
