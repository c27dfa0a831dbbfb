"""Maintenance: what dead processes left is found, told in one line and queued as there is room, while syncing and numbers go on."""

from __future__ import annotations

import json
import logging
import struct
import time
import zlib
from pathlib import Path
from typing import Any

from support.journals import Life, record
from tracebridge.journal.backlog import MOST_ADOPTED
from tracebridge.journal.base import decode_record
from tracebridge.journal.folder import STATS, Folder, folders
from tracebridge.journal.maintenance import Maintainer


def maintainer(life: Life) -> Maintainer:
    """The maintainer of a life's journal, looked after by hand."""
    return Maintainer(life.journal, sync=True, numbers=lambda: json.dumps(life.queued()).encode())


def left_behind(directory: Path, *numbers: int, opened: tuple[int, ...] = (), size: int = 0, **more: Any) -> Path:
    """The folder of a process that ended and opened these spans and died."""
    life = Life(directory, **more)
    life.start(*opened)
    life.append(*numbers, size=size)
    assert life.journal.folder is not None
    path = life.journal.folder.path
    life.die()
    return path


def segments(folder: Path) -> list[Path]:
    """Its segments, oldest first."""
    return sorted(folder.glob("*.seg"))


def test_one_line_says_what_was_found(tmp_path, caplog):
    """Processes, finished and unfinished spans, damage: in order, IDs unchanged, the open ones as errors with their real start."""
    left_behind(tmp_path, 1, 2, 3, opened=(7,))
    left_behind(tmp_path, 4, 5)
    life = Life(tmp_path)
    with caplog.at_level(logging.INFO, "tracebridge"):
        maintainer(life).look()
    [line] = [r.getMessage() for r in caplog.records if "adopted" in r.getMessage()]
    assert "what 2 processes left: 5 finished spans, 1 unfinished, 0 damaged" in line
    spans = [decode_record(data) for data in life.take_records("a")]
    assert [span.attributes["n"] for span in spans] == [1, 2, 3, 7, 4, 5]
    assert [span.span_id for span in spans] == [n.to_bytes(8, "big") for n in (1, 2, 3, 7, 4, 5)]
    unfinished = spans[3]
    assert (unfinished.end_cause, unfinished.status, unfinished.start_time_ns) == ("unfinished", 2, 1)
    assert life.accounts.adapters["a"].adopted == 6
    life.close()


def test_damage_is_counted_and_set_aside_and_the_rest_is_delivered(tmp_path, caplog):
    """A rotten record and a whole rotten segment cost themselves; what they were lies in `damaged`, private."""
    path = left_behind(tmp_path, *range(100), segment=4096)
    first, second = segments(path)[:2]
    data = bytearray(first.read_bytes())
    data[data.index(b"\x81\xa1n\x05")] ^= 0xFF
    first.write_bytes(data)
    second.write_bytes(b"\xff" * 4096)
    life = Life(tmp_path)
    maintainer(life).look()
    took = life.take("a")
    lost = set(range(100)) - set(took)
    assert 5 in lost
    assert len(lost) < 40
    assert took == sorted(took)
    assert life.journal.stats().damaged == 2
    aside = list((tmp_path / "damaged").iterdir())
    assert (len(aside), {p.stat().st_mode & 0o777 for p in aside}) == (2, {0o600})
    assert [r.levelname for r in caplog.records if "2 damaged stretches" in r.getMessage()] == ["WARNING"]
    life.close()


def test_a_newer_version_is_left_alone_with_a_clear_error(tmp_path, caplog):
    """Never misread, never deleted, said once, counted; whoever upgrades finds it whole."""
    path = left_behind(tmp_path, 1, 2)
    [segment] = segments(path)
    data = bytearray(segment.read_bytes())
    for at in (0, 64):
        data[at + 8 : at + 10] = struct.pack("<H", 9)
        data[at + 28 : at + 32] = struct.pack("<I", zlib.crc32(data[at : at + 28]))
    segment.write_bytes(data)
    life = Life(tmp_path)
    kept = maintainer(life)
    kept.look()
    kept._adopt_at = 0.0
    kept.look()
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 1
    assert (
        "is left alone: a newer tracebridge wrote it (journal version 9; this one reads 1 to 2); upgrade" in errors[0]
    )
    assert (life.journal.stats().left_alone, segment.read_bytes()) == (1, bytes(data))
    assert Folder.take(path) is not None  # the lock was given back
    life.close()


def test_what_another_configuration_is_owed_waits_for_it(tmp_path, caplog):
    """It is counted under the adapter's name, said once, and nothing is touched."""
    path = left_behind(tmp_path, 1, 2, names=("theirs",))
    life = Life(tmp_path)
    kept = maintainer(life)
    kept.look()
    kept._adopt_at = 0.0
    kept.look()
    assert caplog.text.count("2 spans wait for theirs, which this configuration does not name") == 1
    assert (life.take("a"), len(segments(path)), life.journal.stats().unclaimed) == ([], 1, {"theirs": 2})
    life.close()
    later = Life(tmp_path, names=("theirs",))
    maintainer(later).look()
    assert later.take("theirs") == [1, 2]
    later.close()
    assert list(folders(tmp_path)) == []


