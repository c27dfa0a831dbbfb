"""Files as they grow, are rotated away, truncated, and appear in directories."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tracebridge.replay import follower as module
from tracebridge.replay.follower import Follower
from tracebridge.replay.line import Line, Position


class Reading:
    """A follower that is asked for what is new."""

    def __init__(self, *paths: Path, start: Callable[[str], Position] = lambda key: Position()) -> None:
        self.stopped = False
        self._lines = Follower([str(path) for path in paths], start, lambda: self.stopped).lines()

    def new(self) -> list[str]:
        """What has come since, once all is at rest."""
        out, rests = [], 0
        while rests < 3:  # a rotation is noticed at the first rest, the new file read after it
            found = next(self._lines)
            if found is None:
                rests += 1
            else:
                line = found[1]
                assert isinstance(line, Line)
                out.append(line.text.decode())
        return out


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No pauses."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(module, "RESCAN_EVERY_S", 0.0)


def append(path: Path, text: str) -> None:
    """Write at the end."""
    with path.open("a") as file:
        file.write(text)


def test_lines_come_as_they_are_written_once_their_newline_is_there(tmp_path):
    """Half a line waits for its other half."""
    path = tmp_path / "app.log"
    append(path, "a\nb")
    reading = Reading(path)
    assert reading.new() == ["a"]
    append(path, "b\nc\n")
    assert reading.new() == ["bb", "c"]


def test_a_file_that_is_moved_away_is_read_to_its_end_and_then_its_successor(tmp_path):
    """logrotate's `create`: the application writes into the old file a little longer."""
    path = tmp_path / "app.log"
    append(path, "a\n")
    reading = Reading(path)
    assert reading.new() == ["a"]
    append(path, "b\n")
    path.rename(tmp_path / "app.log.1")
    append(tmp_path / "app.log.1", "c\nlast")
    assert reading.new() == ["b", "c", "last"]
    append(path, "d\n")
    assert reading.new() == ["d"]


def test_a_file_that_is_truncated_is_read_from_its_beginning(tmp_path):
    """logrotate's `copytruncate`."""
    path = tmp_path / "app.log"
    append(path, "a\nb\n")
    reading = Reading(path)
    assert reading.new() == ["a", "b"]
    shutil.copy(path, tmp_path / "app.log.1")
    os.truncate(path, 0)
    append(path, "c\n")
    assert reading.new() == ["c"]


def test_files_that_appear_in_a_directory_are_read_and_renamed_ones_not_again(tmp_path):
    """A pod's new log; a rotated one keeps its identity."""
    append(tmp_path / "a.log", "a\n")
    reading = Reading(tmp_path)
    assert reading.new() == ["a"]
    append(tmp_path / "b.log", "b\n")
    assert reading.new() == ["b"]
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    append(tmp_path / "a.log", "c\n")
    assert sorted(reading.new()) == ["c"]


def test_a_packed_file_is_read_to_its_end_beside_growing_ones(tmp_path):
    """It does not grow."""
    (tmp_path / "old.gz").write_bytes(gzip.compress(b"old\n"))
    append(tmp_path / "app.log", "a\n")
    reading = Reading(tmp_path / "old.gz", tmp_path / "app.log")
    assert reading.new() == ["old", "a"]
    append(tmp_path / "app.log", "b\n")
    assert reading.new() == ["b"]


def test_reading_goes_on_where_it_ended(tmp_path):
    """As a state file says."""
    path = tmp_path / "app.log"
    append(path, "a\nb\n")
    assert Reading(path, start=lambda key: Position(2, 1)).new() == ["b"]


def test_the_stop_ends_it(tmp_path):
    """Between two lines."""
    append(tmp_path / "app.log", "a\n")
    reading = Reading(tmp_path / "app.log")
    reading.new()
    reading.stopped = True
    assert list(reading._lines) == []
