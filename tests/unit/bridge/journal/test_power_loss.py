"""A power loss, simulated: only what `fsync` was asked for is certain to be on the disk; of the rest each page is there or not.

No machine is switched off here. `PowerLoss` notes every file's and folder's content at the end of each `fsync`, and rebuilds the directory from
that, with any choice of the pages and names that came later.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.journals import Life
from tracebridge.journal.base import decode_record
from tracebridge.journal.folder import LOCK, folders

PAGE = 4096


class PowerLoss:
    """What a disk is certain to hold, by watching `os.fsync`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.directory = directory
        self.synced: dict[str, bytes] = {}
        """Content of files (by inode, as names may change) at their last sync."""
        self.names: dict[Path, str] = {}
        """Names that are certain, with their inodes."""
        real = os.fsync

        def fsync(handle: int) -> None:
            real(handle)
            path = Path(f"/proc/self/fd/{handle}").readlink()
            if path.is_dir():
                gone = [name for name in self.names if name.parent == path and not name.exists()]
                for name in gone:
                    del self.names[name]
                self.names.update({name: str(name.stat().st_ino) for name in path.iterdir()})
            elif path.exists():
                self.synced[str(path.stat().st_ino)] = path.read_bytes()

        monkeypatch.setattr(os, "fsync", fsync)

    def strike(self, into: Path, choose: random.Random) -> None:
        """Rebuild the directory as it may be after the power came back."""
        for folder in folders(self.directory):
            if folder not in self.names and choose.random() < 0.5:
                continue
            target = into / folder.name
            target.mkdir()
            (target / LOCK).touch()
            for path in folder.glob("*.seg"):
                if path not in self.names and choose.random() < 0.5:
                    continue
                now = path.read_bytes()
                then = self.synced.get(str(path.stat().st_ino), b"").ljust(len(now), b"\0")
                pages = [(now if choose.random() < 0.5 else then)[at : at + PAGE] for at in range(0, len(now), PAGE)]
                (target / path.name).write_bytes(b"".join(pages))


@pytest.fixture
def power(monkeypatch, tmp_path) -> PowerLoss:
    """A watched directory."""
    (tmp_path / "spans").mkdir()
    return PowerLoss(monkeypatch, tmp_path / "spans")


def after(power: PowerLoss, tmp_path: Path, seed: int) -> tuple[list[int], list[Any]]:
    """The numbers of the spans that are delivered after a power loss, and all their records."""
    into = tmp_path / f"after-{seed}"
    into.mkdir()
    power.strike(into, random.Random(seed))
    later = Life(into)
    later.adopt(into)
    records = [decode_record(data) for data in later.take_records("a") if data]
    later.die()
    shutil.rmtree(into)
    return [record.attributes["n"] for record in records if record.end_cause == "finished"], records


@pytest.mark.parametrize("seed", range(25))
def test_always_keeps_every_span_that_had_ended(power, tmp_path, seed):
    """`fsync: always`: whatever pages are missing, what `end_span` returned from is there, whole, in order; nothing is invented."""
    life = Life(power.directory, fsync="always", segment=12_000)
    choose = random.Random(seed)
    ended = []
    for number in range(120):
        life.start(number, size=choose.randrange(400))
        if choose.random() < 0.8:
            life.append(number, size=choose.randrange(2000))
            life.journal.commit()
            ended.append(number)
    life.start(1000)
    numbers, records = after(power, tmp_path, seed)
    assert numbers == ended
    assert {record.attributes["n"] for record in records} <= {*range(120), 1000}
    life.die()


@pytest.mark.parametrize("seed", range(25))
def test_interval_keeps_every_span_that_had_ended_before_the_last_sync(power, tmp_path, seed):
    """`fsync: interval`: the bound is the second between two syncs; of what came later some is there, and nothing is misread."""
    life = Life(power.directory, fsync="interval", segment=12_000)
    choose = random.Random(seed)
    safe: list[int] = []
    for number in range(120):
        life.append(number, size=choose.randrange(2000))
        if choose.random() < 0.05:
            life.journal.sync()
            safe = list(range(number + 1))
    numbers, _ = after(power, tmp_path, seed)
    assert set(safe) <= set(numbers) <= set(range(120))
    assert numbers == sorted(set(numbers))
    life.die()


@pytest.mark.parametrize("seed", range(25))
def test_never_promises_nothing_and_misreads_nothing(power, tmp_path, seed):
    """`fsync: never`: what is there is true."""
    life = Life(power.directory, fsync="never", segment=12_000)
    choose = random.Random(seed)
    for number in range(120):
        life.append(number, size=choose.randrange(2000))
    numbers, _ = after(power, tmp_path, seed)
    assert set(numbers) <= set(range(120))
    assert numbers == sorted(set(numbers))
    life.die()


def test_a_disk_that_cannot_sync_is_said_once_and_stops_nobody(tmp_path, monkeypatch, caplog):
    """The span is kept and delivered; the statistics say what the disk said."""
    life = Life(tmp_path, fsync="always")
    life.append(1)

    def failing(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    for number in range(2, 6):
        life.append(number)
        life.journal.commit()
    assert (caplog.text.count("cannot be synced"), life.journal.stats().last_error) == (
        1,
        "[Errno 5] Input/output error",
    )
    assert life.take("a") == [1, 2, 3, 4, 5]
    life.close()