def test_what_an_adapter_is_owed_that_is_no_longer_named_stays_when_the_others_have_theirs(tmp_path):
    """Finished spans and open ones: each adapter gets its own once, in whatever process it is named again."""
    left_behind(tmp_path, 1, 2, opened=(3,), names=("a", "gone"))
    life = Life(tmp_path)
    kept = maintainer(life)
    kept.look()
    assert life.take("a") == [1, 2, 3]
    kept.look()
    assert life.journal.stats().unclaimed == {"gone": 3}
    life.close()
    later = Life(tmp_path, names=("a", "gone"))
    maintainer(later).look()
    assert (later.take("gone"), later.take("a")) == ([1, 2, 3], [])
    later.close()
    assert list(folders(tmp_path)) == []


def test_foreign_files_are_nobodys_business(tmp_path):
    """Whatever else lies in the directory, or in a folder of ours, stays as it is and stops nothing."""
    path = left_behind(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "99999999999999999999-1-zzzz").mkdir()
    (path / "readme.seg").write_text("mine")
    life = Life(tmp_path)
    maintainer(life).look()
    assert life.take("a") == [1]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "99999999999999999999-1-zzzz").is_dir()
    life.close()


def test_a_backlog_larger_than_there_is_room_for_waits_and_nothing_else_does(tmp_path):
    """Syncing and numbers go on meanwhile; what waits is counted; all of it is delivered in order, nothing dropped for it."""
    for first in range(0, 4000, 1000):
        left_behind(tmp_path, *range(first, first + 1000), size=1000, max_bytes=64 * 2**20, names=("a",))
    life = Life(tmp_path, 2**20, ("a",))
    kept = maintainer(life)
    life.append(9000)
    kept.look()
    waiting = life.journal.stats().waiting
    assert waiting > 0
    kept._tick_at = 0.0
    kept.look()
    assert life.journal.folder is not None
    assert (life.journal.folder.path / STATS).exists()
    got: list[int] = []
    for _ in range(200):
        got += life.take("a", 700)
        kept.look()
    assert (got[0], got[1:], life.dropped(), life.journal.stats().waiting) == (9000, list(range(4000)), {"a": 0}, 0)
    life.close()
    assert list(folders(tmp_path)) == []


def test_hundreds_of_dead_processes_do_not_use_up_the_file_descriptors(tmp_path):
    """They are adopted a few at a time, oldest first."""
    for number in range(150):
        left_behind(tmp_path, number, names=("a",))
    life = Life(tmp_path, 512 * 2**20, ("a",))
    kept = maintainer(life)
    before = len(list(Path("/proc/self/fd").iterdir()))
    most, got = 0, []
    for _ in range(20):
        kept.look()
        most = max(most, len(list(Path("/proc/self/fd").iterdir())) - before)
        got += life.take("a")
    assert (got, most <= 2 * MOST_ADOPTED + 16) == (list(range(150)), True)
    assert life.journal.stats().looked
    life.close()
    assert list(folders(tmp_path)) == []


def test_stopping_leaves_what_waits_to_the_next_process(tmp_path):
    """Its lock is given back, its spans are there."""
    for first in range(0, 4000, 1000):
        left_behind(tmp_path, *range(first, first + 1000), size=1000, max_bytes=64 * 2**20, names=("a",))
    life = Life(tmp_path, 2**20, ("a",))
    kept = maintainer(life)
    kept.look()
    got = life.take("a", 100)
    kept.stop()
    life.close()
    later = Life(tmp_path, names=("a",))
    maintainer(later).look()
    assert got + later.take("a") == list(range(4000))
    later.close()


def test_a_reader_that_dies_while_it_adopts_changes_nothing(tmp_path):
    """The next one reads the same: unfinished spans come once, not once for each reader."""
    left_behind(tmp_path, 1, opened=(2, 3))
    for _ in range(3):
        life = Life(tmp_path)
        life.adopt(tmp_path)
        life.die()
    life = Life(tmp_path)
    maintainer(life).look()
    assert life.take("a") == [1, 2, 3]
    life.close()


def test_folders_are_taken_by_one_process_only(tmp_path):
    """Two that start together share the work and double nothing."""
    for number in range(6):
        left_behind(tmp_path, number)
    lives = [Life(tmp_path), Life(tmp_path)]
    for life in lives:
        maintainer(life).look()
    assert sorted(lives[0].take("a") + lives[1].take("a")) == list(range(6))
    for life in lives:
        life.close()


def test_a_living_keeper_finds_who_died_meanwhile(tmp_path, monkeypatch):
    """Without a restart, within its interval."""
    monkeypatch.setattr("tracebridge.journal.maintenance.ADOPT_EVERY_S", 0.05)
    monkeypatch.setattr("tracebridge.journal.maintenance.TICK_S", 0.02)
    life = Life(tmp_path)
    kept = maintainer(life)
    kept.start()
    left_behind(tmp_path, 1, 2)
    deadline = time.monotonic() + 60
    while life.queued()["a"] < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert life.take("a") == [1, 2]
    kept.stop()
    life.close()


def test_changes_of_an_open_span_are_in_what_comes_back(tmp_path):
    """Everything that was set by then."""
    life = Life(tmp_path)
    life.start(1)
    with life.accounts.lock:
        life.journal.changed(1, record(1, outputs={"half": "done"}, tags={"k": "v"}))
    life.die()
    later = Life(tmp_path)
    maintainer(later).look()
    [span] = [decode_record(data) for data in later.take_records("a")]
    assert (span.outputs, span.tags, span.end_cause) == ({"half": "done"}, {"k": "v"}, "unfinished")
    later.close()
