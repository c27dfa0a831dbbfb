"""What bounds the store: the oldest traces go, it is counted and said, and the file becomes as small as it may be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.cases import Build
from tracebridge.plugins.adapter import Bounds, Context, Pruned
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.sqlite.database import StoreDatabase, encode
from tracebridge_adapters.store import Retention, StoreAdapter, StoreOptions

MIB = 2**20


def traces(first: int, count: int, size: int = 2_000) -> list[SpanRecord]:
    """Traces of one span each, newer and newer."""
    return [
        Build(f"t{n}").span(f"t{n}", start_time_ns=1_790_000_000_000_000_000 + n, attributes={"x": "y" * size})
        for n in range(first, first + count)
    ]


def store(folder: Path, **bounds: int) -> StoreDatabase:
    """A store with bounds."""
    return StoreDatabase(str(folder / "spans.db"), "store", Bounds(**bounds))


def test_a_file_stays_within_its_bytes_however_much_is_written(tmp_path, caplog):
    """The newest traces are there, the others are counted; the first time it is a warning."""
    kept = store(tmp_path, max_bytes=MIB)
    for first in range(0, 4_000, 200):
        kept.write(encode(traces(first, 200)))
    told = kept.info()
    assert told["bytes"] - told["free_bytes"] <= MIB
    assert 0 < told["traces"] < 600
    assert told["traces"] + told["pruned_traces"] == told["spans"] + told["pruned_spans"] == 4_000
    assert kept.get(Build("t3999").trace_id) != []
    assert kept.get(Build("t0").trace_id) == []
    kept.close()
    assert (tmp_path / "spans.db").stat().st_size <= 1.1 * MIB
    assert [record.levelname for record in caplog.records if "oldest traces" in record.message][:2] == ["WARNING"]


@pytest.mark.parametrize(
    ("bounds", "left"), [(Bounds(max_traces=3), 3), (Bounds(max_age_s=3600), 0), (Bounds(max_bytes=150_000), 20)]
)
def test_pruning_by_hand_gives_the_space_back(tmp_path, bounds, left):
    """By number, age or bytes; a store without bounds keeps everything until then."""
    kept = store(tmp_path, max_bytes=0)
    old = [
        Build(f"o{n}").span("o", start_time_ns=time.time_ns() - 10**13 + n, end_time_ns=time.time_ns() - 9 * 10**12, attributes={"x": "y" * 2_000})
        for n in range(1_000)
    ]  # fmt: skip
    kept.write(encode(old))
    before = kept.info()["bytes"]
    pruned = kept.prune(bounds)
    after = kept.info()
    assert abs(after["traces"] - left) <= 10
    assert pruned == Pruned(1_000 - after["traces"], 1_000 - after["traces"])
    assert (after["bytes"] < before / 10, after["free_bytes"]) == (True, 0)
    kept.close()


def test_a_new_store_is_bounded_and_says_so(tmp_path):
    """By a GiB unless its configuration says otherwise; 0 bounds nothing."""
    for asked, told in ((None, 2**30), (0, 0), (5 * MIB, 5 * MIB)):
        options = StoreOptions(path=str(tmp_path / f"{asked}.db"), retention=Retention(max_bytes=asked))
        adapter = StoreAdapter(options, Context("store"))
        adapter.send(adapter.encode(traces(0, 1)), 1)
        assert adapter.info()["max_bytes"] == told
        adapter.close()


def test_tags_and_pieces_of_what_was_forgotten_are_gone_too(tmp_path):
    """Nothing is left that a search could find."""
    kept = store(tmp_path)
    tagged = Build("tagged").span("s", tags={"team": "blue"}, custom_trace_id="own")
    kept.write(encode([tagged]))
    assert kept.delete([tagged.trace_id, tagged.trace_id]) == 1
    told = {table: kept._read(f"SELECT count(*) FROM {table}")[0][0] for table in ("traces", "spans", "tags")}
    assert told == {"traces": 0, "spans": 0, "tags": 0}
    kept.close()


def test_vacuum_writes_a_file_without_holes(tmp_path):
    """It says what it brought."""
    kept = store(tmp_path, max_bytes=0)
    kept.write(encode(traces(0, 500)))
    kept.delete([Build(f"t{n}").trace_id for n in range(400)])
    kept.close()
    before, after = kept.vacuum()
    assert after < before / 2
    assert len(kept.get(Build("t450").trace_id)) == 1
    kept.close()
