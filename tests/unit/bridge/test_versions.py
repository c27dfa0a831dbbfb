"""Data of every version is read by this one: the samples in tests/samples, and what a version to come may leave."""

from __future__ import annotations

import json
import logging
import platform
import sqlite3
import struct
import sys
import zlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support import samples
from support.commands import CliRunner
from support.journals import Life
from tracebridge import Client
from tracebridge.cli.main import main
from tracebridge.delivery.deadletters.files import DeadFiles
from tracebridge.journal.base import decode_record
from tracebridge.journal.maintenance import Maintainer
from tracebridge.records.record import VERSION as VERSION_OF_RECORD
from tracebridge.records.record import Event, Link, Scope, SpanRecord
from tracebridge.version import VERSION
from tracebridge_adapters.formats.files.spanlog_lines import SpanlogLines
from tracebridge_adapters.sqlite.database import StoreDatabase

SAMPLES = Path(__file__).parents[2] / "samples"
JOURNALS = sorted(path.parent.name for path in SAMPLES.glob("*/journal"))
STORES = sorted(path.parent.name for path in SAMPLES.glob("*/store.sql"))
LINES = sorted(path.parent.name for path in SAMPLES.glob("*/spans.log"))
AWAY, REFUSES = "otlp_http/away", "otlp_http/refuses"
FIELDS = ("kind", "status", "start_time_ns", "end_time_ns", "attributes", "custom_trace_id", "span_type", "inputs", "outputs", "events", "links", "tags", "end_cause")  # fmt: skip
_START, _SECOND = samples.START_NS, samples.SECOND
ORDER: dict[str, tuple[Any, ...]] = {
    "order": (2, 1, _START, _START + 2 * _SECOND, {**samples.ATTRIBUTES, "set at the end": "так"}, samples.CUSTOM_ID, "CHAIN", samples.INPUTS,
              samples.OUTPUTS, (), (), samples.TAGS, "finished"),
    "pay €": (3, 2, _START + 1, _START + _SECOND, {}, samples.CUSTOM_ID, "UNKNOWN", None, None, (Event("retry", _START + 2, samples.EVENT),),
              (Link(bytes.fromhex(samples.LINKED_TRACE), bytes.fromhex(samples.LINKED_SPAN), "", samples.LINK),), {}, "finished"),
    "plain": (1, 1, _START + 3, _START + 4, {}, samples.CUSTOM_ID, "UNKNOWN", None, None, (), (), {}, "finished"),
}  # fmt: skip
"""The finished trace of every sample, by the spans' names."""


def told(records: Iterable[SpanRecord]) -> dict[str, tuple[Any, ...]]:
    """What records say, by their names."""
    return {record.name: tuple(getattr(record, name) for name in FIELDS) for record in records}


def journal_of(name: str, target: Path, what: str = "journal") -> Path:
    """A sample's journal directory, as its process left it."""
    samples.read_folder(SAMPLES / name / what, target)
    for numbers in target.glob("*/stats.json"):
        numbers.with_name("lock").touch()
    return target


def bumped(directory: Path, version: int, *, all_of_it: bool = False) -> bytes:
    """Make the first segment in a directory one of another version; return what is in it now."""
    segment = next(directory.glob("*/*.seg"))
    data = bytearray(segment.read_bytes())
    for at in (0, 64):
        data[at + 8 : at + 10] = struct.pack("<H", version)
        if all_of_it:  # nothing but magic and version stands where it did
            data[at + 10 : at + 64] = bytes(range(54))
        else:
            data[at + 28 : at + 32] = struct.pack("<I", zlib.crc32(data[at : at + 28]))
    segment.write_bytes(data)
    return bytes(data)


def looked_after(life: Life) -> Maintainer:
    """A life's maintainer, that has looked once."""
    maintainer = Maintainer(life.journal, sync=False, numbers=lambda: b"{}")
    maintainer.look()
    return maintainer


