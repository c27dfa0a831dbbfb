"""OTLP JSON lines in a file."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from support.cases import CASES, Build
from support.otlp_view import by_id, hex_ids_to_base64, said
from tracebridge.errors import Misconfigured
from tracebridge.plugins.adapter import Context, Sent
from tracebridge_adapters.otlp_file import OtlpFileAdapter, OtlpFileOptions


def adapter(path: Path) -> OtlpFileAdapter:
    """An adapter for that file."""
    return OtlpFileAdapter(OtlpFileOptions(path=str(path)), Context("otlp_file"))


def read(path: Path) -> list[TracesData]:
    """The file's lines, as protobuf's own JSON decoder reads them."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    return [json_format.ParseDict(hex_ids_to_base64(json.loads(line)), TracesData()) for line in lines]


def test_each_batch_is_one_line_of_traces_data(tmp_path):
    """Every case, each a line, reads back whole with a decoder that is not ours."""
    path = tmp_path / "spans.jsonl"
    one = adapter(path)
    for case in CASES:
        records = case.records("file")
        assert one.send(one.encode(records), len(records)) == Sent()
    one.close()
    assert [said(line) for line in read(path)] == [by_id(case.records("file")) for case in CASES]


def test_text_with_line_breaks_stays_on_its_line(tmp_path):
    """Every line separator that JSON or a reader knows is escaped or harmless."""
    path = tmp_path / "spans.jsonl"
    one = adapter(path)
    one.send(one.encode([Build("file").span("a\nb\r\nc", attributes={"k\n": "\n\r\x0b\x0c\x85"})]), 1)
    one.close()
    (line,) = read(path)
    assert line.resource_spans[0].scope_spans[0].spans[0].name == "a\nb\r\nc"


def test_the_file_is_private_and_appended_to(tmp_path):
    """Created 0600: spans hold what users typed. A second adapter continues it."""
    path = tmp_path / "spans.jsonl"
    for name in ("first", "second"):
        one = adapter(path)
        one.send(one.encode([Build(name).span(name)]), 1)
        one.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [d.resource_spans[0].scope_spans[0].spans[0].name for d in read(path)] == ["first", "second"]


def test_lines_of_several_writers_stay_whole(tmp_path):
    """Each line is one write on a file opened for appending."""
    path = tmp_path / "spans.jsonl"
    body = b"".join([adapter(path).encode([Build("x").span("s", attributes={"text": "x" * 20_000})])])

    def write() -> None:
        one = adapter(path)
        for _ in range(20):
            one.send(body, 1)
        one.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == body * 80


def test_nothing_is_created_before_the_first_span(tmp_path):
    """Building an adapter leaves the disk alone."""
    adapter(tmp_path / "spans.jsonl").close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_misconfiguration(tmp_path):
    """The path is named."""
    one = adapter(tmp_path / "nowhere" / "spans.jsonl")
    with pytest.raises(Misconfigured, match="nowhere"):
        one.send(b"{}\n", 1)
