"""Dead letters: bounded in memory, in files where there is a directory, and readable by others."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.trace.v1 import trace_pb2

from tracebridge.delivery.deadletters.files import DeadFiles
from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.process.private_files import prune
from tracebridge.records.record import Resource, SpanRecord


def span(number: int, size: int = 0) -> SpanRecord:
    """A span that knows its number."""
    return SpanRecord(
        b"t" * 16, number.to_bytes(8, "big"), None, f"s{number}", 1, 2,
        attributes={"text": "x" * size}, resource=Resource({"service.name": "shop"}),
    )  # fmt: skip


def test_memory_keeps_the_newest_up_to_a_number_and_a_size():
    """A destination that refuses everything does not fill the process."""
    letters = DeadLetters(most=5, most_bytes=10_000)
    for number in range(10):
        letters.add("x", [span(number)], "rejected", "no")
    assert [letter.record.name for letter in letters.list()] == ["s5", "s6", "s7", "s8", "s9"]
    letters.add("x", [span(10, size=9000)], "rejected", "no")
    letters.add("x", [span(11, size=9000)], "rejected", "no")
    assert [letter.record.name for letter in letters.list()] == ["s11"]


def test_a_refusal_is_two_private_files_that_others_can_read(tmp_path):
    """OTLP JSON lines, read by opentelemetry-proto; the reason beside; 0600."""
    files = DeadFiles(tmp_path / "dead")
    DeadLetters(files).add("zipkin", [span(1), span(2)], "rejected", "HTTP 400: no such thing")
    [refusal] = files.all()
    assert (refusal.adapter, refusal.reason, refusal.message, refusal.spans) == (
        "zipkin", "rejected", "HTTP 400: no such thing", 2,
    )  # fmt: skip
    paths = sorted((tmp_path / "dead").iterdir())
    assert [path.name for path in paths] == [f"{refusal.id}.json", f"{refusal.id}.otlp.jsonl"]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600, 0o600]
    assert json.loads(paths[0].read_bytes())["message"] == "HTTP 400: no such thing"
    lines = paths[1].read_bytes().splitlines()
    names = [
        json_format.Parse(_with_base64_ids(line), trace_pb2.TracesData()).resource_spans[0].scope_spans[0].spans[0].name
        for line in lines
    ]
    assert names == ["s1", "s2"]
    assert [record.name for record in files.records(refusal.id)] == ["s1", "s2"]


def _with_base64_ids(line: bytes) -> str:
    """OTLP JSON has IDs in hex, protobuf's JSON in base64."""
    import base64

    data = json.loads(line)
    [one] = data["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for key in ("traceId", "spanId"):
        one[key] = base64.b64encode(bytes.fromhex(one[key])).decode()
    return json.dumps(data)


def test_a_disk_that_is_ill_costs_the_files_and_nothing_else(tmp_path, caplog):
    """Said once; the letter is in memory all the same."""
    (tmp_path / "dead").write_text("in the way")
    letters = DeadLetters(DeadFiles(tmp_path / "dead"))
    with caplog.at_level(logging.WARNING):
        letters.add("x", [span(1)], "rejected", "no")
        letters.add("x", [span(2)], "rejected", "no")
    assert ([letter.record.name for letter in letters.list()], caplog.text.count("dead letters cannot be written")) == (
        ["s1", "s2"],
        1,
    )


def test_a_full_disk_leaves_no_half_of_a_refusal(tmp_path, monkeypatch):
    """What is listed can be read."""
    files = DeadFiles(tmp_path)
    real, calls = os.open, []

    def full(path: str, *more: Any, **named: Any) -> int:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *more, **named)

    monkeypatch.setattr(os, "open", full)
    DeadLetters(files).add("x", [span(1)], "rejected", "no")
    assert files.all() == []


def test_a_reason_that_was_edited_by_hand_does_not_hide_the_spans(tmp_path):
    """They are listed with what is known."""
    files = DeadFiles(tmp_path)
    name = files.write("x", "rejected", "no", [span(1)]).id
    (tmp_path / f"{name}.json").write_text("{")
    assert [(one.adapter, one.spans) for one in files.all()] == [("?", 1)]
    assert (files.find("../../etc/passwd"), files.find("nothing")) == (None, None)


def test_a_refusal_that_goes_while_it_is_looked_at_is_not_there(tmp_path, monkeypatch):
    """Another process may drop it, or its own pruning, between one call and the next."""
    files = DeadFiles(tmp_path)
    refusal = files.write("a", "rejected", "no", [span(1)])
    monkeypatch.setattr("tracebridge.delivery.deadletters.files.is_plain_file", lambda _: True)
    files.remove(refusal.id)
    assert files.find(refusal.id) is None


def test_the_oldest_files_go_when_there_are_too_many(tmp_path):
    """By number and by size, and no others: what is not ours neither goes nor counts."""
    ours = re.compile(r"\d\d")
    (tmp_path / "0 notes").write_bytes(bytes(100_000))
    for number in range(10):
        (tmp_path / f"{number:02d}").write_bytes(bytes(100))
    assert prune(tmp_path, ours, most_files=8, most_bytes=10_000) == 2
    assert prune(tmp_path, ours, most_files=8, most_bytes=350) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0 notes", "07", "08", "09"]
    assert prune(tmp_path, ours, most_files=8, most_bytes=350) == 0


def test_the_oldest_go_first_though_the_clock_was_set_back(tmp_path, monkeypatch):
    """In one process and from one process to the next: what was refused last is there, under its own time."""
    monkeypatch.setattr("tracebridge.delivery.deadletters.files.MOST_FILES", 10)
    monkeypatch.setattr("tracebridge.delivery.deadletters.files.PRUNE_EVERY", 1)
    for set_back_s in (0, 3600, 7200):
        now = 1_764_045_000 - set_back_s
        monkeypatch.setattr("time.time_ns", lambda now=now: now * 10**9)
        files = DeadFiles(tmp_path)
        written = [files.write("a", "rejected", f"{set_back_s} {number}", [span(number)]) for number in range(3)]
    kept = files.all()
    assert [refusal.message for refusal in kept][-4:] == ["3600 2", "7200 0", "7200 1", "7200 2"]
    assert [refusal.time_unix_s for refusal in written] == [1_764_045_000 - 7200] * 3


def test_files_stay_bounded_while_everything_is_refused(tmp_path, monkeypatch):
    """The folder is looked at again and again."""
    monkeypatch.setattr("tracebridge.delivery.deadletters.files.MOST_FILES", 20)
    files = DeadFiles(Path(tmp_path))
    for number in range(300):
        files.write("x", "rejected", "no", [span(number)])
    assert len(list(tmp_path.iterdir())) <= 20 + 2 * 64
    assert files.records(files.all()[-1].id)[0].name == "s299"
