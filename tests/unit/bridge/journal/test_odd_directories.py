"""What may stand in a journal's directory beside our own files, and file systems that do not lock: nothing waits, follows or breaks."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from support.commands import CliRunner
from support.journals import Life
from tracebridge import Client
from tracebridge.cli import main
from tracebridge.delivery.deadletters.files import DeadFiles
from tracebridge.errors import ConfigError
from tracebridge.journal.folder import Folder, folders
from tracebridge.journal.maintenance import Maintainer
from tracebridge.records.record import SpanRecord

ID = "01764045000123456789-9f3a61c2"
WRITER = "01764045000123456789-4711-9f3a61c2"
BOUND_S = 60.0  # by then a command that waits for a pipe has been found out


def left_behind(directory: Path, *numbers: int) -> Path:
    """The folder of a process that ended these spans and died."""
    life = Life(directory)
    life.append(*numbers)
    assert life.journal.folder is not None
    path = life.journal.folder.path
    life.die()
    return path


def odd(directory: Path, secret: Path) -> None:
    """Put something odd wherever our own files could stand."""
    writer = directory / WRITER
    writer.mkdir(parents=True)
    (writer / "lock").touch()
    os.mkfifo(writer / "00000001.seg")
    (writer / "00000002.seg").mkdir()
    (writer / "00000003.seg").symlink_to(secret)
    os.mkfifo(writer / "stats.json")
    os.mkfifo(writer / "adapters.json")
    piped = directory / WRITER.replace("4711", "4712")
    piped.mkdir()
    os.mkfifo(piped / "lock")
    (directory / WRITER.replace("4711", "4713")).write_text("a file")
    (directory / WRITER.replace("4711", "4714")).symlink_to(directory.parent)
    os.mkfifo(directory / ".lock-1-12345678")
    (directory / "damaged").write_text("a file")
    dead = directory / "dead"
    dead.mkdir(exist_ok=True)
    os.mkfifo(dead / f"{ID}.otlp.jsonl")
    os.mkfifo(dead / f"{ID.replace('9f', '8f')}.json")
    (dead / f"{ID.replace('9f', '8f')}.otlp.jsonl").mkdir()
    (dead / f"{ID.replace('9f', '7f')}.otlp.jsonl").symlink_to(secret)
    (dead / f"{ID.replace('9f', '6f')}.otlp.jsonl").write_text("{}\n")
    os.mkfifo(dead / f"{ID.replace('9f', '6f')}.json")
    (dead / "\udcff").write_text("")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of somebody else's."""
    path = tmp_path / "secret"
    path.write_text("mine\n")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command, which must come to an end: exit code, output and errors."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(CliRunner().invoke(main, [str(argument) for argument in arguments])), daemon=True
    )
    thread.start()
    thread.join(BOUND_S)
    assert results, f"{arguments} waits for something"
    [result] = results
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_no_odd_file_breaks_a_command(tmp_path, secret):
    """Pipes, folders and links where files are expected, in every place: told without them, and nothing of what they lead to is shown."""
    spans = tmp_path / "spans"
    left_behind(spans, 1, 2)
    odd(spans, secret)
    stats = run("stats", "--journal", spans, "--json")
    assert (stats[0], sorted(one["left"].get("a", 0) for one in json.loads(stats[1])["processes"])) == (0, [0, 2])
    assert run("stats", "--journal", spans)[0] == 0
    listed = run("dead", "list", "--journal", spans, "--json")
    assert (listed[0], [json.loads(line)["id"] for line in listed[1].splitlines()]) == (0, [ID.replace("9f", "6f")])
    waiting = run("journal", "list", "--journal", spans, "--json")
    assert [(one["adapter"], one["spans"]) for one in map(json.loads, waiting[1].splitlines())] == [("a", 2), ("b", 2)]
    assert run("dead", "drop", "--all", "--journal", spans)[0] == 0
    assert run("journal", "drop", "a", "--journal", spans)[1:] == (
        "2 spans of 1 process dropped for a\n",
        f"{spans / WRITER.replace('4711', '4712')} is left alone: not a regular file\n",
    )
    assert "mine" not in str([stats, listed, waiting])
    assert secret.read_text() == "mine\n"


