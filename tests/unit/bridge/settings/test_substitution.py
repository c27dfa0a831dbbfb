"""`${VAR}`: OpenTelemetry's published table of inputs and outputs, and what it leaves to the grammar."""

from __future__ import annotations

from typing import Any

import pytest

from tracebridge.settings.document import read_document
from tracebridge.settings.substitution import substitute

ENVIRON = {
    "STRING_VALUE": "value",
    "BOOL_VALUE": "true",
    "INT_VALUE": "1",
    "FLOAT_VALUE": "1.1",
    "HEX_VALUE": "0xdeadbeef",
    "INVALID_MAP_VALUE": "value\nkey:value",
    "DO_NOT_REPLACE_ME": "Never use this value",
    "REPLACE_ME": "${DO_NOT_REPLACE_ME}",
    "VALUE_WITH_ESCAPE": "value$$",
}
ERROR = object()

TABLE: list[tuple[str, Any]] = [
    ("key: ${STRING_VALUE}", {"key": "value"}),
    ("key: ${BOOL_VALUE}", {"key": True}),
    ("key: ${INT_VALUE}", {"key": 1}),
    ("key: ${FLOAT_VALUE}", {"key": 1.1}),
    ("key: ${HEX_VALUE}", {"key": 3735928559}),
    ('key: "${STRING_VALUE}"', {"key": "value"}),
    ('key: "${BOOL_VALUE}"', {"key": "true"}),
    ('key: "${INT_VALUE}"', {"key": "1"}),
    ('key: "${FLOAT_VALUE}"', {"key": "1.1"}),
    ('key: "${HEX_VALUE}"', {"key": "0xdeadbeef"}),
    ("key: ${env:STRING_VALUE}", {"key": "value"}),
    ("key: ${INVALID_MAP_VALUE}", {"key": "value\nkey:value"}),
    ("key: foo ${STRING_VALUE} ${FLOAT_VALUE}", {"key": "foo value 1.1"}),
    ("key: ${UNDEFINED_KEY}", {"key": None}),
    ("key: ${UNDEFINED_KEY:-fallback}", {"key": "fallback"}),
    ("${STRING_VALUE}: value", {"${STRING_VALUE}": "value"}),
    ("key: ${REPLACE_ME}", {"key": "${DO_NOT_REPLACE_ME}"}),
    ("key: ${UNDEFINED_KEY:-${STRING_VALUE}}", {"key": "${STRING_VALUE}"}),
    ("key: ${STRING_VALUE:?error}", ERROR),
    ("key: $${STRING_VALUE}", {"key": "${STRING_VALUE}"}),
    ("key: $$${STRING_VALUE}", {"key": "$value"}),
    ("key: $$$${STRING_VALUE}", {"key": "$${STRING_VALUE}"}),
    ("key: $${STRING_VALUE:-fallback}", {"key": "${STRING_VALUE:-fallback}"}),
    ("key: $${STRING_VALUE:-${STRING_VALUE}}", {"key": "${STRING_VALUE:-value}"}),
    ("key: ${UNDEFINED_KEY:-$${UNDEFINED_KEY}}", {"key": "${UNDEFINED_KEY:-${UNDEFINED_KEY}}"}),
    ("key: ${VALUE_WITH_ESCAPE}", {"key": "value$$"}),
    ("key: a $$ b", {"key": "a $ b"}),
    ("key: a $ b", {"key": "a $ b"}),
]


def test_the_published_table_is_whole() -> None:
    """All 28 inputs of the specification are here."""
    assert len(TABLE) == 28


@pytest.mark.parametrize(("source", "expected"), TABLE, ids=[source for source, _ in TABLE])
def test_published_table(source: str, expected: Any) -> None:
    """Each input gives the value, and the type, that the specification says."""
    document = read_document(source.encode(), ENVIRON)
    node, problems = document.root, document.problems
    if expected is ERROR:
        assert [problem.kind for problem in problems] == ["bad-substitution"]
        return
    values = {key: child.value for key, child in node.value.items()}
    assert expected == values
    assert [type(value) for value in expected.values()] == [type(value) for value in values.values()]
    assert problems == []


def test_unset_variables_are_named_and_empty_ones_are_not() -> None:
    """A variable that is set to nothing is set."""
    outcome = substitute("${GONE} ${env:GONE_TOO} ${EMPTY}", {"EMPTY": ""})
    assert outcome.unset == ["GONE", "GONE_TOO"]
    assert outcome.text == "  "


def test_an_empty_variable_takes_the_default() -> None:
    """The default stands in for unset and for empty; an empty default is allowed."""
    assert substitute("${EMPTY:-d}", {"EMPTY": ""}).text == "d"
    no_default = substitute("${GONE:-}", {})
    assert (no_default.text, no_default.unset) == ("", [])


@pytest.mark.parametrize(
    "text", ["${}", "${1A}", "${A-B}", "${A:-x\ny}", "${http://h}", "${ A }", "${A:?no}", "${env:}"]
)
def test_other_forms_are_malformed(text: str) -> None:
    """Every closed `${…}` that is no reference is an error, and the fault does not repeat a default."""
    (fault,) = substitute(text, {"A": "a", "B": "b"}).malformed
    assert "x\ny" not in fault


def test_an_open_brace_that_is_never_closed_is_text() -> None:
    """The grammar knows no unclosed reference."""
    assert (substitute("${A", {"A": "a"}).text, substitute("${A", {}).malformed) == ("${A", [])
