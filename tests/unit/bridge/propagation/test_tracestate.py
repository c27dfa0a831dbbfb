"""W3C tracestate: grammar, limits, order."""

from __future__ import annotations

import string

import pytest

from tracebridge.propagation.tracestate import put, read

KEY = string.ascii_lowercase + string.digits + "_-*/"
VALUE = "".join(chr(n) for n in range(0x20, 0x7F) if chr(n) not in ",=")


@pytest.mark.parametrize(
    "text, kept",
    [
        ("a=1", "a=1"),
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"),
        ("\tfoo=1\t", "foo=1"),
        ("foo= 1", "foo= 1"),  # blanks in front of a value are part of it
        ("a=1,,b=2, ,", "a=1,b=2"),  # empty members are allowed
        ("", ""),
        (",", ""),
        (f"{KEY}={VALUE}", f"{KEY}={VALUE}"),
        (f"{KEY}@a-z0-9_-*/={VALUE}", f"{KEY}@a-z0-9_-*/={VALUE}"),
        ("0a=1,7tenant@system=2", "0a=1,7tenant@system=2"),
        ("foo@=1,bar=2", "foo@=1,bar=2"),  # level 2: an @ anywhere behind the first character
        ("foo@@bar=1,bar=2", "foo@@bar=1,bar=2"),
        ("foo@bar@baz=1,bar=2", "foo@bar@baz=1,bar=2"),
        ("foo=1,t@" + "v" * 15 + "=1", "foo=1,t@" + "v" * 15 + "=1"),
        ("foo=1," + "t" * 242 + "@v=1", "foo=1," + "t" * 242 + "@v=1"),
        ("foo=1,foo=1", "foo=1"),  # of a key that is there twice the first stays, the newest
        ("foo=1,bar=2,foo=2", "foo=1,bar=2"),
        ("foo=1 , foo=2", "foo=1"),
        (
            "dd=s:1;p:00f067aa0ba902b7,ot=rv:00f067aa0ba902;th:0",
            "dd=s:1;p:00f067aa0ba902b7,ot=rv:00f067aa0ba902;th:0",
        ),  # ddtrace 4.16
        ("foo=1," + "z" * 256 + "=1", "foo=1," + "z" * 256 + "=1"),
        ("foo=1," + "t" * 241 + "@" + "v" * 14 + "=1", "foo=1," + "t" * 241 + "@" + "v" * 14 + "=1"),
    ],
)
def test_what_is_valid(text, kept):
    """Members in their order, without the blanks around them."""
    assert read(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "foo =1", "FOO=1", "foo.bar=1", "@foo=1,bar=2", "_a=1", "foo", "foo=", "=1", "foo=1=2", "foo=\u00e4", "a=1;b=2,c=\x7f",
        "foo=1,bar", "a=1\n,b=2", "a=\tb", "z" * 257 + "=1", "z=" + "v" * 257,
        ",".join(f"k{n}=1" for n in range(33)),
    ],
)  # fmt: skip
def test_one_bad_member_discards_all(text):
    """A member outside the grammar, or more than 32 members: none of it can be trusted."""
    assert read(text) == ""


def test_32_members_are_allowed():
    """The most that a list may have."""
    text = ",".join(f"k{n}=1" for n in range(32))
    assert read(text) == text


def test_more_than_512_characters_lose_whole_members_the_long_ones_first():
    """Members over 128 characters go before the others, and these from the end."""
    long = "long=" + "x" * 130
    short = [f"k{n}={'v' * 40}" for n in range(12)]
    assert read(",".join([long, *short])) == ",".join(short[:11])
    assert len(read(",".join([long, *short]))) <= 512
    exact = ",".join(f"k{n:02d}={'v' * 60}" for n in range(8))
    assert len(exact) == 519
    assert read(exact) == ",".join(exact.split(",")[:7])


def test_an_absurd_header_is_not_even_split():
    """A megabyte costs nothing."""
    assert read("a=1," * 300_000) == ""


def test_changed_members_stand_first_and_the_others_keep_their_order():
    """W3C's mutation rules: update and add in front, delete, the rest untouched."""
    assert put("a=1,b=2,c=3", {"b": "9"}) == "b=9,a=1,c=3"
    assert put("a=1,b=2", {"new": "x"}) == "new=x,a=1,b=2"
    assert put("a=1,b=2", {"a": ""}) == "b=2"
    assert put("", {"a": "1", "b": "2"}) == "a=1,b=2"


def test_what_breaks_the_grammar_is_not_put():
    """A key or value that no header may have changes nothing."""
    assert put("a=1", {"A": "1", "b": "x,y", "c": "x\ny", "a": "2 "}) == "a=1"


def test_a_33rd_member_pushes_out_the_last():
    """There is room for 32."""
    full = [f"k{n}=1" for n in range(32)]
    assert put(",".join(full), {"new": "1"}) == ",".join(["new=1", *full[:31]])
