"""MLflow's filter strings and orderings (`search_traces`, read in MLflow 3.18), the subset that has a meaning without a tracking server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tracebridge.errors import InvalidParameterError, misuse
from tracebridge.masking.patterns import compiled
from tracebridge.plugins.adapter import RUN_TAG
from tracebridge.reading.search import DEFAULT_MAX_RESULTS, NEWEST_FIRST, Condition, Field, Order, Query, Scalar

SUBSET = (
    "name, status, timestamp_ms, end_time_ms, execution_time_ms, trace_id, client_request_id, run_id (each also as trace.NAME or attributes.NAME), service; "
    "attributes.KEY (or attributes.`KEY`) of any span; tags.KEY; span.name, span.type, span.status, span.attributes.KEY of one and the same span; "
    "compared with = != > >= < <= LIKE ILIKE RLIKE IN, NOT IN (…), attributes and tags with IS NULL and IS NOT NULL, and joined by AND"
)

_FIELDS: Mapping[str, Field] = {
    "name": "name",
    "status": "status",
    "state": "status",
    "timestamp": "timestamp_ms",
    "timestamp_ms": "timestamp_ms",
    "end_time": "end_time_ms",
    "end_time_ms": "end_time_ms",
    "execution_time": "duration_ms",
    "execution_time_ms": "duration_ms",
    "trace_id": "custom_trace_id",
    "request_id": "custom_trace_id",
    "client_request_id": "custom_trace_id",
    "service": "service",
}
_OURS = {"state", "service"}
_TAGS = {"run_id": RUN_TAG}
_SERVERS = {"prompt", "text"}
"""As `attributes.status`, MLflow means the trace's; those of the last line only its server knows. A span's attribute of such a name is
written in backticks."""
_SPAN_FIELDS: Mapping[str, Field] = {"name": "span_name", "type": "span_type", "status": "span_status"}
_ENTITIES = {
    "attributes": "attribute",
    "tags": "tag",
    "trace": "trace",
    "attribute": "attribute",
    "tag": "tag",
    "span": "span",
}
_NAME_TAG = "mlflow.traceName"
_NUMBERS = {"timestamp_ms", "end_time_ms", "duration_ms"}
_ORDERS: Mapping[str, Any] = {"trace_id": "trace_id", "request_id": "trace_id"} | {
    name: field for name, field in _FIELDS.items() if field in {"name", "status", *_NUMBERS}
}
_WIRE_HEX = re.compile(r"[0-9a-f]{32}")

_token_at = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']++|'')*+'|"(?:[^"]++|"")*+")
      | (?P<number>[+-]?\d+(?:\.\d+)?)(?![\w.])
      | (?P<operator><=|>=|!=|=|<|>|(?:NOT\s+)?IN(?=\s*\()|[IR]?LIKE\b|IS\s+(?:NOT\s+)?NULL\b)
      | (?P<truth>(?:true|false)\b)
      | (?P<joint>AND\b)
      | (?P<mark>[(),])
      | (?P<identifier>[A-Za-z_]\w*(?:\.(?:attributes\.)?(?:`[^`]+`|"[^"]+"|[\w.\-]+))?)
    )""",
    re.VERBOSE | re.IGNORECASE,
).match


LARGEST = 2**63 - 1
MOST_DIGITS = 20  # of a whole number; with more it is larger than that


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse_filter(text: str | None) -> list[Condition]:
    """Return the conditions of a filter string, all of which must hold; none for None or blank text.

    Raises InvalidParameterError, naming the place and the subset, for anything outside the subset.

    >>> parse_filter("attributes.`user.id` = 'u1' AND status IN ('ERROR', 'UNSET')")[1].value
    ('ERROR', 'UNSET')
    """
    given = text or ""
    tokens = list(_tokens(given))
    conditions: list[Condition] = []
    while tokens:
        conditions.append(_take_comparison(tokens, given))
        if tokens and (_take(tokens, given, "joint") and not tokens):
            raise _outside(given, len(given.rstrip()) - 3)
    return conditions


