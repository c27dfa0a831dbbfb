"""Expressions of users: on the linear engine, or refused where they could take exponential time."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator

import pytest

from tracebridge import Client, ConfigError
from tracebridge.masking import patterns
from tracebridge.masking.patterns import compiled, masker
from tracebridge.reading.search import Condition

EXPONENTIAL = [
    r"(a+)+$",
    r"(a|ab)*c",
    r"(?:[a-z]+\.)+com",
    r"(x+x+)+y",
    r"(?=(a+)+)b",
    r"(?>(a+)+)",
    r"(a?){30}b",
    r"((a{1,10}){1,10})",
]
BOUNDED = [
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"(?:\d{1,3}\.){3}\d{1,3}",
    r"cust-[0-9]+",
    r"(?i)(?:sk|pk)_[a-z0-9]{20,}",
    r"[a-z]+@[a-z]+\.com",
    "([ab])*",
]


@pytest.fixture(params=["with google-re2", "without"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both machines: where the extra is installed, and where it is not."""
    compiled.cache_clear()
    if request.param == "without":
        monkeypatch.setattr(patterns, "_engine", lambda: None)
    else:
        pytest.importorskip("re2")  # there is no wheel for Python 3.15 yet
    yield request.param
    compiled.cache_clear()


@pytest.mark.parametrize("text", EXPONENTIAL)
def test_what_can_take_exponential_time_is_linear_or_refused(engine: str, text: str) -> None:
    """Refused with what to do; lookarounds are refused either way, because only Python's engine knows them."""
    if engine == "without" or "(?=" in text or "(?>" in text:
        with pytest.raises(ValueError, match="can take exponential time; write it without"):
            compiled(text)
        return
    started = time.process_time()
    compiled(text).search("a" * 50_000 + "x" * 50_000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", BOUNDED)
def test_what_repeats_within_bounds_is_taken(engine: str, text: str) -> None:
    """Where nothing that is repeated repeats again."""
    assert compiled(text).sub("", "x") == "x"


@pytest.mark.parametrize("text", ["(", "a" * 20_000 + "(", "(?(1)a|b)", "[z-a]", "(" * 500 + ")" * 500])
def test_what_is_no_expression_is_said_to_be_none(engine: str, text: str) -> None:
    """Whatever the engine calls it, and however deep it is."""
    try:
        compiled(text)
    except ValueError as error:
        assert str(error).startswith("this is not a regular expression: ")


def test_bytes_can_be_matched_too(engine: str) -> None:
    """The lines of files are bytes."""
    found = compiled(rb"\d+ ").match(b"12 x")
    assert (found.end(), compiled(rb"\d+ ").match(b"x")) == (3, None)


def test_a_configuration_with_such_an_expression_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its place, and the extra to install."""
    compiled.cache_clear()
    monkeypatch.setattr(patterns, "_engine", lambda: None)
    with pytest.raises(ConfigError, match=r"deny_values\[1\]: .*pip install 'tracebridge\[re2\]'"):
        Client(config={"adapters": {"memory": {}}, "redaction": {"deny_values": ["card", "(a+)+"]}})
    compiled.cache_clear()


def test_cards_are_found_with_and_without_marks_between_digits() -> None:
    """And only where their checksum is right."""
    assert masker("card")("4111-1111 11111111, 4111111111111112") == "[redacted], 4111111111111112"


def test_a_jwt_is_masked_wherever_it_stands_in_a_word() -> None:
    """Its first part begins it, whatever is glued in front."""
    assert masker("jwt")("id-eyJhbGciOi.eyJzdWIiOi.abc, eyJ.eyJ") == "id-[redacted], eyJ.eyJ"


@pytest.mark.parametrize("operator", ["LIKE", "ILIKE"])
def test_like_is_what_it_was_in_linear_time(operator: str) -> None:
    """The same texts as by trying every way, and a hostile one at once."""
    texts = ["".join(chars) for size in range(5) for chars in itertools.product("aB%", repeat=size)]
    for pattern in ("%", "a%", "%a", "%a%B%", "a_%", "%_a%", "_", "", "a%a", "%%", "a%B_%a"):
        wanted = pattern.lower() if operator == "ILIKE" else pattern
        plain = "".join({"%": ".*", "_": "."}.get(char) or re.escape(char) for char in wanted)
        flags = re.DOTALL | (re.IGNORECASE if operator == "ILIKE" else re.NOFLAG)
        made = Condition("name", operator, pattern).pattern  # type: ignore[arg-type]  # one of the two
        assert [t for t in texts if re.search(made, t)] == [t for t in texts if re.fullmatch(plain, t, flags)], pattern
    started = time.process_time()
    assert re.search(Condition("name", operator, "%a" * 30 + "%b").pattern, "a" * 50_000) is None  # type: ignore[arg-type]
    assert time.process_time() - started < 5
