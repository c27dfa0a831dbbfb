"""Laws of reading spans back: what was written whole comes back, what was not is damage, and nobody forges a span."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.shipped import LOGGED
from support.strategies import records
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import SpanRecord
from tracebridge.replay.line import Line
from tracebridge.replay.reader import Found, SpanReader, installed_formats
from tracebridge_adapters.formats.files.spanlog_writers import writer_of

LINES = load(FORMATS, "spanlog")().encode
fewer = settings(max_examples=40)  # records are large
PROFILES = ("otel", "ecs", "datadog", "gcp", "otlp_json")


def read(texts: Iterable[bytes]) -> tuple[Found, list[SpanRecord]]:
    """What is in the lines of one file."""
    found = Found()
    reader = SpanReader("f", installed_formats(), found)
    out: list[SpanRecord] = []
    for number, text in enumerate(texts, 1):
        decoded = reader.read(Line(text, number, 0))
        out += decoded.records if decoded is not None else []
    return found, out


def docker(line: bytes) -> bytes:
    """As the Docker runtime keeps a line."""
    return json.dumps(
        {"log": line.decode() + "\n", "stream": "stdout", "time": "2026-01-02T03:04:05.678901234Z"}
    ).encode()


def filebeat(line: bytes) -> bytes:
    """As Filebeat ships a line."""
    return json.dumps(
        {
            "@timestamp": "2026-01-02T03:04:05.678Z",
            "agent": {"type": "filebeat", "version": "8.15.0"},
            "message": line.decode(),
        }
    ).encode()


WRAPPED = [
    bytes,
    docker,
    filebeat,
    lambda line: filebeat(docker(line)),
    lambda line: b"2026-01-02T03:04:05.678901234Z stdout F " + line,
    lambda line: b"<13>Jan  2 03:04:05 host shop[4711]: " + line,
]


@given(st.lists(records, max_size=3), st.sampled_from(WRAPPED))
@fewer
def test_what_was_logged_comes_back_from_any_envelope(given_records, wrap):
    """The very records, in order."""
    lines = [wrap(LINES([record]).rstrip(b"\n")) for record in given_records]
    found, back = read(lines)
    assert back == given_records
    assert (found.span_lines, found.damaged_lines, found.other_lines) == (len(lines), 0, 0)


@pytest.mark.parametrize("profile", PROFILES)
@given(record=records, cut=st.floats(0, 1))
@fewer
def test_a_line_that_was_cut_short_is_never_a_span(profile, record, cut):
    """In no profile, at no place."""
    line = writer_of(profile, max_line_bytes=10**6).encode(record).rstrip(b"\n")
    found, back = read([line[: int(cut * (len(line) - 1))]])
    assert (back, found.spans) == ([], 0)


@given(records, records, st.floats(0, 1))
@fewer
def test_a_line_that_another_process_wrote_into_ours_makes_no_wrong_span(one, other, at):
    """A pipe takes a large write in pieces, and a small one whole in between; what cannot be told apart is damage."""
    first, second = LINES([one]), LINES([other])
    place = int(at * (len(first) - 1))
    _, back = read((first[:place] + second + first[place:]).split(b"\n"))
    assert all(record in (one, other) for record in back)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
@settings(max_examples=500)
def test_no_bytes_stop_the_reading(line):
    """Every line is counted for what it is."""
    found, back = read([line, LINES([SpanRecord(b"t" * 16, b"s" * 8, None, "a", 1, 2)]).rstrip()])
    assert len(back) >= 1
    assert found.span_lines + found.other_lines + found.damaged_lines == found.lines == 2


@given(records, st.sampled_from([*LOGGED.values()]), st.text(max_size=20).filter(lambda words: "\n" not in words))
@fewer
def test_a_text_that_an_application_logs_forges_no_span(record, write, words):
    """In the default format of no logger, alone or behind words, bare or inside what a container runtime adds."""
    forged = LINES([record]).decode().strip()
    for text in (forged, words + "{" + forged):
        lines = write(text).encode().split(b"\n")
        assert read(lines)[1] == []
        assert read([docker(line) for line in lines])[1] == []


@given(st.lists(records, min_size=1, max_size=3))
@fewer
def test_conversion_moves_no_id_and_no_time(given_records):
    """Through every format that keeps nanoseconds; OTLP groups by resource, so that the order may differ."""

    def places(of: list[SpanRecord]) -> list[str]:
        return sorted(repr((r.trace_id, r.span_id, r.parent_id, r.start_time_ns)) for r in of)

    for name in ("otlp_json", "spanlog"):
        _, back = read(load(FORMATS, name)().encode(given_records).splitlines())
        assert places(back) == places(given_records)