# ---------------------------------------------------------------------- what earlier versions left


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_of_any_version_is_taken_over_whole(tmp_path, name):
    """Finished spans as they were, open ones as unfinished with what had been set on them; the destination that had all but those gets no more."""
    directory = journal_of(name, tmp_path / "spans")
    life = Life(directory, names=(AWAY, REFUSES))
    looked_after(life)
    records = [decode_record(data) for data in life.take_records(AWAY)]
    assert told(records[:3]) == ORDER
    opened = {record.name: (record.custom_trace_id, record.attributes, record.end_cause) for record in records[3:]}
    assert opened == {
        "open order": (samples.OTHER_ID, {"n": 1, "set later": "später"}, "unfinished"),
        "open child": (samples.OTHER_ID, {}, "unfinished"),
    }
    assert {decode_record(data).name for data in life.take_records(REFUSES)} == set(opened)
    assert (life.journal.stats().damaged, life.journal.stats().left_alone) == (0, 0)
    life.close()
    assert list(directory.glob("*/*.seg")) == []


@pytest.mark.parametrize("name", JOURNALS)
def test_stats_and_list_read_a_journal_of_any_version(tmp_path, name):
    """Counts by destination, whether the version wrote their names down or only with its numbers."""
    directory = journal_of(name, tmp_path / "spans")
    shown = CliRunner().invoke(main, ["stats", "--journal", str(directory), "--json"])
    [process] = json.loads(shown.stdout)["processes"]
    assert (process["left"], process["left_open"], process["newer"]) == ({AWAY: 3, REFUSES: 0}, 2, "")
    listed = CliRunner().invoke(main, ["journal", "list", "--journal", str(directory), "--json"])
    assert [(one["adapter"], one["spans"]) for one in map(json.loads, listed.stdout.splitlines())] == [(AWAY, 5), (REFUSES, 2)]  # fmt: skip


@pytest.mark.parametrize("name", JOURNALS)
def test_dead_letters_of_any_version_are_listed_and_can_be_sent_again(tmp_path, name):
    """Each with its spans and what the destination said."""
    directory = journal_of(name, tmp_path / "spans")
    refusals = list(DeadFiles(directory / "dead").all())
    assert [(one.adapter, one.spans, one.reason) for one in refusals] == [(REFUSES, 1, "rejected")] * 3
    assert all("не сегодня" in one.message for one in refusals)
    config = tmp_path / "bridge.json"
    config.write_text(json.dumps({"adapters": {"store": {"path": str(tmp_path / "store.db")}}, "journal": {"directory": str(directory)}}))  # fmt: skip
    listed = CliRunner().invoke(main, ["dead", "list", "--journal", str(directory), "--json"])
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 3)
    replayed = CliRunner().invoke(main, ["replay", *map(str, directory.glob("dead/*.jsonl")), "--config", str(config)])
    assert replayed.exit_code == 0, replayed.output
    store = StoreDatabase(str(tmp_path / "store.db"), "store")
    [trace_id] = store.find(samples.CUSTOM_ID)
    assert {span.name for span in store.get(trace_id)} == set(ORDER)
    store.close()


def test_what_a_stage_held_is_asked_for_again(tmp_path):
    """A process whose sampling held a span was killed: its next one decides, and the root comes as unfinished."""
    directory = journal_of("0.2.0", tmp_path / "spans", "held")
    life = Life(directory, names=(AWAY,))
    looked_after(life)
    records = [decode_record(data) for data in life.take_records(AWAY)]
    assert {record.name: record.end_cause for record in records} == {"held €": "finished", "held order": "unfinished"}
    life.close()


@pytest.mark.parametrize("name", STORES)
def test_a_store_of_any_version_is_read(tmp_path, name):
    """Every span as it was when it was written; a custom ID finds its trace."""
    path = tmp_path / "store.db"
    samples.load_dump((SAMPLES / name / "store.sql").read_text(), path)
    store = StoreDatabase(str(path), "store")
    [trace_id] = store.find(samples.CUSTOM_ID)
    records = store.get(trace_id)
    assert told(records) == ORDER
    assert {record.resource.attributes["service.name"] for record in records if record.resource} == {"магазин"}
    assert len(store.find(samples.OTHER_ID)) == 1
    store.close()


@pytest.mark.parametrize("name", LINES)
def test_span_lines_of_any_version_are_read_exactly(name):
    """Nothing on them is odd."""
    decoded = [SpanlogLines().decode(line) for line in (SAMPLES / name / "spans.log").read_bytes().splitlines()]
    assert told(record for each in decoded for record in each.records) == ORDER
    assert [each.notes for each in decoded] == [[], [], []]