def test_no_odd_file_keeps_a_process_from_adopting(tmp_path, secret):
    """What is whole is delivered; numbers and dead letters are written past whatever lies in their way."""
    spans = tmp_path / "spans"
    odd(spans, secret)
    left_behind(spans, 1, 2)
    life = Life(spans)
    kept = Maintainer(life.journal, sync=True, numbers=lambda: b"{}")
    kept.look()
    life.append(3)
    kept.write_numbers()
    assert (life.take("a"), life.journal.stats().left_alone) == ([3, 1, 2], 1)
    life.close()
    assert secret.read_text() == "mine\n"


def test_links_are_not_followed_but_for_the_directory_itself(tmp_path, secret):
    """Neither reading nor writing leaves the directory: a link in the place of a file or folder of ours leads nowhere."""
    real, spans = tmp_path / "real", tmp_path / "spans"
    real.mkdir()
    spans.symlink_to(real)
    client = Client(config={"journal": {"directory": str(spans)}, "adapters": {"memory": {}}})
    client.start_trace("t").end()
    assert client.flush(60)
    client.close()
    elsewhere = tmp_path / "elsewhere"
    path = left_behind(elsewhere, 1, 2)
    (spans / path.name).symlink_to(path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (spans / "dead").symlink_to(outside)
    (spans / "damaged").symlink_to(outside)
    life = Life(spans)
    Maintainer(life.journal, sync=True, numbers=lambda: b"{}").look()
    assert (life.take("a"), len(list(path.glob("*.seg")))) == ([], 1)
    life.append(3)
    assert life.journal.folder is not None
    (life.journal.folder.path / "stats.json.new").symlink_to(secret)
    Maintainer(life.journal, sync=True, numbers=lambda: b"{}").write_numbers()
    life.die()
    with pytest.raises(OSError, match="symbolic"):
        DeadFiles(spans / "dead").write("a", "rejected", "no", [SpanRecord(b"t" * 16, b"s" * 8, None, "x", 1, 2)])
    assert (list(outside.iterdir()), secret.read_text()) == ([], "mine\n")


# ---------------------------------------------------------------------- file systems that do not lock


def refuses(error: int) -> object:
    """A `flock` of a file system that has none."""

    def flock(fd: int, how: int) -> None:
        raise OSError(error, os.strerror(error))

    return flock


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_found_at_start(tmp_path, monkeypatch, error):
    """Not at the first span: the error names the directory and says what to do, and nothing is left in it."""
    monkeypatch.setattr(fcntl, "flock", refuses(error))
    with pytest.raises(
        ConfigError, match=f"journal.directory: {tmp_path} is on a file system without locks.*name a folder"
    ):
        Client(config={"journal": {"directory": str(tmp_path)}, "adapters": {"memory": {}}})
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_grants_every_lock_is_found_at_start(tmp_path, monkeypatch):
    """A lock of our own that a second open finds free: processes would take over what others still write."""
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: None)
    with pytest.raises(ConfigError, match=f"journal.directory: {tmp_path} is on a file system that grants every lock"):
        Client(config={"journal": {"directory": str(tmp_path)}, "adapters": {"memory": {}}})
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- a clock that was set back


def test_folders_are_in_the_order_of_their_making_though_the_clock_was_set_back(tmp_path, monkeypatch):
    """So that the oldest are adopted first, and go first."""
    later = left_behind(tmp_path, 1)
    monkeypatch.setattr("time.time_ns", lambda: int(later.name[:20]) - 3600 * 10**9)
    left_behind(tmp_path, 2)
    assert [path == later for path in folders(tmp_path)] == [True, False]
    life = Life(tmp_path)
    life.adopt(tmp_path)
    assert life.take("a") == [1, 2]
    life.close()


def test_a_stamp_at_the_end_of_time_leaves_room_for_more(tmp_path):
    """Whatever stands in the directory."""
    (tmp_path / "99999999999999999999-1-00000000").mkdir()
    folder = Folder.create(tmp_path, ["a"])
    assert folder.path in list(folders(tmp_path))
    folder.release()
