"""JSON documents among lines: whole, indented, concatenated, enormous, cut off, and what only looks like one."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracebridge.records.record import SpanRecord
from tracebridge.replay import documents, inputs, lines, pieces, printed
from tracebridge.replay.documents import Brackets
from tracebridge.replay.line import Line, Position
from tracebridge.replay.lines import read_lines
from tracebridge.replay.reader import Found, SpanReader, installed_formats

SMALL = 2**17


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Documents are large, and pieces whole, at a thirtieth of the size."""
    monkeypatch.setattr(documents, "LARGE", SMALL)
    monkeypatch.setattr(documents, "BATCH", 2**13)
    monkeypatch.setattr(pieces, "PIECE", 2**15)
    monkeypatch.setattr(lines, "BLOCK", 2**14)
    monkeypatch.setattr(printed, "MOST_HELD", 2**18)


T0_US = 1_790_000_000_000_000


def zipkin(number: int, **more: Any) -> dict[str, Any]:
    """A Zipkin span."""
    return {
        "traceId": f"{number + 1:032x}",
        "id": f"{number + 1:016x}",
        "name": "x",
        "timestamp": T0_US + number,
        "duration": 5,
        **more,
    }


def jaeger(number: int, spans: int = 2) -> dict[str, Any]:
    """A trace as Jaeger has it."""
    trace = f"{number + 1:032x}"
    return {
        "traceID": trace,
        "spans": [
            {
                "traceID": trace, "spanID": f"{n + 1:016x}", "operationName": 'a "[{', "references": [], "startTime": T0_US, "duration": 5, "processID": "p1",
                "tags": [{"key": "k", "type": "string", "value": "},{"}, {"key": "n", "type": "int64", "value": 7}], "logs": [],
            }
            for n in range(spans)
        ],
        "processes": {"p1": {"serviceName": "shop", "tags": []}},
    }  # fmt: skip


def otlp(number: int, spans: int = 2) -> dict[str, Any]:
    """A request of OTLP."""
    made = [
        {
            "traceId": f"{number + 1:032x}", "spanId": f"{n + 1:016x}", "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2",
            "attributes": [{"key": "a", "value": {"stringValue": "b}]"}}],
        }
        for n in range(spans)
    ]  # fmt: skip
    return {"resource": {}, "scopeSpans": [{"scope": {"name": "s"}, "spans": made}]}


def read(path: Path | str, start: Position | None = None) -> tuple[Found, list[SpanRecord], list[Line]]:
    """What a file holds."""
    found, met = Found(), []
    reader = SpanReader(str(path), installed_formats(), found)
    records: list[SpanRecord] = []
    for line in read_lines(str(path), start):
        decoded = reader.read(line)
        records += decoded.records if decoded is not None else []
        met.append(line._replace(text=line.text[:0]))
    reader.finish()
    return found, records, met


DOCUMENTS = {
    "Zipkin": [zipkin(1), zipkin(2)],
    "Zipkin's traces": [[zipkin(1)], [zipkin(2)]],
    "Zipkin, one span": zipkin(1),
    "Jaeger's download": {"data": [jaeger(1)], "total": 0, "limit": 0, "offset": 0, "errors": None},
    "OTLP": {"resourceSpans": [otlp(1)]},
    "Tempo": {"batches": [otlp(1)]},
}
SPANS = {"Zipkin": 2, "Zipkin's traces": 2, "Zipkin, one span": 1, "Jaeger's download": 2, "OTLP": 2, "Tempo": 2}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_whole_document_is_read(tmp_path, name, indent):
    """By itself, and several behind each other among log lines, however they are indented."""
    text = json.dumps(DOCUMENTS[name], indent=indent)
    path = tmp_path / "download.json"
    for content, times, others in (
        (text, 1, 0),
        (text + "\n", 1, 0),
        (f"hello\n{text}\n{text}\nINFO [x]\n\n", 2, 3),
        (text + "\r\n" + text, 2, 0),
    ):
        path.write_bytes(content.encode())
        found, records, met = read(path)
        assert (len(records), found.other_lines, found.damage) == (times * SPANS[name], others, [])
        assert met[-1].end == len(content.encode())


def test_documents_that_stand_behind_each_other_without_a_line_break_are_told_apart(tmp_path):
    """`}{`, where an indented one ends."""
    text = json.dumps(DOCUMENTS["OTLP"], indent=2)
    (tmp_path / "f").write_text(text + text + "\n")
    assert len(read(tmp_path / "f")[1]) == 4


