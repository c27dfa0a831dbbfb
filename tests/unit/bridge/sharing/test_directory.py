"""The engine `directory`: what every engine does, over files of its owner alone."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys

import pytest

from support.engine_contract import KEY, EngineContract, closing
from tracebridge.sharing.directory import FILE, DirectoryEngine, default_folder

__all__ = ["closing"]


@pytest.fixture
def make(tmp_path, closing):
    """Engines over one folder."""

    def made():
        engine = DirectoryEngine(str(tmp_path / "open"), 30.0)
        closing.append(engine)
        return engine

    return made


class TestDirectory(EngineContract):
    """The contract, over a folder."""


def test_its_folder_and_its_files_are_its_owners(make, tmp_path):
    """0700 and 0600, what SQLite adds to them too."""
    make().start(KEY, b"secret", is_root=True, max_open_s=60)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "open", *(tmp_path / "open").iterdir()]
    }
    assert modes == {"open": 0o700, FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}


def test_a_folder_that_was_emptied_meanwhile_is_made_anew(make, tmp_path):
    """What others write from then on is seen here."""
    one = make()
    one.start(KEY, b"start", is_root=True, max_open_s=60)
    shutil.rmtree(tmp_path / "open")
    assert one.change(KEY, b"x") == "unknown"
    make().start(KEY, b"start", is_root=True, max_open_s=60)
    assert one.change(KEY, b"x") == "open"


def test_a_symbolic_link_in_place_of_the_file_is_refused(make, tmp_path):
    """It leads to somebody else's file."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        make().start(KEY, b"start", is_root=True, max_open_s=60)
    assert not (tmp_path / "elsewhere").exists()


def test_processes_that_begin_at_once_agree_on_one_file(tmp_path):
    """Each makes the file and its tables if need be; none fails."""
    program = (
        "import sys; from tracebridge.sharing.directory import DirectoryEngine; from tracebridge.plugins.open_spans import SpanKey\n"
        "n = int(sys.argv[2]); e = DirectoryEngine(sys.argv[1], 30.0)\n"
        "print([e.start(SpanKey(bytes(16), bytes((n, i)) + bytes(6)), b'p', is_root=True, max_open_s=60) for i in range(5)])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    assert [each.communicate()[0].strip() for each in started] == [str([True] * 5)] * 4


def test_the_default_folder_is_the_users(monkeypatch):
    """Named by a variable, else among this user's state."""
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("TRACEBRIDGE_OPEN_SPANS", raising=False)
    assert default_folder() == "/home/ann/.local/state/tracebridge/open-spans"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_folder() == "/state/tracebridge/open-spans"
    monkeypatch.setenv("TRACEBRIDGE_OPEN_SPANS", "/ci")
    assert default_folder() == "/ci"


def _examined(folder):
    return [(each.detail, each.problem, each.advice) for each in DirectoryEngine(str(folder), 30.0).examine()]


def test_an_examination_leaves_nothing(tmp_path):
    """Neither a folder that was missing, nor a file in one that was there."""
    assert _examined(tmp_path / "new" / "folder") == [("is made on first use", "", "")]
    assert _examined(tmp_path) == [("can be written", "", "")]
    assert list(tmp_path.iterdir()) == []


def test_an_examination_tells_what_is_wrong_with_a_folder(tmp_path):
    """A file in its place, and a file in it that others may use or that is damaged."""
    (tmp_path / "file").write_text("")
    message = f"{tmp_path / 'file'} is not a folder"
    assert _examined(tmp_path / "file") == [("", message, "name a folder in open_spans.url")]
    kept = tmp_path / "open-spans-1.db"
    kept.write_bytes(b"no database at all" * 100)
    kept.chmod(0o644)
    message = f"{kept} may be used by other users (mode 0644)"
    assert _examined(tmp_path) == [("", message, f"chmod 600 {kept}")]
    kept.chmod(0o600)
    message = "SQLITE_NOTADB: file is not a database"
    assert _examined(tmp_path) == [("", message, "move the file away; spans that were open in it are lost")]
