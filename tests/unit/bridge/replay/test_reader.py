"""Lines to records: what is a span, what is another log line, what is damage."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from support.shipped import AMBIGUOUS, ANSWERS, LOGGED, SHIPPED
from tracebridge.plugins.format import Decoded
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.replay.envelopes.own import OwnEnvelope
from tracebridge.replay.line import TOO_LONG, Line
from tracebridge.replay.reader import Damage, Found, SpanReader, installed_formats
from tracebridge_adapters.formats.files.spanlog_writers import writer_of

RECORD = SpanRecord(b"t" * 16, b"s" * 8, None, "a", 1, 2, resource=Resource({"service.name": "shop"}))
TIME = "2026-01-02T03:04:05.678901234Z"
OTLP = load(FORMATS, "otlp_json")().encode([RECORD]).rstrip()
LINE = load(FORMATS, "spanlog")().encode([RECORD]).rstrip()


def read(
    *texts: bytes, prefix: str = "", field: str | None = None, names: Sequence[str] = ()
) -> tuple[Found, list[Decoded | None]]:
    """Read lines as those of one file."""
    found, own = Found(), OwnEnvelope(re.compile(prefix.encode()) if prefix else None, field, frozenset(names))
    reader = SpanReader("app.log", installed_formats(), found, own)
    return found, [reader.read(Line(text, number, 0)) for number, text in enumerate(texts, 1)]


def test_spans_are_found_among_other_lines_bare_and_wrapped():
    """Each line is counted for what it is."""
    wrapped = json.dumps({"log": OTLP.decode() + "\n", "stream": "stdout", "time": TIME}).encode()
    found, decoded = read(b"hello", OTLP, wrapped, b'{"event":"x"}', b"", OTLP + b" \r")
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
    assert reader.read(Line(OTLP, 7, 0, TOO_LONG)) is None
    assert found.damage == [Damage("app.log", 7, "longer than any line that holds spans")]


def test_a_users_own_prefix_comes_off():
    """Told as a regular expression; without it such a line is damage that says so."""
    line = b"2026-01-02 03:04:05,123 INFO spans " + OTLP
    assert "behind 35 bytes of other text" in read(line)[0].damage[0].reason
    assert "--prefix REGEX" in read(line)[0].damage[0].reason
    assert read(line, prefix=r"\S+ \S+ \w+ spans ")[0].spans == 1


def test_a_users_own_field_gives_its_line():
    """As text or as an object, bare or in an envelope that is known; other lines stay what they are."""
    within = json.dumps({"@timestamp": "x", "message": OTLP.decode()}).encode()
    wrapped = json.dumps({"log": within.decode() + "\n", "stream": "stdout", "time": TIME}).encode()
    lines = (within, b'{"message": ' + OTLP + b"}", wrapped, OTLP, b'{"message": 7}', b'{"message": "hello"}', b"hello")
    found, _ = read(*lines, field="message")
    assert (found.span_lines, found.other_lines, found.damaged_lines) == (4, 3, 0)
    assert read(within)[0].spans == 0


def test_a_field_inside_a_field_is_named_with_dots():
    """A name that has dots itself comes first."""
    lines = [
        json.dumps(given).encode()
        for given in ({"a": {"b": OTLP.decode()}}, {"a.b": OTLP.decode()}, {"a": {"c": 1}}, {"a": 1})
    ]
    assert [read(line, field="a.b")[0].spans for line in lines] == [1, 1, 0, 0]
    assert read(lines[0])[0].damage[0].reason.startswith("a span line is in field `a.b`: ")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_envelope_is_read_bare_and_inside_what_container_runtimes_add(name):
    """All of them are known by their form."""
    wrapped = SHIPPED[name](LINE.decode())
    for outer in (str, SHIPPED["CRI"], SHIPPED["Docker json-file"]):
        found, _ = read(outer(wrapped).encode())
        assert (found.spans, found.damage) == (1, [])


@pytest.mark.parametrize("name", [*LOGGED, *AMBIGUOUS])
def test_no_text_that_an_application_logs_is_a_span(name):
    """Bare and inside what container runtimes add, in the default format of each logger: never a span, and never passed over in silence."""
    wrapped = (LOGGED[name] if name in LOGGED else AMBIGUOUS[name][1])(LINE.decode())
    for outer in (str, SHIPPED["CRI"], SHIPPED["Docker json-file"]):
        found, _ = read(*outer(wrapped).encode().split(b"\n"))
        assert (found.spans, found.damaged_lines) == (0, 1)


def test_a_line_that_is_indented_belongs_to_another():
    """.NET's console writes a message on a line of its own, behind six spaces."""
    assert [read(b" " + text)[0].spans for text in (OTLP, LINE)] == [0, 0]
    assert "behind 1 byte of other text" in read(b" " + LINE)[0].damage[0].reason
    assert read(b" " + LINE, prefix=r"\s+")[0].spans == 1


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_form_that_applications_write_as_well_is_read_when_it_is_named(name):
    """And where it is not, the message says the name."""
    option, wrap = AMBIGUOUS[name]
    line = wrap(LINE.decode()).encode()
    assert f"--envelope {option} " in read(line)[0].damage[0].reason
    for outer in (str, SHIPPED["CRI"], SHIPPED["Docker json-file"]):
        assert read(outer(wrap(LINE.decode())).encode(), names=[option])[0].spans == 1