def parse_order(order_by: Sequence[str] | None) -> Sequence[Order]:
    """Return what to sort by, newest first by default.

    Raises InvalidParameterError for anything but `_ORDERS` (also as `trace.NAME` or `attributes.NAME`) or a tag, or is named twice.

    >>> parse_order(["status DESC"])
    [Order(field='status', descending=True, key='')]
    """
    orders: list[Order] = []
    for text in order_by or ():
        found = re.fullmatch(r"\s*(\S+|\w+\.(?:`[^`]+`|\"[^\"]+\"))(?:\s+(ASC|DESC))?\s*", str(text), re.IGNORECASE)
        entity, key = _split(found[1]) if found else ("", "")
        field: Any = (
            "tag" if entity == "tag" else _ORDERS.get(key.lower()) if entity in {"trace", "attribute"} else None
        )
        order = (
            Order(field, bool(found and (found[2] or "").upper() == "DESC"), key if entity == "tag" else "")
            if field
            else None
        )
        if order is None or any((order.field, order.key) == (each.field, each.key) for each in orders):
            raise misuse(
                InvalidParameterError,
                f"order_by {list(order_by or ())!r} is not supported; give {', '.join(_ORDERS)} or tags.KEY, each once, then ASC or DESC.",
            )
        orders.append(order)
    return orders or NEWEST_FIRST


def build_query(
    filter_string: str | None, max_results: int = DEFAULT_MAX_RESULTS, order_by: Sequence[str] | None = None, page_token: str | None = None
) -> Query:  # fmt: skip
    """Return the Query of MLflow's `search_traces` arguments. Raises InvalidParameterError as above."""
    if not isinstance(max_results, int) or max_results < 1:
        raise misuse(InvalidParameterError, f"max_results must be a positive integer, got {max_results!r}.")
    return Query(parse_filter(filter_string), parse_order(order_by), max_results, page_token)


# ---------------------------------------------------------------------- reading


