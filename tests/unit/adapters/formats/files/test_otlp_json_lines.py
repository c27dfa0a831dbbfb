"""OTLP JSON lines as a file format, reached through the registry."""

from __future__ import annotations

import pytest

from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import Resource, SpanRecord

RECORD = SpanRecord(
    b"t" * 16, b"s" * 8, None, "a", 1, 2, attributes={"k": 1}, custom_trace_id="mine", id_scheme="hash",
    resource=Resource({"service.name": "shop"}),
)  # fmt: skip


def test_a_line_gives_back_the_records_it_was_made_of():
    """Under the attribute that the configuration names, too."""
    lines = load(FORMATS, "otlp_json")("my.id")
    line = lines.encode([RECORD, RECORD])
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    assert lines.looks_right(line)
    assert lines.decode(line).records == [RECORD, RECORD]


def test_what_is_no_otlp_is_refused():
    """A log line that only mentions the word is a ValueError, nothing worse."""
    lines = load(FORMATS, "otlp_json")()
    assert not lines.looks_right(b'{"event": "hello"}')
    with pytest.raises(ValueError, match=r"."):
        lines.decode(b'{"resourceSpans": 1}')
