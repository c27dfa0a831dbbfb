"""What shippers wrap lines in comes off; what an application merely says stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.shipped import AMBIGUOUS, LOGGED, POD, SHIPPED
from tracebridge.replay.envelopes.unwrapping import LostOnTheWayError, Unwrapper

SPAN = b'{"timestamp":"2026-01-01T00:00:00.000000000Z","schema":"spanlog/1","span_name":"a \\"b\\" {c}"}'
TEXT = SPAN.decode()
TIME = "2026-01-02T03:04:05.678901234Z"


def dumps(**fields: Any) -> bytes:
    """One JSON object."""
    return json.dumps(fields).encode()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_envelope_comes_off(name):
    """What is left is the very line, or the same object where an agent parsed it."""
    unwrapper, inner = Unwrapper(), SHIPPED[name](TEXT).encode()
    while inner is not None and not inner.startswith(b'{"timestamp":"2026-01-01'):
        inner = unwrapper.unwrap(inner)
    assert inner is not None
    assert json.loads(inner) == json.loads(SPAN)


@pytest.mark.parametrize("name", [*LOGGED, *AMBIGUOUS])
def test_a_span_that_an_application_quotes_is_not_a_line(name):
    """Otherwise whoever makes an application log a text could forge one."""
    line = (LOGGED[name] if name in LOGGED else AMBIGUOUS[name][1])(TEXT).encode()
    assert Unwrapper().unwrap(line) is None


def test_what_cloud_logging_took_out_of_the_line_is_put_back():
    """Its agent moves the special fields into the entry."""
    inner = Unwrapper().unwrap(
        dumps(jsonPayload={"a": 1}, logName="projects/p/logs/x", trace="projects/p/traces/t", spanId="s")
    )
    assert json.loads(inner or b"") == {
        "logging.googleapis.com/trace": "projects/p/traces/t", "logging.googleapis.com/spanId": "s", "a": 1
    }  # fmt: skip


def test_envelopes_inside_envelopes_come_off_one_by_one():
    """A container runtime's line that an agent shipped."""
    unwrapper = Unwrapper()
    outer = SHIPPED["Filebeat"](SHIPPED["CRI"](TEXT)).encode()
    assert unwrapper.unwrap(unwrapper.unwrap(outer) or b"") == SPAN


def test_parts_of_a_line_that_the_container_runtime_split_are_joined():
    """CRI marks them with P, and the streams do not mix."""
    unwrapper = Unwrapper()
    head = TIME.encode() + b" "
    assert unwrapper.unwrap(head + b"stdout P " + SPAN[:10]) == b""
    assert unwrapper.unwrap(head + b"stderr F other") == b"other"
    assert unwrapper.unwrap(head + b"stdout P " + SPAN[10:30]) == b""
    assert unwrapper.unwrap(head + b"stdout F " + SPAN[30:]) == SPAN
    assert unwrapper.unwrap(head + b"stdout F next") == b"next"


def test_parts_of_a_line_that_docker_split_are_joined():
    """Only the last part ends in a newline."""
    unwrapper = Unwrapper()

    def line(text: str) -> bytes:
        return dumps(log=text, stream="stdout", time=TIME)

    assert unwrapper.unwrap(line(TEXT[:16])) == b""
    assert unwrapper.unwrap(line(TEXT[16:] + "\n")) == SPAN
    assert unwrapper.unwrap(line("next\n")) == b"next"


def test_parts_that_dockers_fluentd_driver_and_fluent_bit_mark_are_joined():
    """Each says in a field of its own whether more follows."""
    unwrapper = Unwrapper()
    more = {"container_id": "a" * 64, "container_name": "/shop", "source": "stdout", "partial_id": "p"}
    assert unwrapper.unwrap(dumps(log=TEXT[:9], partial_last="false", **more)) == b""
    assert unwrapper.unwrap(dumps(log=TEXT[9:], partial_last="true", **more)) == SPAN
    assert unwrapper.unwrap(dumps(log=TEXT[:9], stream="stdout", logtag="P", time=TIME)) == b""
    assert unwrapper.unwrap(dumps(log=TEXT[9:], stream="stdout", logtag="F", time=TIME)) == SPAN


def test_a_whole_line_is_never_glued_to_a_part_without_its_end():
    """An agent that strips newlines makes every line look like a part."""
    unwrapper = Unwrapper()
    assert unwrapper.unwrap(dumps(log="words", stream="stdout", time=TIME)) == b""
    assert unwrapper.unwrap(dumps(log=TEXT, stream="stdout", time=TIME)) == SPAN


def test_the_parts_that_are_held_are_bounded():
    """However many lines begin and never end."""
    unwrapper = Unwrapper()
    for number in range(3_000):
        line = dumps(
            log="x",
            container_id="a" * 64,
            container_name="/s",
            source="stdout",
            partial_id=str(number),
            partial_last="false",
        )
        assert unwrapper.unwrap(line) == b""
    assert len(unwrapper.give_up()) == 1_000


def test_a_message_that_journalctl_left_out_is_told():
    """Above 4,096 bytes it writes null without `--all`."""
    with pytest.raises(LostOnTheWayError, match="--all"):
        Unwrapper().unwrap(dumps(MESSAGE=None, __REALTIME_TIMESTAMP="1"))


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"log": text, "stream": text}).encode())
)
def test_no_bytes_crash_the_unwrapping(line):
    """Whatever a log file holds."""
    inner = Unwrapper().unwrap(line)
    assert inner is None or isinstance(inner, bytes)


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b'{"log":' * 50_000, b"<1" * 50_000, b"[pod/" + b"x" * 500_000, b"\x1b[0m" * 50_000, b"<14>1 - a b c d [" + b'a="' * 50_000],
)  # fmt: skip
def test_deep_and_long_lines_are_answered_quickly(line):
    """No recursion, no backtracking."""
    assert Unwrapper().unwrap(line) is None or line.startswith(b"<14>")


def test_a_field_of_the_wrong_type_makes_it_another_object():
    """A form is exact: not only the names are looked at."""
    assert Unwrapper().unwrap(dumps(log=[TEXT], kubernetes=POD)) is None
    assert Unwrapper().unwrap(dumps(log=TEXT, kubernetes="shop")) is None
