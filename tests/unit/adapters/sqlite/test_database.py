"""The store's file: where it cannot be written it can still be read; a search of a large one; files of earlier versions."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.cases import Build
from tracebridge.errors import Misconfigured
from tracebridge.plugins.adapter import Bounds
from tracebridge.reading.search import Condition, Order, Query
from tracebridge.records.record import Kind, Resource, SpanRecord
from tracebridge_adapters.sqlite.database import StoreDatabase, encode

NOBODY = 65534


@pytest.fixture(autouse=True)
def no_connection_is_left_to_the_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test opens is closed behind it: since 3.13 Python warns of connections that it has to close itself."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*args: object, **options: Any) -> sqlite3.Connection:
        made.append(connect(*args, **options))  # type: ignore[call-overload]
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    yield
    for each in made:
        each.close()


def rpc(folder: Path, *records: SpanRecord) -> list[SpanRecord]:
    """What a store has of one trace's records, each written by itself."""
    store = database(folder / "spans.db")
    for record in records:
        store.write(encode([record]))
    found = store.get(records[0].trace_id)
    store.close()
    return found


@contextmanager
def nobody() -> Iterator[None]:
    """Be somebody whom permissions hold back, who the superuser is not."""
    before = os.geteuid()
    if before:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own is not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def database(path: Path) -> StoreDatabase:
    """A store's file."""
    return StoreDatabase(str(path), "store")


CLIENT = Build("rpc").span("call", kind=Kind.CLIENT)
SERVER = msgspec.structs.replace(
    CLIENT,
    kind=int(Kind.SERVER),
    resource=Resource({"service.name": "back"}),
    start_time_ns=CLIENT.start_time_ns + 1_000,
)


@pytest.mark.parametrize("shared", [True, False])
def test_neither_half_of_a_call_replaces_the_other(folder, shared):
    """With the flag and without it, whichever came first, and a second server's as well."""
    server = msgspec.structs.replace(SERVER, shared=shared)
    other = msgspec.structs.replace(server, resource=Resource({"service.name": "stock"}))
    back = [msgspec.structs.replace(half, shared=True) for half in (server, other)]
    assert rpc(folder, server, CLIENT, other, server) == [CLIENT, *back]


def test_pieces_of_a_span_are_put_together(folder):
    """In one batch or in several; what comes again changes nothing."""
    start = msgspec.structs.replace(CLIENT, end_time_ns=CLIENT.start_time_ns)
    end = msgspec.structs.replace(CLIENT, name="", start_time_ns=0, end_time_ns=7_000, attributes={"x": 1})
    whole = msgspec.structs.replace(CLIENT, end_time_ns=CLIENT.start_time_ns + 7_000, attributes={"x": 1})
    assert rpc(folder, start, end, start, end) == [whole]
    store = database(folder / "other.db")
    store.write(encode([end, start, end]))
    assert store.get(CLIENT.trace_id) == [whole]
    assert [[whole]] == store.search(Query([Condition("duration_ms", "<", 1)])).traces
    store.close()


def test_two_spans_of_one_key_are_both_kept(folder):
    """Two instances of a service answered under one ID: they tell different times."""
    again = msgspec.structs.replace(
        SERVER, start_time_ns=SERVER.start_time_ns + 5_000, end_time_ns=SERVER.end_time_ns + 5_000
    )
    assert rpc(folder, SERVER, again, again) == [SERVER, again]


@pytest.mark.parametrize("folder_mode", [0o755, 0o555], ids=["in a folder", "in a folder that cannot be written"])
def test_a_file_that_cannot_be_written_can_be_read_again_and_again(folder, folder_mode):
    """Its folder may be out of reach too; nothing is left beside it."""
    path = folder / "spans.db"
    record = Build("store").span("s", custom_trace_id="job-1")
    writer = database(path)
    writer.write(encode([record]))
    writer.close()
    path.chmod(0o444)
    folder.chmod(folder_mode)
    with nobody():
        for _ in range(2):
            reader = database(path)
            assert [record.trace_id] == reader.find("job-1")
            assert [record] == reader.get(record.trace_id)
            reader.close()
    assert [file.name for file in folder.iterdir()] == ["spans.db"]


def test_a_writer_that_could_only_read_writes_once_it_may(folder):
    """Until then it says what is wrong, as for any file out of reach."""
    path = folder / "spans.db"
    first, second = Build("one").span("s"), Build("two").span("s")
    writer = database(path)
    writer.write(encode([first]))
    writer.close()
    path.chmod(0o444)
    folder.chmod(0o777)
    kept = database(path)
    with nobody():
        assert [first] == kept.get(first.trace_id)
        with pytest.raises(Misconfigured, match="Permission denied; is the folder there, and writable"):
            kept.write(encode([second]))
        assert [first] == kept.get(first.trace_id)
    path.chmod(0o666)
    with nobody():
        kept.write(encode([second]))
        assert [second] == kept.get(second.trace_id)
        kept.close()
    assert [file.name for file in folder.iterdir()] == ["spans.db"]


