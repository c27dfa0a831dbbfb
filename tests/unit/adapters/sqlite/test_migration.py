"""Files of earlier and later versions: brought up to date whole or not at all, whatever ends that; a newer one is left as it is."""

from __future__ import annotations

import contextlib
import logging
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from support.cases import Build
from support.samples import dump_of, load_dump
from tracebridge.errors import Misconfigured, Retryable
from tracebridge.reading.search import Query
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.sqlite import migration
from tracebridge_adapters.sqlite.database import StoreDatabase, encode

SAMPLES = Path(__file__).parents[3] / "samples"
EARLIER = sorted(path.parent.name for path in SAMPLES.glob("0.1.0-*/store.sql"))
OPEN = """
import resource, sys
from tracebridge.reading.search import Query
from tracebridge_adapters.sqlite.database import StoreDatabase
store = StoreDatabase(sys.argv[1], "store")
"""


def large(path: Path, spans: int = 3000) -> list[SpanRecord]:
    """A file of version 1 with many spans; return them."""
    load_dump((SAMPLES / "0.1.0-20261125" / "store.sql").read_text(), path)
    records = [Build(f"{number}").span("s", attributes={"pad": "x" * 200}) for number in range(spans)]
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("DELETE FROM spans")
        rows = [
            (one.trace_id, one.span_id, 1, one.name, "", "OK", one.start_time_ns, 1, None, None, None, msgspec.msgpack.encode(one))
            for one in records
        ]  # fmt: skip
        old.executemany("INSERT INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        old.commit()
    return records


def version_of(path: Path) -> int:
    """The schema's version in a file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def holds(path: Path) -> set[bytes]:
    """The traces in a file, as today's version reads it."""
    store = StoreDatabase(str(path), "store")
    try:
        return {span.trace_id for trace in store.search(Query(max_results=10_000)).traces for span in trace}
    finally:
        store.close()


def opened_by(program: str, path: Path) -> subprocess.Popen[bytes]:
    """A process that opens a file."""
    return subprocess.Popen([sys.executable, "-c", OPEN + program, path], stderr=subprocess.PIPE)


def test_a_process_that_is_killed_while_it_brings_a_file_up_to_date_changes_nothing(tmp_path):
    """The next one finds the earlier file whole, and does it again."""
    path = tmp_path / "spans.db"
    traces = {one.trace_id for one in large(path)}
    killed = opened_by(
        """
import os, signal
from tracebridge_adapters.sqlite import migration
add, done = migration.SpanWriter.add, []
def add_and_die(self, records):
    add(self, records)
    os.kill(os.getpid(), signal.SIGKILL)
migration.SpanWriter.add = add_and_die
store.search(Query())
""",
        path,
    )
    killed.communicate()
    assert (killed.returncode, version_of(path)) == (-signal.SIGKILL, 1)
    assert (holds(path), version_of(path)) == (traces, 3)


def test_a_disk_that_is_full_in_the_middle_changes_nothing(tmp_path):
    """It is tried again, and done once there is room."""
    path = tmp_path / "spans.db"
    traces = {one.trace_id for one in large(path)}
    limited = opened_by(
        f"""
resource.setrlimit(resource.RLIMIT_FSIZE, ({path.stat().st_size // 2}, resource.RLIM_INFINITY))
from tracebridge.errors import Retryable
try:
    store.search(Query())
except Retryable as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(error, file=sys.stderr)
    raise SystemExit(7)
""",
        path,
    )
    _, said = limited.communicate()
    assert (limited.returncode, version_of(path)) == (7, 1), said
    assert (holds(path), version_of(path)) == (traces, 3)


def test_processes_that_bring_a_file_up_to_date_at_once_do_it_once(tmp_path):
    """One does, the others wait for it or try again; all find every trace."""
    path = tmp_path / "spans.db"
    traces = {one.trace_id for one in large(path)}
    program = """
from tracebridge.errors import Retryable
while True:
    try:
        found = store.search(Query(max_results=10_000)).traces
        break
    except Retryable:
        pass
raise SystemExit(0 if len(found) == 3000 else 1)
"""
    several = [opened_by(program, path) for _ in range(3)]
    said = b"".join(one.communicate()[1] for one in several)
    assert ([one.returncode for one in several], said.count(b"brought up to date")) == ([0, 0, 0], 1), said
    assert holds(path) == traces


def test_a_record_that_cannot_be_read_costs_no_other(tmp_path, caplog):
    """It stays in the file, in a table of its own; where the file may only be read it is left out."""
    path = tmp_path / "spans.db"
    records = large(path, 3)
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("UPDATE spans SET record = x'ff' WHERE trace_id = ?", (records[0].trace_id,))
        old.commit()
    with caplog.at_level(logging.WARNING, "tracebridge.store"):
        assert holds(path) == {one.trace_id for one in records[1:]}
    assert "1 spans cannot be read; they stay in the file" in caplog.text
    with contextlib.closing(sqlite3.connect(path)) as now:
        assert now.execute("SELECT trace_id, record FROM unreadable").fetchall() == [(records[0].trace_id, b"\xff")]


@pytest.mark.parametrize("version", [4, 99])
def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path, version):
    """By whoever reads and whoever writes, with a line that says what to do."""
    path = tmp_path / "spans.db"
    load_dump((SAMPLES / "0.2.0" / "store.sql").read_text(), path)
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version={version}")
    before = path.read_bytes()
    store = StoreDatabase(str(path), "store")
    refused = (
        f"written by a newer tracebridge \\(schema {version}; this one reads 1 to 3\\); upgrade, or use another path"
    )
    with pytest.raises(Misconfigured, match=refused):
        store.write(encode([Build("new").span("s")]))
    with pytest.raises(Misconfigured, match=refused):
        store.search(Query())
    store.close()
    assert path.read_bytes() == before