def test_shared_spans_of_any_version_can_be_ended(tmp_path):
    """What a killed process left open in the engine is changed, ended and delivered whole."""
    for sample in sorted(SAMPLES.glob("*/open-spans-*.sql")):
        folder = tmp_path / sample.parent.name
        folder.mkdir()
        samples.load_dump(sample.read_text(), folder / f"{sample.stem}.db")
        with closing(sqlite3.connect(folder / f"{sample.stem}.db")) as file:
            file.execute("UPDATE spans SET due = due + 1e9")  # a sample is older than spans may be open
            file.commit()
        shared = {"engine": "directory", "url": str(folder)}
        lines = tmp_path / "spans.log"
        with Client(
            config={"adapters": {"log": {"stream": "file", "path": str(lines)}}, "open_spans": shared}
        ) as client:
            root, child = [(span[0].hex(), span[1].hex()) for span in _shared(folder / f"{sample.stem}.db")]
            client.end_span(*child)
            client.end_span(*root, attributes={"ended": "здесь"})
        records = [record for line in lines.read_bytes().splitlines() for record in SpanlogLines().decode(line).records]
        assert {record.name: (record.custom_trace_id, record.attributes, record.end_cause) for record in records} == {
            "shared child": (samples.OTHER_ID, {}, "finished"),
            "shared €": (samples.OTHER_ID, {"n": 1, "set later": "später", "ended": "здесь"}, "finished"),
        }


def _shared(path: Path) -> list[tuple[bytes, bytes]]:
    """The open spans in an engine's file, the root first."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT trace_id, span_id FROM spans ORDER BY is_root DESC").fetchall()


# ---------------------------------------------------------------------- what a version to come may leave


@pytest.mark.parametrize("all_of_it", [False, True], ids=["the same header", "another header"])
def test_a_journal_of_a_newer_version_is_left_alone_with_a_word(tmp_path, caplog, all_of_it):
    """As it is, until whoever reads it has delivered it; it is counted for as long as it is there, and told once."""
    directory = journal_of("0.2.0", tmp_path / "spans")
    before = bumped(directory, 3, all_of_it=all_of_it)
    life = Life(directory, names=(AWAY, REFUSES))
    with caplog.at_level(logging.INFO, "tracebridge"):
        maintainer = looked_after(life)
        maintainer._adopt_at = 0.0
        maintainer.look()
    [said] = [record.getMessage() for record in caplog.records if "left alone" in record.getMessage()]
    assert "a newer tracebridge wrote it (journal version 3; this one reads 1 to 2); upgrade" in said
    [segment] = directory.glob("*/*.seg")
    assert (life.take(AWAY), segment.read_bytes(), life.journal.stats().left_alone) == ([], before, 1)
    for path in segment.parent.iterdir():
        path.unlink()
    segment.parent.rmdir()  # a process of the newer version has delivered it
    maintainer._adopt_at = 0.0
    maintainer.look()
    assert life.journal.stats().left_alone == 0
    life.close()


def test_commands_say_that_a_journal_is_of_a_newer_version(tmp_path):
    """`stats`, `journal list`, the metrics and `drain`, which exits with 1 and delivers nothing of it."""
    directory = journal_of("0.2.0", tmp_path / "spans")
    before = bumped(directory, 3)
    [segment] = directory.glob("*/*.seg")
    word = "a newer tracebridge wrote it (journal version 3; this one reads 1 to 2); upgrade"
    runner = CliRunner()
    shown = runner.invoke(main, ["stats", "--journal", str(directory)])
    assert word in " ".join(shown.stdout.split())
    listed = runner.invoke(main, ["journal", "list", "--journal", str(directory)])
    assert f"{segment.parent} is left alone: {word}" in " ".join(listed.stderr.split())
    scraped = runner.invoke(main, ["stats", "--journal", str(directory), "--prometheus"])
    [counted] = [line for line in scraped.stdout.splitlines() if line.startswith("tracebridge_journal_left_alone{")]
    assert counted.endswith(" 1")
    config = tmp_path / "bridge.json"
    config.write_text(json.dumps({"adapters": {AWAY: {"endpoint": "http://127.0.0.1:9"}}, "journal": {"directory": str(directory)}}))  # fmt: skip
    drained = runner.invoke(main, ["drain", "--config", str(config)])
    assert (drained.exit_code, segment.read_bytes()) == (1, before)


def test_a_journal_that_no_newer_version_needs_stays_what_older_ones_read(tmp_path):
    """During a deploy they take over each other's: version 2 is for what a stage holds, and for nothing else."""
    life = Life(tmp_path / "plain")
    life.start(1)
    life.append(1, 2)
    holding = Life(tmp_path / "holding")
    with holding.accounts.lock:
        holding.journal.hold(1, b"group", msgspec.msgpack.encode(SpanRecord(b"t" * 16, b"s" * 8, None, "n", 1, 2)))
    versions = [
        {struct.unpack_from("<8sH", path.read_bytes(), at)[1] for path in folder.glob("*/*.seg") for at in (0, 64)}
        for folder in (tmp_path / "plain", tmp_path / "holding")
    ]
    assert versions == [{1}, {2}]
    life.close()
    holding.close()


