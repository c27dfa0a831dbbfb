"""W3C Baggage."""

from __future__ import annotations

import time

import pytest

from tracebridge.propagation.baggage import decode, put, read


@pytest.mark.parametrize(
    "text, kept",
    [
        ("userId=alice,serverNode=DF%2028,isProduction=false", "userId=alice,serverNode=DF%2028,isProduction=false"),
        ("key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
         "key1=value1;property1;property2,key2=value2,key3=value3; propertyKey=propertyValue"),
        ("a=", "a="),
        ("a=1,a=2", "a=1"),
        ("a=1,,b=2", "a=1,b=2"),
        ("a=x=y", "a=x=y"),
        ("bad key=1,ok=2", "ok=2"),
        ("ok=1,bad=a b,worse=\"q\",c=back\\slash,d=\u00e4", "ok=1"),
        ("", ""),
        ("nothing", ""),
    ],
)  # fmt: skip
def test_what_is_read(text, kept):
    """Valid members in their order with their properties; a bad one is left out alone."""
    assert read(text) == kept


def test_it_is_decoded_when_somebody_asks():
    """Percent signs are UTF-8; what is not UTF-8 is replaced; properties are no part of a value."""
    assert decode("a=J%C3%BCrgen,b=x;p=1,c=%ff,d=") == {"a": "Jürgen", "b": "x", "c": "\ufffd", "d": ""}
    assert decode("") == {}


def test_entries_are_put_in_front_and_replace_their_own():
    """Any text can be a value; a key that no header may have is left out."""
    assert put("a=1;p,b=2", {"b": "x y,z;ü", "bad key": "1", "": "2"}) == "b=x%20y%2Cz%3B%C3%BC,a=1;p"


def test_limits_are_kept():
    """64 members and 8192 characters, whole members only."""
    many = ",".join(f"k{n}=1" for n in range(80))
    assert read(many).count(",") == 63
    large = ",".join(f"k{n}={'v' * 1000}" for n in range(10))
    assert read(large) == ",".join(large.split(",")[:8])
    assert read("k=v," * 100_000) == ""


@pytest.mark.parametrize(
    "text", ["a=b;c=" + " " * 30_000 + "é", "a=b;c" + " \t" * 15_000 + "é", "a=b;" + "c= ;" * 7_000 + "é"]
)
def test_no_blanks_make_a_header_take_long(text):
    """What a part of the grammar takes it does not give back: this took seconds of a request's time."""
    started = time.process_time()
    assert read(text) == ""
    assert time.process_time() - started < 0.5