def _tokens(text: str) -> Iterator[_Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _token_at(text, place)
        if found is None or found.lastgroup is None:
            raise _outside(text, place)
        yield _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
        place = found.end()


def _take(tokens: list[_Token], text: str, *kinds: str) -> _Token:
    """Take the next token off the list. Raises InvalidParameterError where it is none of these kinds."""
    if not tokens or tokens[0].kind not in kinds:
        raise _outside(text, tokens[0].place if tokens else len(text))
    return tokens.pop(0)


def _take_comparison(tokens: list[_Token], text: str) -> Condition:
    identifier = _take(tokens, text, "identifier").text
    operator = " ".join(_take(tokens, text, "operator").text.upper().split())
    value: Scalar | tuple[Scalar, ...] | None
    if operator.endswith("NULL"):
        value = None
    elif operator.endswith("IN"):
        value = tuple(_take_list(tokens, text))
    else:
        value = _literal(_take(tokens, text, "text", "number", "truth"))
    return _condition(identifier, operator, value)


def _take_list(tokens: list[_Token], text: str) -> Iterator[Scalar]:
    closed = _take_mark(tokens, text, "(")
    while not closed:
        yield _literal(_take(tokens, text, "text", "number", "truth"))
        closed = _take_mark(tokens, text, ",", ")")


def _take_mark(tokens: list[_Token], text: str, *wanted: str) -> bool:
    """Take one of these marks; return whether it closes the list."""
    mark = _take(tokens, text, "mark")
    if mark.text not in wanted:
        raise _outside(text, mark.place)
    return mark.text == ")"


def _literal(token: _Token) -> Scalar:
    if token.kind == "truth":
        return token.text.lower() == "true"
    if token.kind == "number":
        return _number(token)
    return token.text[1:-1].replace(token.text[0] * 2, token.text[0])


def _number(token: _Token) -> int | float:
    whole = "." not in token.text and len(token.text) <= MOST_DIGITS
    number = int(token.text) if whole else float(token.text)
    if not -LARGEST <= number <= LARGEST:
        raise misuse(
            InvalidParameterError,
            f"filter: the number at character {token.place + 1} is larger than any that a span can hold (64 bits).",
        )
    return number


# ---------------------------------------------------------------------- meaning


def _split(identifier: str) -> tuple[str, str]:
    """Return the entity (`trace`, `attribute`, `tag`, `span` or, where it is unknown, "") and the key, quotes and all."""
    prefix, dot, key = identifier.partition(".")
    if not dot:
        return "trace", identifier
    entity = _ENTITIES.get(prefix.lower(), "")
    if entity == "attribute" and key.lower() in (_FIELDS.keys() - _OURS) | _TAGS.keys() | _SERVERS:
        entity = "trace"
    return entity, key.strip('`"') if entity in {"attribute", "tag"} else key


def _field(identifier: str) -> tuple[Field | None, str]:
    """Return which field of a trace is meant, and the key of an attribute or a tag; None for what is unknown."""
    entity, key = _split(identifier)
    if entity == "tag" and key == _NAME_TAG:
        return "name", ""
    if entity == "trace" and key.lower() in _TAGS:
        return "tag", _TAGS[key.lower()]
    if entity in {"attribute", "tag"}:
        return ("attribute" if entity == "attribute" else "tag"), key
    if entity == "span" and key.lower().startswith("attributes."):
        return "span_attribute", key.partition(".")[2].strip('`"')
    return (_SPAN_FIELDS if entity == "span" else _FIELDS if entity == "trace" else {}).get(key.lower()), ""


def _condition(identifier: str, operator: Any, value: Any) -> Condition:
    field, key = _field(identifier)
    if field is None:
        raise misuse(InvalidParameterError, f"filter: unknown field {identifier!r}; supported: {SUBSET}.")
    values: tuple[Scalar, ...] = value if isinstance(value, tuple) else () if value is None else (value,)
    if field in _NUMBERS and not all(type(each) in {int, float} for each in values):
        raise misuse(InvalidParameterError, f"filter: {identifier} is compared with a number, not {value!r}.")
    if operator.endswith("LIKE") and not (isinstance(value, str) and _compiles(value, operator)):
        raise misuse(
            InvalidParameterError,
            f"filter: {operator} takes a text in quotes, for RLIKE a regular expression, not {value!r}.",
        )
    if value is None and field not in {"attribute", "tag"}:
        raise misuse(InvalidParameterError, f"filter: {operator} is asked of attributes and tags; supported: {SUBSET}.")
    if field == "custom_trace_id" and not identifier.lower().endswith("client_request_id"):
        wire = [isinstance(each, str) and _WIRE_HEX.fullmatch(each) is not None for each in values]
        if any(wire) and not all(wire):
            raise misuse(
                InvalidParameterError,
                f"filter: {identifier} {operator} takes your own IDs or wire IDs, not both at once.",
            )
        field = "trace_id" if any(wire) else field
    if field in {"status", "span_status"}:
        value = _as_status(value)
    return Condition(field, operator, value, key)


def _compiles(text: str, operator: str) -> bool:
    try:
        return operator != "RLIKE" or compiled(text, linear=False) is not None
    except ValueError:
        return False


def _as_status(value: Any) -> Any:
    """MLflow's word for the unset status of a trace differs from the one for a span's."""
    if isinstance(value, tuple):
        return tuple(_as_status(each) for each in value)
    return "UNSET" if value == "STATE_UNSPECIFIED" else value


def _outside(text: str, place: int) -> Exception:
    return misuse(
        InvalidParameterError,
        f"filter: cannot read {text[place:].strip()[:80]!r} (at character {place + 1}); supported: {SUBSET}.",
    )