def test_a_file_that_others_write_is_read_as_it_is_now(folder):
    """With what is still in their log."""
    path = folder / "spans.db"
    record = Build("store").span("s")
    writer = database(path)
    writer.write(encode([record]))
    for file in folder.iterdir():
        file.chmod(0o444)
    reader = database(path)
    with nobody():
        assert [record] == reader.get(record.trace_id)
    again = Build("again").span("s")
    writer.write(encode([again]))
    with nobody():
        assert [again] == reader.get(again.trace_id)
    writer.close()
    with nobody():
        assert [again] == reader.get(again.trace_id)


def test_a_file_that_cannot_be_read_either_is_told(folder):
    """Nobody else's business."""
    path = folder / "spans.db"
    writer = database(path)
    writer.write(encode([Build("store").span("s")]))
    writer.close()
    reader = database(path)
    with nobody() if not os.geteuid() else path_locked(path), pytest.raises(Misconfigured, match="Permission denied"):
        reader.get(b"t" * 16)


@contextmanager
def path_locked(path: Path) -> Iterator[None]:
    """One's own file is out of reach only without any permission."""
    path.chmod(0)
    yield
    path.chmod(0o600)


# ---------------------------------------------------------------------- growing


def filled(folder: Path, traces: int) -> StoreDatabase:
    """A file with so many traces of five spans, two in a hundred of which have no root."""
    made = database(folder / f"{traces}.db")
    records = []
    for number in range(traces):
        build = Build(f"trace {number}")
        start = 1_790_000_000_000_000_000 + number * 1_000_000
        root = build.span("root", start_time_ns=start, end_time_ns=start + 500)
        spans = [
            root,
            *(build.span(f"s{n}", root, start_time_ns=start + n, end_time_ns=start + n) for n in range(1, 5)),
        ]
        records += spans[1:] if number % 50 == 0 else spans
    made.write(encode(records))
    return made


def steps(store: StoreDatabase, query: Query) -> int:
    """How many steps SQLite takes to answer (its virtual machine's instructions, by the hundred): the work, on any machine."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    store.search(query)  # opened
    connection = store._reading.connection
    assert connection is not None
    connection.set_progress_handler(count, 100)
    store.search(query)
    connection.set_progress_handler(None, 100)
    return taken


@pytest.mark.parametrize(
    ("query", "growth"),
    [
        (Query(max_results=20), 1.1),
        (Query([Condition("timestamp_ms", ">=", 1_790_000_000_000)], max_results=20), 1.1),
        (Query([Condition("trace_id", "=", Build("trace 7").trace_id.hex())]), 1.1),
        (Query([Condition("name", "=", "no such name")]), 2.3),
        (Query([Condition("attribute", "=", "x", "no such key")]), 2.3),
        (Query([Condition("span_name", "=", "no such name")]), 2.3),
        (Query([], [Order("duration_ms")], max_results=20), 2.3),
    ],
    ids=["newest", "since", "one ID", "name", "attribute", "span", "by duration"],
)
def test_a_search_costs_no_more_than_its_share_of_a_file_twice_as_large(folder, query, growth):
    """The newest are read by index, at any size; what no index answers looks at each trace once."""
    small, large = filled(folder, 1_000), filled(folder, 2_000)
    assert steps(large, query) <= growth * steps(small, query) + 1
    small.close()
    large.close()


def test_a_trace_stands_for_its_first_root_or_else_its_first_span_whatever_came_first(folder):
    """A root that comes late takes the place of what stood for it; a deleted trace stands for nothing."""
    build = Build("late")
    root = build.span("root", start_time_ns=5_000_000, end_time_ns=9_000_000)
    early = build.span("early", root, start_time_ns=6_000_000, end_time_ns=7_000_000)
    later = build.span("later", root, start_time_ns=7_000_000, end_time_ns=8_000_000)
    store = database(folder / "spans.db")

    def shown() -> list[list[str]]:
        by_name = store.search(Query([], [Order("timestamp_ms")])).traces
        return [[span.name for span in spans] for spans in by_name]

    def starts(ms: int) -> bool:
        return len(store.search(Query([Condition("timestamp_ms", "=", ms)])).traces) == 1

    store.write(encode([later]))
    assert starts(7)
    store.write(encode([early]))
    assert starts(6)
    assert store.search(Query([Condition("name", "=", "early")])).traces
    store.write(encode([root]))
    store.write(encode([root]))
    assert starts(5)
    assert not store.search(Query([Condition("name", "=", "early")])).traces
    assert shown() == [["root", "early", "later"]]
    assert store.delete([root.trace_id, b"x" * 16]) == 1
    assert shown() == []
    store.close()


def test_retention_forgets_whole_traces(folder):
    """By number, the oldest; by age, those that ended long ago."""
    now = time.time_ns()
    old, new = Build("old"), Build("new")
    spans = [
        old.span("o", start_time_ns=now - 9 * 10**9, end_time_ns=now - 8 * 10**9),
        new.span("n", start_time_ns=now - 9 * 10**9 + 1, end_time_ns=now),
    ]
    for limits in (Bounds(max_age_s=5), Bounds(max_traces=1)):
        store = StoreDatabase(str(folder / f"{limits.max_traces}.db"), "store", limits)
        store.write(encode(spans))
        assert [[span.name for span in trace] for trace in store.search(Query()).traces] == [["n"]]
        assert store.get(spans[0].trace_id) == []
        store.close()


BEFORE = {
    1: """
