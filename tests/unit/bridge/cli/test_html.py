"""`show --html` and `convert --to html`: one file, private, never over another by accident."""

from __future__ import annotations

import base64
import json
import re
import stat
import zlib
from pathlib import Path

import pytest
from click.testing import Result

from support.commands import CliRunner
from tracebridge import Client
from tracebridge.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with a store and a file of spans, of two traces each."""
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(tmp_path / "store.db"))
    monkeypatch.chdir(tmp_path)
    adapters = {"store": {"path": "store.db"}, "otlp_file": {"path": "spans.jsonl"}}
    with Client(config={"adapters": adapters}) as client:
        for number in range(2):
            root = client.start_trace(f"order {number}", trace_id=f"order-{number}", start_time_ns=10**18 + number)
            client.start_span("pay", root.trace_id, root.span_id).end()
            root.end()
    return tmp_path


def run(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(main, list(arguments))


def drawn(page: str) -> list[tuple[str, list[str]]]:
    """The traces of a page, with the names of their spans."""
    found = [
        json.loads(zlib.decompress(base64.b64decode(each)))
        for each in re.findall(r'<script type="text/plain">(.*?)<', page)
    ]
    return [(each["id"], [row["name"] for row in each["rows"]]) for each in found]


def test_show_writes_the_trace_as_one_file_that_only_its_owner_reads(folder):
    """By the custom ID; nothing on stdout; 0600."""
    result = run("show", "order-1", "--html", "trace.html")
    assert (result.exit_code, result.output) == (0, "")
    assert drawn(Path("trace.html").read_text()) == [("order-1", ["order 1", "pay"])]
    assert stat.S_IMODE(Path("trace.html").stat().st_mode) == 0o600


def test_show_replaces_a_file_only_when_it_is_told_to(folder):
    """What is there stays; --force replaces it."""
    Path("trace.html").write_text("mine")
    refused = run("show", "order-1", "--html", "trace.html")
    assert (refused.exit_code, Path("trace.html").read_text()) == (1, "mine")
    assert "trace.html is there already; --force replaces it" in refused.stderr
    assert run("show", "order-1", "--html", "trace.html", "--force").exit_code == 0
    assert drawn(Path("trace.html").read_text()) == [("order-1", ["order 1", "pay"])]


def test_no_file_is_left_where_there_is_no_trace(folder):
    """Exit code 1, and words on stderr."""
    assert run("show", "other", "--html", "trace.html").exit_code == 1
    assert not Path("trace.html").exists()


def test_convert_writes_all_traces_of_its_files_into_one_page(folder):
    """In start order."""
    result = run("convert", "spans.jsonl", "--to", "html", "--output", "traces.html")
    assert (result.exit_code, result.stdout) == (0, "")
    assert drawn(Path("traces.html").read_text()) == [("order-0", ["order 0", "pay"]), ("order-1", ["order 1", "pay"])]


def test_convert_says_how_many_traces_do_not_fit_into_the_page(folder, monkeypatch):
    """Those that came first are in it."""
    monkeypatch.setattr("tracebridge.cli.convert.MAX_TRACES", 1)
    result = run("convert", "spans.jsonl", "--to", "html", "--output", "traces.html")
    assert "the first 1 trace is in the page; 1 trace more is not" in result.stderr
    assert [trace for trace, _ in drawn(Path("traces.html").read_text())] == ["order-0"]


def test_convert_of_files_without_spans_writes_a_page_that_says_so(folder):
    """An empty page is a page."""
    Path("empty.log").write_text("hello\n")
    assert run("convert", "empty.log", "--to", "html", "--output", "empty.html").exit_code == 0
    assert "<h1>0 traces</h1>" in Path("empty.html").read_text()