def test_elements_that_stand_at_the_beginning_of_a_line_are_read(tmp_path):
    """A list with a line for each element."""
    (tmp_path / "f").write_text("[\n" + ",\n".join(json.dumps(zipkin(n)) for n in range(3)) + "\n]\n")
    found, records, _ = read(tmp_path / "f")
    assert (len(records), found.damage, found.other_lines) == (3, [], 0)


LISTS = {
    "Zipkin": (lambda n: [zipkin(k, tags={"}": "],["}) for k in range(n * 2)], None),
    "Jaeger": (lambda n: {"data": [jaeger(k) for k in range(n)], "total": 0}, "data"),
    "OTLP": (lambda n: {"resourceSpans": [otlp(k) for k in range(n)]}, "resourceSpans"),
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", LISTS)
def test_a_large_document_is_read_in_parts(tmp_path, name, indent):
    """Every span once, no part larger than it needs to be, and no part that a later run would begin behind."""
    number = 1_000
    path = tmp_path / "f"
    path.write_text("first\n" + json.dumps(LISTS[name][0](number), indent=indent) + "\nlast\n")
    assert path.stat().st_size > SMALL * 1.5
    found, records, met = read(path)
    assert len({(record.trace_id, record.span_id) for record in records}) == len(records) == number * 2
    assert (found.other_lines, found.damage) == (2, [])
    assert len(met) > 10
    assert [line.ended for line in met[:1] + met[2:-2]] == [True] + [False] * (len(met) - 4)
    assert met[-1] == Line(b"", met[-1].number, path.stat().st_size)


def test_memory_does_not_grow_with_the_document(tmp_path):
    """Three times the spans in the same memory, packed too."""
    peaks = []
    for number in (1_500, 4_500):
        path = tmp_path / "f.gz"
        with gzip.open(path, "wt", compresslevel=1) as file:
            file.write('{"data":[')
            for n in range(number):
                file.write(("," if n else "") + json.dumps(jaeger(n, spans=1)))
            file.write("]}")
        found, reader = Found(), None
        tracemalloc.start()
        reader = SpanReader("f", installed_formats(), found)
        for line in read_lines(str(path)):
            reader.read(line)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (found.spans, found.damage) == (number, [])
    assert peaks[1] < peaks[0] * 1.3


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("spans", [4, 2_000])
def test_of_a_document_that_is_cut_off_whole_spans_are_read(tmp_path, indent, spans):
    """And that it ends in the middle is damage."""
    text = json.dumps([zipkin(n) for n in range(spans)], indent=indent)
    path = tmp_path / "f"
    path.write_text("hello\n" + text[: text.rindex('"duration"')] + ("\n" if indent else ""))
    found, records, _ = read(path)
    if indent or spans > 4:
        assert len(records) == spans - 1
    assert (found.other_lines, found.damaged_lines) == (1, 1)


@pytest.mark.parametrize("cut", ["[", "{", ",", ":", "x", '"'])
def test_a_log_line_that_was_cut_does_not_swallow_those_behind_it(tmp_path, cut):
    """Wherever it was cut, each of the others is read."""
    line = json.dumps(zipkin(1, tags={"a": "b"}, annotations=[{"timestamp": 1, "value": "v"}]))
    other = [json.dumps(zipkin(n)) for n in range(2, 6)]
    for at in range(len(line)):
        if line[at] != cut:
            continue
        (tmp_path / "f").write_text("\n".join([line[: at + 1], *other]) + "\n")
        found, records, met = read(tmp_path / "f")
        assert len(records) == 4
        assert found.lines == found.damaged_lines + found.other_lines + found.span_lines == 5
        assert met[-1] == Line(b"", 5, (tmp_path / "f").stat().st_size)


@pytest.mark.parametrize("mark", ["\ufeff"])
def test_a_byte_order_mark_does_not_cost_the_first_line(tmp_path, mark):
    """Positions count it."""
    text = json.dumps([zipkin(1)])
    (tmp_path / "f").write_text(f"{mark}{text}\n{text}\n")
    _, records, met = read(tmp_path / "f")
    assert (len(records), met[-1].end) == (2, (tmp_path / "f").stat().st_size)
    assert [one.name for one in read(tmp_path / "f", Position(met[0].end, 1))[1]] == ["x"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read(tmp_path, encoding):
    """What PowerShell's `>` writes, in one encoding or the other, resumed in the middle too."""
    text = json.dumps([zipkin(1, tags={"a": "\u00e9\U0001f600"})], ensure_ascii=False)
    (tmp_path / "f").write_bytes(("\ufeff" + (text + "\r\n") * 3).encode(encoding))
    found, records, met = read(tmp_path / "f")
    assert ([one.attributes for one in records], found.damage) == ([{"a": "\u00e9\U0001f600"}] * 3, [])
    assert len(read(tmp_path / "f", Position(met[0].end, 1))[1]) == 2


def test_a_binary_file_is_one_text(tmp_path):
    """A list in Thrift's binary protocol; what a line break's byte means there is its own affair."""
    (tmp_path / "f").write_bytes(b"\x0c\x00\x00\x00\n" + b"\n" * 20)
    ((line,),) = [list(read_lines(str(tmp_path / "f")))]
    assert (len(line.text), line.number, line.end) == (25, 1, 25)


@pytest.mark.parametrize(
    "line", [b"[" * 300_000, b'{"a":' * 100_000, b"[{" * 100_000 + b"\nx\n", b'["' + b"\\" * 200_001, b'{"data":[' + b"{" * 200_000, b"[\n" * 100_000 + b"x"],
    ids=["lists", "objects", "both", "backslashes", "in a list", "lines"],
)  # fmt: skip
def test_hostile_documents_are_counted_in_bounded_time(tmp_path, line):
    """Deep, endless, unbalanced: never a traceback, and the next line is read."""
    (tmp_path / "f").write_bytes(line + b"\n" + json.dumps([zipkin(1)]).encode() + b"\n")
    found, records, _ = read(tmp_path / "f")
    assert found.lines == found.damaged_lines + found.other_lines + found.span_lines
    assert len(records) <= 1


@pytest.mark.parametrize(
    "begin, unit",
    [
        (b"", b"x"), (b"", b"["), (b"", b'{"a":'), (b'{"a":"', b"x"), (b'{"a":"', b"\\"), (b'{"resourceSpans":[', b" "), (b'{"data":[{"a":[', b"1,"),
        (b'[{"traceId":"1","id":"', b"1"),
    ],
)  # fmt: skip
def test_an_archive_that_expands_without_end_takes_bounded_memory(tmp_path, monkeypatch, begin, unit):
    """Forty times the limit, in the memory of a few times the limit; what is too long is counted."""
    limit = 2**18
    for module in (lines, pieces):
        monkeypatch.setattr(module, "MAX_LINE", limit)
    monkeypatch.setattr(documents, "LARGE", 2**14)
    monkeypatch.setattr(pieces, "PIECE", 2**14)
    monkeypatch.setattr(inputs, "MAX_FIRST_LINE", limit)
    monkeypatch.setattr(inputs, "BUFFER", 2**14)
    with gzip.open(tmp_path / "f.gz", "wb", compresslevel=1) as file:
        file.write(begin + unit * (40 * limit // len(unit)))

    def passed_through() -> Found:
        found = Found()
        reader = SpanReader("f", installed_formats(), found)
        inputs.identity(str(tmp_path / "f.gz"))
        for line in read_lines(str(tmp_path / "f.gz")):
            reader.read(line._replace(text=line.text[:64]))
        return found

    passed_through()  # what is made once, such as modules and compiled expressions, is not the archive's
    tracemalloc.start()
    found = passed_through()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * limit
    assert found.lines == found.damaged_lines + found.other_lines


def test_a_line_beyond_the_limit_is_passed_over(tmp_path, monkeypatch):
    """Whatever it begins with; the next one is read."""
    for module in (lines, pieces):
        monkeypatch.setattr(module, "MAX_LINE", 3 * 2**18)
    for first in (b"x", b'{"x":"', b'[{"x":"'):
        (tmp_path / "f").write_bytes(first + b"1" * 5 * 2**18 + b"\n" + json.dumps([zipkin(1)]).encode() + b"\n")
        found, records, _ = read(tmp_path / "f")
        assert (len(records), found.damaged_lines) == (1, 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\[]{},:\n\u00e9', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a"\\}', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(value=values, sizes=st.lists(st.integers(1, 9), min_size=1))
def test_brackets_are_those_that_a_parser_sees(value, sizes: Sequence[int]):
    """However the text is cut into pieces, and all along the way."""
    text, brackets, at = json.dumps([value]).encode(), Brackets(), 0
    while at < len(text):
        size = sizes[at % len(sizes)]
        brackets.feed(text[at : at + size])
        at += size
        assert not brackets.broken
        assert (not brackets.open) == (at >= len(text))
    assert not brackets.in_string


def test_what_stands_behind_a_document_is_read_by_the_next_run(tmp_path):
    """A position lies behind a document or before it."""
    path = tmp_path / "f"
    path.write_text(json.dumps([zipkin(1)], indent=1) + "\n")
    _, _, (line,) = read(path)
    with path.open("a") as file:
        file.write(json.dumps([zipkin(2), zipkin(3)], indent=1) + "\n")
    found, records, _ = read(path, Position(line.end, line.number))
    assert (len(records), found.damage) == (2, [])
