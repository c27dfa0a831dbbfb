"""Lines of files: packed, truncated, enormous, and with a position to go on from."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tracebridge.replay import lines, pieces
from tracebridge.replay.inputs import UnreadableError, expand, identity
from tracebridge.replay.line import TOO_LONG, Line, Position
from tracebridge.replay.lines import read_lines

if sys.version_info >= (3, 14):
    from compression.zstd import compress as zstd
else:
    from zstandard import compress as zstd

TEXT = b"one\ntwo\n\nfour"
LINES = [Line(b"one", 1, 4), Line(b"two", 2, 8), Line(b"", 3, 9), Line(b"four", 4, 13, ended=False)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_lines_come_with_their_number_and_the_offset_behind_them(tmp_path, pack):
    """The same for plain, gzip and zstd, whatever the file is called."""
    path = tmp_path / "app.log"
    path.write_bytes(pack(TEXT))
    assert list(read_lines(str(path))) == LINES
    assert list(read_lines(str(path), Position(8, 2))) == LINES[2:]


def test_parts_of_a_rotated_and_packed_log_in_one_file_are_all_read(tmp_path):
    """`cat a.gz b.gz > c.gz` is one gzip file, and the same goes for zstd frames."""
    for pack in (gzip.compress, zstd):
        path = tmp_path / "both"
        path.write_bytes(pack(b"a\n") + pack(b"b\n"))
        assert [line.text for line in read_lines(str(path))] == [b"a", b"b"]


def test_a_line_without_end_is_passed_over_and_counted(tmp_path, monkeypatch):
    """Only its beginning is held in memory."""
    for module in (lines, pieces):
        monkeypatch.setattr(module, "MAX_LINE", 8)
    path = tmp_path / "app.log"
    path.write_bytes(b"x" * 100 + b"\nshort\n")
    assert list(read_lines(str(path))) == [Line(b"x" * 8, 1, 101, TOO_LONG), Line(b"short", 2, 107)]


def test_a_packed_file_that_breaks_off_gives_what_it_has_and_then_says_so(tmp_path):
    """The lines before the break are not lost."""
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(b"".join(os.urandom(20).hex().encode() + b"\n" for _ in range(100_000)))[:-2000])
    found: list[Any] = []
    with pytest.raises(UnreadableError, match=r"app\.log\.gz: cannot be read further"):
        found.extend(read_lines(str(path)))
    assert len(found) > 10_000


def test_a_packed_file_that_breaks_off_within_its_first_line_is_an_error_too(tmp_path):
    """There is nothing to know it by."""
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(os.urandom(500).hex().encode() + b"\n")[:100])
    with pytest.raises(UnreadableError, match=r"app\.log\.gz: cannot be read further"):
        identity(str(path))


def test_damage_inside_zstd_is_an_error_with_the_files_name(tmp_path):
    """Never a crash of the unpacking library."""
    path = tmp_path / "app.log"
    path.write_bytes(zstd(b"a\n" * 1000)[:6] + b"rotten rotten rotten")
    with pytest.raises(UnreadableError, match=r"app\.log"):
        list(read_lines(str(path)))


def test_a_directory_stands_for_its_files_oldest_first(tmp_path):
    """What was rotated away comes before what is written now."""
    for age, name in enumerate(("app.log", "app.log.1", "deep/app.log.2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    names = [os.path.relpath(path, tmp_path) for path in expand([str(tmp_path)])]
    assert names == ["deep/app.log.2", "app.log.1", "app.log"]


def test_a_file_that_is_moved_away_while_a_directory_is_read_is_passed_over(tmp_path, monkeypatch):
    """A logrotate does not wait for a reader; what opens the file finds out."""
    (tmp_path / "app.log").write_text("x")
    real = Path.is_file

    def and_gone(path: Path) -> bool:
        found = real(path)
        path.unlink()
        return found

    monkeypatch.setattr(Path, "is_file", and_gone)
    [path] = expand([str(tmp_path)])
    with pytest.raises(UnreadableError):
        identity(path)


def test_a_path_that_is_not_there_is_an_error():
    """Before anything is read."""
    with pytest.raises(UnreadableError, match=r"nowhere\.log: no such file"):
        expand(["nowhere.log"])


def test_a_file_is_the_same_after_it_was_renamed_and_grew_and_another_when_it_was_written_anew(tmp_path):
    """So that reading goes on in the right file."""
    path = tmp_path / "app.log"
    assert not path.exists()
    path.write_text("")
    assert identity(str(path)) == ""
    path.write_text("first\n")
    before = identity(str(path))
    with path.open("a") as file:
        file.write("second\n")
    path.rename(tmp_path / "app.log.1")
    assert identity(str(tmp_path / "app.log.1")) == before
    (tmp_path / "app.log.1").write_text("other\n")
    assert identity(str(tmp_path / "app.log.1")) != before