CREATE TABLE spans (
    trace_id BLOB NOT NULL, span_id BLOB NOT NULL, is_root INTEGER NOT NULL, name TEXT NOT NULL,
    service TEXT NOT NULL, status TEXT NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    custom_trace_id TEXT, attributes TEXT, tags TEXT, record BLOB NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX spans_root_start ON spans (is_root, start_ns);
CREATE INDEX spans_custom ON spans (custom_trace_id) WHERE custom_trace_id IS NOT NULL;
PRAGMA user_version=1;
""",
    2: """
CREATE TABLE spans (
    trace_id BLOB NOT NULL, span_id BLOB NOT NULL, is_root INTEGER NOT NULL, name TEXT NOT NULL,
    service TEXT NOT NULL, status TEXT NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    custom_trace_id TEXT, attributes TEXT, tags TEXT, record BLOB NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX spans_custom ON spans (custom_trace_id) WHERE custom_trace_id IS NOT NULL;
CREATE TABLE traces (
    trace_id BLOB NOT NULL PRIMARY KEY, span_id BLOB NOT NULL, is_root INTEGER NOT NULL, start_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX traces_start ON traces (start_ns);
PRAGMA user_version=2;
""",
}


@pytest.mark.parametrize("version", BEFORE)
@pytest.mark.parametrize("may_write", [True, False], ids=["writable", "only readable"])
def test_a_file_of_an_earlier_version_is_searched_as_any_other(folder, may_write, version):
    """It is brought up to date; where it cannot be written, in a temporary file, for this look alone. Every record is as it was."""
    path = folder / "spans.db"
    store = filled(folder, 60)
    traces = store.search(Query(max_results=99)).traces
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(BEFORE[version])
        for span in (span for trace in traces for span in trace):
            root = span.parent_id is None
            row = (
                span.trace_id,
                span.span_id,
                root,
                span.name,
                "",
                "UNSET",
                span.start_time_ns,
                span.duration_ns,
                None,
                None,
                None,
            )
            old.execute("INSERT INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", (*row, msgspec.msgpack.encode(span)))
        old.commit()
    if not may_write:
        path.chmod(0o444)
    with contextlib.nullcontext() if may_write else nobody():
        again = database(path)
        assert again.search(Query(max_results=99)).traces == traces
        for query in (
            Query([Condition("name", "=", "root")]),
            Query([Condition("name", "=", "s2")]),
            Query(max_results=3),
        ):
            assert again.search(query) == store.search(query)
        assert (again.info()["max_bytes"], store.info()["max_bytes"]) == (0, 2**30)
        again.close()
    with contextlib.closing(sqlite3.connect(path)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == ((3,) if may_write else (version,))
    assert [file.name for file in folder.iterdir() if "spans" in file.name] == ["spans.db"]
    store.close()


def test_a_long_search_holds_up_no_delivery(folder):
    """Whoever reads has a connection of their own: a span is written while a search is in the middle of its work."""
    store = filled(folder, 200)
    store.search(Query())
    assert store._reading.connection is not None
    written: list[bool] = []

    def write() -> None:
        store.write(encode([Build("meanwhile").span("s")]))
        written.append(True)

    def in_the_middle() -> None:
        store._reading.connection.set_progress_handler(None, 100)  # once
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(60)

    store._reading.connection.set_progress_handler(in_the_middle, 100)
    store.search(Query([Condition("name", "=", "no such name")]))
    assert written == [True]
    store.close()
