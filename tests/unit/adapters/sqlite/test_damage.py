"""A damaged database is set aside with a word, and tracing goes on; what is somebody else's file is left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from support.cases import Build
from tracebridge.errors import Misconfigured, Retryable
from tracebridge_adapters.sqlite import opening
from tracebridge_adapters.sqlite.database import StoreDatabase, encode

FIRST, SECOND = Build("one").span("one"), Build("two").span("two")


def written(path: Path) -> StoreDatabase:
    """A store with one span, closed."""
    store = StoreDatabase(str(path), "store")
    store.write(encode([FIRST]))
    store.close()
    return store


def damaged_at_its_beginning(path: Path) -> None:
    """No header."""
    path.write_bytes(b"?" * 100 + path.read_bytes()[100:])


def damaged_inside(path: Path) -> None:
    """Every page but the first is rubbish."""
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))


def cut_short(path: Path) -> None:
    """A disk that was full, or a copy that was broken off."""
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [damaged_at_its_beginning, damaged_inside, cut_short])
def test_a_damaged_file_is_set_aside_and_a_new_one_is_begun(tmp_path, damage, caplog):
    """Nothing of it is deleted; the log says where it is."""
    path = tmp_path / "spans.db"
    store = written(path)
    damage(path)
    broken = path.read_bytes()
    store.write(encode([SECOND]))
    assert store.get(SECOND.trace_id) == [SECOND]
    store.close()
    aside = list(tmp_path.glob("*.damaged-*[0-9]"))
    assert [file.read_bytes() for file in aside] == [broken]
    assert [record.levelname for record in caplog.records if str(aside[0]) in record.message] == ["ERROR"]


def test_a_file_that_another_process_has_replaced_is_used(tmp_path):
    """Whoever finds the damage second does not move the new file away."""
    path = tmp_path / "spans.db"
    first, second = written(path), written(path)
    assert second.get(FIRST.trace_id) == [FIRST]
    damaged_inside(path)
    first.write(encode([FIRST]))
    second.write(encode([SECOND]))
    assert (first.get(SECOND.trace_id), len(list(tmp_path.glob("*.damaged-*[0-9]")))) == ([SECOND], 1)
    first.close()
    second.close()


def test_a_file_that_was_never_a_database_is_left_alone(tmp_path):
    """It is somebody's own, and the path is wrong."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes " * 500)
    store = StoreDatabase(str(path), "store")
    with pytest.raises(Misconfigured, match="move it away, or use another path"):
        store.write(encode([FIRST]))
    assert path.read_text() == "my notes " * 500
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_whoever_only_reads_a_damaged_file_says_so_and_moves_nothing(tmp_path):
    """`tracebridge show` is not the one to begin a new file."""
    path = tmp_path / "spans.db"
    store = written(path)
    damaged_at_its_beginning(path)
    with pytest.raises(Misconfigured, match="cannot be used as a database"):
        store.get(FIRST.trace_id)
    assert [file.name for file in tmp_path.iterdir()] == ["spans.db"]


def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path):
    """The word is to upgrade."""
    path = tmp_path / "spans.db"
    store = written(path)
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version=99")
    newer.close()
    for call in (lambda: store.get(FIRST.trace_id), lambda: store.write(encode([SECOND]))):
        with pytest.raises(Misconfigured, match=r"newer tracebridge \(schema 99; .*\); upgrade"):
            call()
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_file_that_another_program_has_locked_is_tried_again(tmp_path, monkeypatch):
    """Delivery waits and comes back; what it holds is not lost."""
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "spans.db"
    store = written(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Retryable, match="locked"):
        store.write(encode([SECOND]))
    other.rollback()
    other.close()
    store.write(encode([SECOND]))
    assert store.get(SECOND.trace_id) == [SECOND]
    store.close()