def test_a_newer_version_that_comes_while_the_file_is_open_is_told(tmp_path):
    """During a deploy another process brings the file to its own version: what is written then waits, and the line says why."""
    path = tmp_path / "spans.db"
    store = StoreDatabase(str(path), "store")
    store.write(encode([Build("first").span("s")]))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.executescript("ALTER TABLE spans RENAME TO spans_4; PRAGMA user_version=4;")
    with pytest.raises(Misconfigured, match="newer tracebridge"):
        store.write(encode([Build("second").span("s")]))
    with pytest.raises(Misconfigured, match="newer tracebridge"):
        store.search(Query())
    store.close()


def test_another_processs_bringing_up_to_date_holds_up_a_reader_for_a_bounded_time(tmp_path, monkeypatch):
    """It is told that the file is locked, and may ask again."""
    monkeypatch.setattr("tracebridge_adapters.sqlite.opening.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "spans.db"
    large(path, 10)
    may_go_on, is_in_it = threading.Event(), threading.Event()
    copy = migration._copy

    def slowly(*arguments: object) -> object:
        is_in_it.set()
        may_go_on.wait(60)
        return copy(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(migration, "_copy", slowly)
    first = threading.Thread(target=holds, args=[path])
    first.start()
    assert is_in_it.wait(60)
    second = StoreDatabase(str(path), "store")
    with pytest.raises(Retryable, match="locked"):
        second.search(Query())
    may_go_on.set()
    first.join()
    assert len(second.search(Query()).traces) == 10
    second.close()


@pytest.mark.parametrize("name", EARLIER)
def test_what_was_brought_up_to_date_is_what_a_new_file_would_hold(tmp_path, name):
    """Tables, indexes and versions are the same, whichever version made the file."""
    load_dump((SAMPLES / name / "store.sql").read_text(), tmp_path / "earlier.db")
    load_dump((SAMPLES / "0.2.0" / "store.sql").read_text(), tmp_path / "new.db")
    holds(tmp_path / "earlier.db")
    tables = [
        [line for line in dump_of(tmp_path / file).splitlines() if line.startswith(("CREATE", "PRAGMA"))]
        for file in ("earlier.db", "new.db")
    ]
    assert sorted(tables[0]) == sorted(tables[1])
