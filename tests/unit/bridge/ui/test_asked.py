"""What the page asks for, read from an address."""

from __future__ import annotations

import urllib.parse

import pytest

from tracebridge.errors import InvalidParameterError
from tracebridge.reading.search import Condition
from tracebridge.ui.asked import DEFAULT_TRACES, MAX_TRACES, query_of


def conditions(query: str):
    """The conditions of an address's query."""
    return query_of(urllib.parse.parse_qs(query)).conditions


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", []),
        ("service=&name=", []),
        ("service=shop", [Condition("service", "=", "shop")]),
        ("name=GET+/a.b", [Condition("name", "RLIKE", r"(?i)GET\ /a\.b")]),
        ("id=user%25", [Condition("custom_trace_id", "RLIKE", r"(?i)user%")]),
        ("status=error", [Condition("status", "=", "ERROR")]),
        ("since=1700000000000", [Condition("timestamp_ms", ">=", 1_700_000_000_000)]),
        ("before=1700000000000", [Condition("timestamp_ms", "<", 1_700_000_000_000)]),
        ("min=1.5&max=20", [Condition("duration_ms", ">=", 1), Condition("duration_ms", "<=", 20)]),
        ("attribute=a%3D1&attribute=b%3Dx%3Dy", [Condition("attribute", "=", "1", "a"), Condition("attribute", "=", "x=y", "b")]),
        ("filter=attributes.n+%3E+2", [Condition("attribute", ">", 2, "n")]),
    ],
)  # fmt: skip
def test_each_filter_of_the_page_is_a_condition(query, expected):
    """What is empty asks for nothing; no character of a text is a wildcard."""
    assert conditions(query) == expected


@pytest.mark.parametrize(
    ("asked", "given"), [("", DEFAULT_TRACES), ("limit=7", 7), ("limit=0", 1), ("limit=1000000", MAX_TRACES)]
)
def test_a_list_is_bounded(asked, given):
    """Whatever is asked for."""
    assert query_of(urllib.parse.parse_qs(asked)).max_results == given


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("min=soon", "min: 'soon' is not a number"),
        ("max=nan", "max: 'nan' is not a number"),
        ("since=1e999", "since: '1e999' is not a number"),
        ("limit=1e300", "limit: 1e300 is too large a number"),
        ("attribute=a", "attribute: 'a' is not KEY=VALUE"),
        ("attribute=%3Da", "attribute: '=a' is not KEY=VALUE"),
    ],
)
def test_what_cannot_be_asked_is_said_with_its_name(query, said):
    """In words for the person at the page."""
    with pytest.raises(InvalidParameterError) as raised:
        conditions(query)
    assert str(raised.value) == said


def test_a_filter_that_cannot_be_read_is_said_to_be_so():
    """By the filter language's own words."""
    with pytest.raises(InvalidParameterError, match=r"^cannot read"):
        conditions("filter=oops")