def test_span_lines_of_an_unknown_version_are_counted_and_told(tmp_path):
    """They are damage, with a line that says what to do; the others beside them are delivered."""
    lines = (SAMPLES / "0.2.0" / "spans.log").read_bytes().splitlines()
    newer = lines[0].replace(b'"spanlog/1"', b'"spanlog/2"')
    wrapped = json.dumps({"log": newer.decode() + "\n", "stream": "stdout", "time": "2026-11-30T00:00:00Z"}).encode()
    (tmp_path / "app.log").write_bytes(b"\n".join([newer, *lines, wrapped, b'{"schema": "spanlog", "x": 1}', b"a word on spanlog/2", b""]))  # fmt: skip
    shown = CliRunner().invoke(
        main, ["convert", "--to", "otlp_json", str(tmp_path / "app.log"), "--output", str(tmp_path / "out"), "--json"]
    )
    told = json.loads(shown.stdout)
    word = "not a spanlog/1 line: another version of tracebridge wrote it (spanlog/2); upgrade"
    assert (told["spans"], told["damaged_lines"], told["other_lines"]) == (3, 2, 2)
    assert [(one["line"], one["reason"]) for one in told["damage"]] == [(1, word), (5, word)]


# ---------------------------------------------------------------------- what is told


def test_the_version_tells_what_is_read_and_written():
    """Library, native module, record, journal, store, open spans, span lines, Python and place: as lines and as JSON, `--json` before or behind."""
    told = CliRunner().invoke(main, ["--version", "--json"])
    data = json.loads(told.stdout)
    assert {name: data[name] for name in ("tracebridge", "record", "journal", "store", "open_spans", "spanlog")} == {
        "tracebridge": VERSION,
        "record": {"writes": 2, "reads": [1, 2]},
        "journal": {"writes": 2, "reads": [1, 2]},
        "store": {"writes": 3, "reads": [1, 2, 3]},
        "open_spans": {"writes": 1, "reads": [1]},
        "spanlog": {"writes": 1, "reads": [1]},
    }
    assert data["python"].endswith(platform.python_version())
    assert (data["executable"], Path(data["installed_in"]).name) == (sys.executable, "tracebridge")
    assert CliRunner().invoke(main, ["--json", "--version"]).stdout == told.stdout
    lines = CliRunner().invoke(main, ["--version"]).stdout.splitlines()
    assert (lines[0], "journal: 2 (reads 1 to 2)" in lines, "spanlog: 1" in lines) == (f"tracebridge, version {VERSION}", True, True)  # fmt: skip


def test_json_without_a_command_is_refused_with_what_to_write():
    """Exit status 2, as for any wrong command."""
    refused = CliRunner().invoke(main, ["--json", "stats"])
    assert (refused.exit_code, "--json stands behind the command, or with --version" in refused.stderr) == (2, True)


def test_the_fields_of_a_record_are_those_of_its_version():
    """A change here is a new version: older ones leave out fields that they do not know, so it needs one of the journal, too (`SINCE`)."""
    assert (
        VERSION_OF_RECORD,
        ("schema_url" in Scope.__struct_fields__, len(Event.__struct_fields__), len(Link.__struct_fields__)),
    ) == (2, (True, 4, 6))
    assert SpanRecord.__struct_fields__ == (
        "trace_id", "span_id", "parent_id", "name", "start_time_ns", "end_time_ns", "kind", "status", "attributes", "span_type", "custom_trace_id",
        "end_cause", "opened_at", "status_message", "inputs", "outputs", "events", "links", "tags", "id_scheme", "trace_state", "flags",
        "parent_is_remote", "debug", "shared", "dropped_attributes", "dropped_events", "dropped_links", "truncated", "redacted", "repaired",
        "experiment_id", "scope", "resource", "custom_span_id", "span_id_scheme",
    )  # fmt: skip