def test_of_objects_glued_together_each_is_read():
    """One that is cut off is damage beside the others."""
    found, (decoded,) = read(LINE + LINE + b" " + LINE[:-9], names=["glued"])
    assert decoded is not None
    assert (len(decoded.records), found.spans, found.span_lines, found.damaged_lines, found.damaged_spans) == (
        2,
        2,
        1,
        0,
        1,
    )
    assert read(LINE[:-9] + LINE, names=["glued"])[0].damaged_lines == 1


SECOND = SpanRecord(b"t" * 16, b"2" * 8, None, "b", 3, 4, resource=Resource({"service.name": "shop"}))
LINE_2 = load(FORMATS, "spanlog")().encode([SECOND]).rstrip()
ZIPKIN = load(FORMATS, "zipkin_json")().encode([RECORD]).rstrip()
JAEGER = json.dumps(
    {"data": [{"spans": [{"traceID": "7" * 32, "spanID": "7" * 16, "operationName": "a", "processID": "p1"}], "processes": {"p1": {}}}]}
).encode()  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_of_an_answer_of_a_log_store_every_line_is_read(name):
    """One that holds a span twice holds it twice, and what is cut off is damage beside the others, with its place."""
    found, (decoded,) = read(json.dumps(ANSWERS[name](LINE.decode(), LINE_2.decode())).encode())
    assert (decoded.records if decoded else None, found.damage) == ([RECORD, SECOND], [])


def test_of_an_answer_the_damaged_line_is_named_beside_the_others():
    """By its place among the lines."""
    answer = json.dumps(ANSWERS["Loki, push"](LINE.decode()[:-9], LINE_2.decode())).encode()
    found, (decoded,) = read(answer)
    assert (decoded.records if decoded else None, found.damaged_spans) == ([SECOND], 1)
    assert found.damage[0].reason.startswith("text 1 of 2: not a spanlog/1 line: ")


@pytest.mark.parametrize(
    "name",
    [name for name in ANSWERS if not name.startswith(("jq", "Elastic", "Google", "Collector, OTLP logs, parsed"))],
)
def test_an_answer_without_spans_is_another_line(name):
    """Whatever it holds."""
    found, decoded = read(json.dumps(ANSWERS[name]("hello", '{"level":"info"}')).encode())
    assert (decoded, found.other_lines, found.damage) == ([None], 1, [])


