"""Files and standard streams, as logrotate and full disks treat them."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from support.backends.cache import REQUIRE
from support.cases import Build
from tracebridge.errors import Misconfigured, Retryable
from tracebridge.plugins.adapter import Context
from tracebridge_adapters.log import LogAdapter, LogOptions
from tracebridge_adapters.otlp_file import OtlpFileAdapter, OtlpFileOptions
from tracebridge_adapters.wires import stream
from tracebridge_adapters.wires.stream import FileWire, StandardStream
from tracebridge_adapters.zipkin_file import ZipkinFileAdapter, ZipkinFileOptions


def rotate(tmp_path, how: str) -> None:
    """Run the real logrotate over spans.log."""
    config = tmp_path / "logrotate.conf"
    config.write_text(f"{tmp_path}/spans.log {{\n  rotate 3\n  {how}\n  missingok\n}}\n")
    config.chmod(0o600)
    state = str(tmp_path / "state")
    subprocess.run(["logrotate", "--force", "--state", state, str(config)], check=True, capture_output=True)


@pytest.fixture
def logrotate():
    """The system's own, required where servers are."""
    if shutil.which("logrotate") is None:
        (pytest.fail if os.environ.get(REQUIRE) else pytest.skip)("logrotate is not on this machine")


@pytest.mark.usefixtures("logrotate")
@pytest.mark.parametrize("how", ["create 0600", "nocreate", "copytruncate"])
def test_the_real_logrotate_moves_or_truncates_and_no_line_is_lost(tmp_path, how):
    """What was written before is in the rotated file, what comes after in the new one, from its first byte."""
    path = tmp_path / "spans.log"
    wire = FileWire(str(path))
    wire.write(b"one\n")
    rotate(tmp_path, how)
    wire.write(b"two\n")
    rotate(tmp_path, how)
    wire.write(b"three\n")
    wire.close()
    rotated = [tmp_path / f"spans.log{end}" for end in ("", ".1", ".2")]
    assert [file.read_bytes() for file in rotated] == [b"three\n", b"two\n", b"one\n"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_removed_is_made_again(tmp_path):
    """As after `rm`."""
    path = tmp_path / "spans.log"
    wire = FileWire(str(path))
    wire.write(b"one\n")
    path.unlink()
    wire.write(b"two\n")
    wire.close()
    assert path.read_bytes() == b"two\n"


def test_what_a_full_disk_tore_spoils_no_other_line(tmp_path):
    """The part that was written is ended before the line is written again, whole."""
    path = tmp_path / "spans.log"
    wire = FileWire(str(path))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        wire.write(b"whole\n")
        with pytest.raises((Misconfigured, Retryable)):
            wire.write(b"torn apart\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    wire.write(b"torn apart\n")
    wire.write(b"after\n")
    wire.close()
    assert path.read_bytes() == b"whole\ntorn\ntorn apart\nafter\n"


ADAPTERS: dict[str, Callable[[str], Any]] = {
    "otlp_file": lambda path: OtlpFileAdapter(OtlpFileOptions(path=path), Context("otlp_file")),
    "zipkin_file": lambda path: ZipkinFileAdapter(ZipkinFileOptions(path=path), Context("zipkin_file")),
    "log": lambda path: LogAdapter(LogOptions(stream="file", path=path), Context("log")),
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_what_a_killed_process_tore_spoils_no_other_line(tmp_path, name):
    """Whoever opens the file next ends the torn line first, and a whole one not."""
    path = tmp_path / "spans.log"
    path.write_bytes(b'whole\n{"torn')
    for span in ("first", "second"):
        one = ADAPTERS[name](str(path))
        one.send(one.encode([Build("torn").span(span)]), 1)
        one.close()
    *before, first, second, end = path.read_bytes().split(b"\n")
    assert (before, end) == ([b"whole", b'{"torn'], b"")
    assert ("first" in str(json.loads(first)), "second" in str(json.loads(second))) == (True, True)


def test_a_file_that_somebody_keeps_locked_is_written_all_the_same(tmp_path, monkeypatch):
    """The lock is for looking how a file ends, and worth no more than a moment's wait."""
    monkeypatch.setattr(stream, "LOCK_WAIT_S", 0.01)
    path = tmp_path / "spans.log"
    path.write_bytes(b"one\n")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        wire = FileWire(str(path))
        wire.write(b"two\n")
        wire.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_two_who_open_a_torn_file_end_its_line_once(tmp_path):
    """Before either has written anything."""
    path = tmp_path / "spans.log"
    path.write_bytes(b"to")
    first, second = FileWire(str(path)), FileWire(str(path))
    first._open()
    second._open()
    second.write(b"two\n")
    first.write(b"one\n")
    first.close()
    second.close()
    assert path.read_bytes() == b"to\ntwo\none\n"


def test_a_torn_file_that_was_moved_into_place_is_ended_too(tmp_path):
    """Each time that the path is opened again."""
    path = tmp_path / "spans.log"
    wire = FileWire(str(path))
    wire.write(b"one\n")
    (tmp_path / "other").write_bytes(b"to")
    (tmp_path / "other").rename(path)
    wire.write(b"two\n")
    wire.close()
    assert path.read_bytes() == b"to\ntwo\n"


def test_a_file_that_may_not_be_read_is_written_all_the_same(tmp_path, monkeypatch):
    """Nobody can tell how it ends."""
    path = tmp_path / "spans.log"
    path.write_bytes(b"to")

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(type(path), "open", refused)  # root may read everything
    wire = FileWire(str(path))
    wire.write(b"rn\n")
    wire.close()
    monkeypatch.undo()
    assert path.read_bytes() == b"torn\n"


def test_a_full_device_is_waited_for():
    """ENOSPC passes."""
    wire = FileWire("/dev/full")
    with pytest.raises(Retryable, match="No space left"):
        wire.write(b"x\n")
    wire.close()


def test_a_folder_that_is_not_there_is_a_mistake_of_the_setup(tmp_path):
    """Named, with what to look at."""
    with pytest.raises(Misconfigured, match="is the folder there, and writable"):
        FileWire(str(tmp_path / "nowhere" / "spans.log")).write(b"x\n")


def test_a_reader_that_has_gone_is_a_mistake_of_the_setup():
    """`program | head -1` ends in a broken pipe, not in an exception of the program's."""
    program = (
        "import os, signal, sys\n"
        "from tracebridge.errors import Misconfigured\n"
        "from tracebridge_adapters.wires.stream import StandardStream\n"
        "sys.stdin.readline()\n"
        "try: StandardStream('stdout').write(b'x\\n')\n"
        "except Misconfigured as error: print(error, file=sys.stderr)\n"
        "os._exit(0)\n"
    )
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE
    )
    os.close(read)
    os.close(write)
    _, said = process.communicate(b"\n")
    assert said.decode().strip() == "stdout: [Errno 32] Broken pipe"


def _drain(read: int) -> None:
    while os.read(read, 65_536):
        pass


def test_a_pipe_that_was_made_non_blocking_and_is_full_is_waited_for(monkeypatch):
    """Somebody shares the pipe and set O_NONBLOCK on it."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with os.fdopen(write, "w") as piped:
        monkeypatch.setattr(sys, "stdout", piped)
        with pytest.raises(Retryable):
            StandardStream("stdout").write(b"x" * 1_000_000)
        monkeypatch.undo()
        os.set_blocking(write, True)
        drain = threading.Thread(target=_drain, args=(read,))
        drain.start()
    drain.join()
    os.close(read)
