"""Faults of the disk: it is full, the budget is, or bytes on it are not what they were."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.damage import damage
from benchmarks.faults.fault import OURS_ONLY, Fault, Scale, is_ours
from benchmarks.faults.run import Run
from benchmarks.faults.subjects import Kind

SMALL_DISK = 24 * 2**20  # bytes
SOME, MUCH = 4096, 16_384  # characters of ballast on a span, so that a disk is full soon
FAST = 2000.0  # spans a second
BUDGET = "8MiB"
BUDGET_FULL_S = 4.5  # by then it is full, in memory too, where it lasts longer
IN_FRONT = 0.25  # how often the head of a segment is hit, once a segment at most: everything there is written twice
BLOCK_MS = 100.0
BUSY_MS = 1000.0  # what a busy machine may add to a bounded wait


class NotHere(Exception):
    """This machine does not allow the fault; the message says what to do."""


def _is_durable(kind: Kind) -> bool:
    return kind.durable


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Callable[[bool], None]]:
    """Mount a small disk of its own at `path`; the value fills it up to the last byte (True) or frees that again."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        raise NotHere(
            f"mounting a small disk needs root ({mounted.stderr.strip()}); try `unshare --user --map-root-user --mount python -m …`"
        )
    ballast = path / "ballast"

    def fill(full: bool) -> None:
        if not full:
            ballast.unlink()
            return
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))

    try:
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _disk_full(seconds: float, pad: int) -> Callable[[Run, Scale], None]:
    """The server is down and the disk full; after a while it is freed, and the server is back."""

    def act(run: Run, scale: Scale) -> None:
        with small_disk(run.directory) as fill:
            run.proxy.down()
            life = run.live(rate=FAST, pad=pad)
            run.sleep(0.5, 0, 0.1)
            fill(True)
            run.sleep(seconds, 0.1, 0.6)
            fill(False)
            run.sleep(1, 0.6, 0.8)
            run.proxy.up()
            run.sleep(1, 0.8, 1)
            run.end(life)
            run.recover()

    return act


def _budget(**journal: Any) -> Callable[[Run, Scale], None]:
    """Two destinations, one of them down until the budget has been full for a while."""

    def act(run: Run, scale: Scale) -> None:
        run.destinations["first"] = f"http://127.0.0.1:{run.receiver.port}"
        run.proxy.down()
        life = run.live(rate=FAST, pad=1000, journal={"max_bytes": BUDGET, **journal})
        run.sleep(max(scale.seconds, BUDGET_FULL_S), 0, 0.8)
        run.proxy.up()
        run.sleep(1, 0.8, 1)
        run.end(life)
        run.recover()

    return act


def _vanish(run: Run, scale: Scale) -> None:
    """Somebody deletes the journal's folder under the running process, while the server is down."""
    run.cut_off()
    life = run.live(rate=scale.rate)
    run.sleep(scale.seconds / 2, 0, 0.4)
    gone = run.directory.with_name(run.directory.name + ".gone")
    run.directory.rename(gone)  # at once: what is still writing there would be faster than any deleting
    shutil.rmtree(gone)
    run.sleep(scale.seconds / 2, 0.4, 0.8)
    run.reconnect()
    run.sleep(1, 0.8, 1)
    run.end(life)
    run.recover()


def _corrupt(run: Run, scale: Scale) -> None:
    """A backlog is left behind by a killed process, and damaged in many places before the next one finds it."""
    run.in_flight = 1
    run.proxy.down()
    lives = max(4, scale.damages // 10)
    for done in range(lives):
        life = run.live(rate=FAST)
        run.sleep(1.0, done / lives, (done + 1) / lives)
        life.kill()
    files = sorted(run.directory.glob("*/*.seg"))
    in_front = set()
    for _ in range(scale.damages):
        path = run.random.choice(files)
        front = path not in in_front and run.random.random() < IN_FRONT
        in_front |= {path} if front else set()
        run.excused |= damage(path, run.random, front=front)
    run.proxy.up()
    run.recover()


NO_JOURNAL = "it keeps nothing on a disk"

FAULTS = [
    Fault("disk-full", "the disk is full for a short while, and freed again", _disk_full(0.7, SOME), _is_durable, NO_JOURNAL),
    Fault("disk-overfull", "the disk is full for longer than memory can bridge", _disk_full(4.0, MUCH), _is_durable, NO_JOURNAL, policy_loses=True),
    Fault("budget", "max_bytes is reached, on_full: drop_oldest", _budget(), is_ours, OURS_ONLY, policy_loses=True, destinations=("first", "down")),
    Fault("budget-block", "max_bytes is reached, on_full: block", _budget(on_full="block", block_timeout=f"{BLOCK_MS:.0f}ms"), is_ours, OURS_ONLY, policy_loses=True, longest_call_ms=BLOCK_MS + BUSY_MS, destinations=("first", "down")),
    Fault("vanish", "the journal's folder is deleted under the running process", _vanish, _is_durable, NO_JOURNAL),
    Fault("corrupt", "bytes are flipped, zeroed, overwritten and cut off in what a killed process left", _corrupt, _is_durable, NO_JOURNAL, counts=False),
]  # fmt: skip
