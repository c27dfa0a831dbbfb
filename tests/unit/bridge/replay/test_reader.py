"""Lines to records: what is a span, what is another log line, what is damage."""

from __future__ import annotations

import json
import re

import pytest

from tracebridge.plugins.format import Decoded
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.replay.envelopes import OwnEnvelope
from tracebridge.replay.lines import Line
from tracebridge.replay.reader import Damage, Found, SpanReader, installed_formats
from tracebridge_adapters.formats.files.spanlog_writers import writer_of

RECORD = SpanRecord(b"t" * 16, b"s" * 8, None, "a", 1, 2, resource=Resource({"service.name": "shop"}))
OTLP = load(FORMATS, "otlp_json")().encode([RECORD]).rstrip()


def read(*texts: bytes, prefix: str = "", field: str | None = None) -> tuple[Found, list[Decoded | None]]:
    """Read lines as those of one file."""
    found, own = Found(), OwnEnvelope(re.compile(prefix.encode()) if prefix else None, field)
    reader = SpanReader("app.log", installed_formats(), found, own)
    return found, [reader.read(Line(text, number, 0)) for number, text in enumerate(texts, 1)]


def test_spans_are_found_among_other_lines_bare_and_wrapped():
    """Each line is counted for what it is."""
    wrapped = json.dumps({"log": OTLP.decode() + "\n", "stream": "stdout", "time": "x"}).encode()
    found, decoded = read(b"hello", OTLP, wrapped, b'{"event":"x"}', b"", b"  " + OTLP + b"\r")
    assert [one.records if one else None for one in decoded] == [None, [RECORD], [RECORD], None, None, [RECORD]]
    assert (found.lines, found.span_lines, found.other_lines, found.damaged_lines, found.spans) == (6, 3, 3, 0, 3)


def test_a_line_that_looks_like_a_span_and_is_none_is_damage_with_its_place():
    """Cut short, mixed up with another line, or claiming to be what it is not; never a span."""
    found, decoded = read(b"ok", OTLP[:-20], OTLP[:50] + OTLP, b'{"resourceSpans": 7}')
    assert decoded == [None] * 4
    assert found.damaged_lines == 3
    assert [(damage.file, damage.line) for damage in found.damage] == [("app.log", 2), ("app.log", 3), ("app.log", 4)]
    assert str(found.damage[0]).startswith("app.log:2: not OTLP JSON: ")


def test_a_line_that_is_too_long_is_damage():
    """It is not looked at."""
    found = Found()
    reader = SpanReader("app.log", installed_formats(), found)
    assert reader.read(Line(OTLP, 7, 0, whole=False)) is None
    assert found.damage == [Damage("app.log", 7, "longer than any line that holds spans")]


def test_a_users_own_prefix_comes_off():
    """Told as a regular expression; without it such a line is an ordinary one."""
    line = b"2026-01-02 03:04:05,123 INFO spans " + OTLP
    assert read(line)[0].other_lines == 1
    assert read(line, prefix=r"\S+ \S+ \w+ spans ")[0].spans == 1


def test_a_users_own_field_gives_its_line():
    """As text or as an object, bare or in an envelope that is known; other lines stay what they are."""
    within = json.dumps({"@timestamp": "x", "message": OTLP.decode()}).encode()
    wrapped = json.dumps({"log": within.decode() + "\n", "stream": "stdout"}).encode()
    lines = (within, b'{"message": ' + OTLP + b"}", wrapped, OTLP, b'{"message": 7}', b'{"message": "hello"}', b"hello")
    found, _ = read(*lines, field="message")
    assert (found.span_lines, found.other_lines, found.damaged_lines) == (4, 3, 0)
    assert read(within)[0].spans == 0


def test_a_field_is_looked_into_once():
    """What an application quotes within its own line of the same shape is no span."""
    quoted = json.dumps({"message": json.dumps({"message": OTLP.decode()})}).encode()
    assert read(quoted, field="message")[0].spans == 0


def test_control_characters_of_a_damaged_line_do_not_reach_the_terminal():
    """The reason may quote the line."""
    found = Found()
    SpanReader("app.log", [], found).note_damage(1, "bad \x1b[31m thing\n")
    assert found.damage[0].reason == "bad  [31m thing "


def test_a_line_that_is_a_span_line_and_otlp_too_is_read_as_a_span_line():
    """It knows its number, and what was cut from it."""
    line = writer_of("otlp_json").encode(RECORD)[:-2] + b',"writer":"w","seq":3}'
    found, decoded = read(OTLP, line, line.replace(b'"seq":3', b'"seq":5'))
    assert [one.seq for one in decoded if one] == [0, 3, 5]
    assert str(found.gaps.missing()[0]) == "1 line of writer w, from number 4"


DOCKER = [
    json.dumps({"log": part, "stream": "stdout", "time": "x"}).encode()
    for part in (OTLP.decode()[:60], OTLP.decode()[60:] + "\n")
]
CRI = [b"2026-01-02T03:04:05.678901234Z stdout " + part for part in (b"P " + OTLP[:60], b"F " + OTLP[60:])]


@pytest.mark.parametrize("parts", [DOCKER, CRI], ids=["Docker", "CRI"])
def test_the_first_part_of_a_split_line_is_no_damage(parts):
    """A container runtime splits long lines; the span is read, and a part that merely looks like ours is another line."""
    found, decoded = read(*parts)
    assert [one.records if one else None for one in decoded] == [None, [RECORD]]
    assert (found.span_lines, found.other_lines, found.damage) == (1, 1, [])


@pytest.mark.parametrize("parts", [DOCKER, CRI], ids=["Docker", "CRI"])
def test_a_split_line_whose_end_never_came_is_damage(parts):
    """At the end of the file, with the line that holds its last part; what never looked like a span is not."""
    found = Found()
    reader = SpanReader("app.log", installed_formats(), found)
    for number, text in enumerate([b"hello", *parts[:1]], 1):
        reader.read(Line(text, number, 0))
    reader.finish()
    reader.finish()
    assert (found.lines, found.other_lines, found.damaged_lines) == (2, 1, 1)
    assert found.damage == [Damage("app.log", 2, "the last part of a line that was split is missing")]
    reader.read(Line(b"2026-01-02T03:04:05Z stdout P words", 3, 0))
    reader.finish()
    assert (found.other_lines, found.damaged_lines) == (2, 1)