@pytest.mark.parametrize(
    "given",
    [
        {"events": [{"message": LINE.decode(), "timestamp": 1, "ingestionTime": 1, "user": "x"}]},
        {"status": "success", "data": {"resultType": "streams", "result": [{"values": [["1", LINE.decode()]]}]}},
        {"results": [[{"field": "@message", "value": LINE.decode()}]]},
        {"took": 1, "hits": {"hits": [{"_source": {"x": LINE.decode()}}]}},
        {"logRecords": [{"body": {"stringValue": LINE.decode()}}]},
    ],
)
def test_what_only_resembles_an_answer_is_not_opened(given):
    """Its fields are an application's: damage that says which field it is."""
    found, _ = read(json.dumps(given).encode())
    assert (found.spans, found.damaged_lines) == (0, 1)
    assert found.damage[0].reason.startswith("a span line is in field `")


ODD_BODIES = [
    None, {}, 7, {"kvlistValue": {"values": [{"key": [1], "value": 1}, 7]}}, {"kvlistValue": {"values": 7}}, {"kvlistValue": []},
    {"arrayValue": {"values": {"a": 1}}}, {"intValue": "9" * 5_000}, {"intValue": {}}, {"other": 1},
]  # fmt: skip


@pytest.mark.parametrize("body", ODD_BODIES)
def test_an_odd_body_among_otlp_logs_keeps_no_other_out(body):
    """Whatever stands where a value should; a body that is no object makes it another document, told as such."""
    logs = ANSWERS["Collector, OTLP logs"](LINE.decode(), LINE_2.decode())
    logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] = body
    found, _ = read(json.dumps(logs).encode())
    assert (found.spans, found.damaged_lines) == ((0, 1) if body == 7 else (1, 0))


@pytest.mark.parametrize(
    "answer",
    [
        {
            "status": "success",
            "data": {"resultType": "streams", "result": [{"stream": {}, "values": [[], [1], ["1", 2], ["1", None]]}]},
        },
        [None, 1, {"a": 1}, [[[]]], "x"],
        {"preview": False, "results": []},
    ],
)
def test_an_answer_without_lines_is_another_line(answer):
    """Empty, or with something else in their place."""
    found, _ = read(json.dumps(answer).encode())
    assert (found.other_lines, found.damage) == (1, [])


@pytest.mark.parametrize("line", [LINE, OTLP, ZIPKIN, JAEGER])
@pytest.mark.parametrize(
    "wrap, path",
    [
        (lambda line: {"id": 1, "payload": line.decode()}, "payload"),
        (lambda line: {"payload": json.loads(line)}, "payload"),
        (lambda line: {"payload": {"body": line.decode()}}, "payload.body"),
        (lambda line: {"payload": json.dumps({"a": 1, "body": line.decode()})}, "payload.body"),
        (lambda line: {"records": [{"x": "words"}, {"body": line.decode()}]}, "records.body"),
    ],
)
def test_a_span_in_an_unknown_wrapper_is_told_by_the_field_that_it_is_in(line, wrap, path):
    """Of every format, at any depth, through lists and JSON text; and with that field named it is read."""
    text = json.dumps(wrap(line)).encode()
    found, _ = read(text)
    assert (found.spans, [damage.reason for damage in found.damage]) == (
        0, [f"a span line is in field `{path}`: where users cannot write into that field, --field {path} reads it"],
    )  # fmt: skip
    assert read(text, field=path)[0].spans == 1


@pytest.mark.parametrize(
    "line", [b"we write schema spanlog/1 now", b'{"msg": "spanlog/1 is the schema"}', b'{"level":"info","schema":"other/1"}', b"resourceSpans"]
)  # fmt: skip
def test_words_about_span_lines_are_other_lines(line):
    """A line is damage only where a span line stands in it."""
    assert read(line)[0].damage == []


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
    json.dumps({"log": part, "stream": "stdout", "time": TIME}).encode()
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
