"""The journal on disk: its bounds, what it does when the disk says no, and what is left for the next process."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
import time
from typing import Any

import pytest

from support.journals import Life, number_of, record
from tracebridge import Client
from tracebridge.errors import ConfigError
from tracebridge.journal import folder as folder_module
from tracebridge.journal.base import decode_record
from tracebridge.journal.folder import Folder, folders, is_alive
from tracebridge.journal.inspect import Outside
from tracebridge.journal.open_spans import MOST_CHANGES

SEGMENT = 4096


class FullDisk:
    """A disk without room: what preallocates is told so, as the system would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        real = os.posix_fallocate

        def allocate(fd: int, offset: int, length: int) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(fd, offset, length)

        monkeypatch.setattr(os, "posix_fallocate", allocate)


@pytest.fixture
def disk(monkeypatch) -> FullDisk:
    """A full disk."""
    return FullDisk(monkeypatch)


def test_everything_it_makes_is_private(tmp_path):
    """Folders 0700, files 0600."""
    life = Life(tmp_path / "spans")
    life.append(1)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "spans").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [tmp_path / "spans", *folders(tmp_path / "spans")]} == {0o700}
    life.close()


def test_a_segment_goes_when_every_adapter_has_it(tmp_path):
    """Disk space comes back as deliveries are acknowledged, not before."""
    life = Life(tmp_path, segment=SEGMENT)
    life.append(*range(200))
    files = len(list(tmp_path.rglob("*.seg")))
    assert files > 5
    life.take("a")
    assert len(list(tmp_path.rglob("*.seg"))) == files
    life.take("b")
    assert len(list(tmp_path.rglob("*.seg"))) == 1
    life.close()
    assert list(folders(tmp_path)) == []


def test_the_budget_holds_and_only_who_lags_loses(tmp_path):
    """`drop_oldest`: the adapter that keeps up has everything, the other's losses are counted, the disk never holds more."""
    life = Life(tmp_path, 2**20)
    most, got = 0, []
    for number in range(3000):
        life.append(number, size=900)
        got += life.take("a")
        if number % 50 == 0:
            most = max(most, sum(path.stat().st_size for path in tmp_path.rglob("*.seg")))
    late = life.take("b")
    assert got == list(range(3000))
    assert life.dropped() == {"a": 0, "b": 3000 - len(late)}
    assert late == list(range(3000))[-len(late) :]
    assert 2**19 < most <= 2**20
    life.close()


def test_a_caller_waits_for_room_at_most_its_time_and_the_books_balance_meanwhile(tmp_path):
    """`block`: the wait ends with room or with the bound, then the oldest goes."""
    client = Client(
        config={
            "journal": {"directory": str(tmp_path), "max_bytes": "1MiB", "on_full": "block", "block_timeout": "100ms"},
            "adapters": {"otlp_http": {"endpoint": "http://127.0.0.1:1"}},
        }
    )
    root = client.start_trace("root")
    longest, stop, imbalances = 0.0, threading.Event(), set()

    def watch() -> None:
        while not stop.is_set():
            imbalances.add(client.stats().balance("otlp_http"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(1500):
        started = time.monotonic()
        client.start_span("s", root.trace_id, root.span_id, attributes={"text": "x" * 900}).end()
        longest = max(longest, time.monotonic() - started)
    stop.set()
    watcher.join()
    stats = client.stats()
    assert stats.adapters["otlp_http"].dropped["journal_full"] > 0
    assert (imbalances, 0.09 < longest < 30) == ({0}, True)
    client.close(timeout_s=0)
    assert client.stats().balance("otlp_http") == 0


def test_a_caller_who_waits_goes_on_as_soon_as_there_is_room(tmp_path):
    """Nothing is lost when delivery catches up in time."""
    life = Life(tmp_path, 2**20, ("a",), on_full="block", block_timeout_s=30)
    life.append(*range(900), size=900)
    got: list[int] = []
    reader = threading.Timer(0.2, lambda: got.extend(life.take("a")))
    reader.start()
    life.append(*range(900, 1200), size=900)
    reader.join()
    assert (got + life.take("a"), life.dropped()) == (list(range(1200)), {"a": 0})
    life.close()


# ---------------------------------------------------------------------- the disk says no


def test_a_full_disk_means_memory_then_the_disk_again(tmp_path, disk, caplog):
    """Spans are kept, counted as volatile and said once; when there is room they are written, in order, and survive."""
    life = Life(tmp_path, segment=SEGMENT)
    life.append(*range(100))
    assert list(tmp_path.rglob("*.seg")) == []
    assert (life.journal.stats().in_memory_only, life.queued()) == (100, {"a": 100, "b": 100})
    life.journal.flush_log()
    assert [r.levelname for r in caplog.records if "kept in memory" in r.getMessage()] == ["WARNING"]
    disk.full = False
    with life.accounts.lock:
        life.journal.look_after_disk()
    life.append(*range(100, 120))
    life.die()
    later = Life(tmp_path)
    later.adopt(tmp_path)
    assert (later.take("a"), later.take("b")) == (list(range(120)), list(range(120)))
    later.close()


def test_looking_after_a_full_disk_costs_no_memory(tmp_path, disk):
    """However often it is tried: a trickle of spans outlasts any outage of the disk."""
    life = Life(tmp_path)
    for number in range(200):
        life.append(number)
        with life.accounts.lock:
            life.journal.look_after_disk()
    assert (len(life.journal.in_memory()), life.take("a"), life.dropped()) == (1, list(range(200)), {"a": 0, "b": 0})
    life.close()


def test_a_disk_that_stays_full_costs_the_oldest_and_they_are_counted(tmp_path, disk, monkeypatch):
    """Memory has its bound, too."""
    monkeypatch.setattr("tracebridge.journal.disk.MEMORY_BYTES", 20 * SEGMENT)
    life = Life(tmp_path, segment=SEGMENT)
    life.append(*range(3000))
    kept = life.take("a")
    assert 0 < len(kept) < 3000
    assert (kept, life.dropped()["a"]) == (list(range(3000))[-len(kept) :], 3000 - len(kept))
    life.close()


def test_what_ended_only_in_memory_comes_back_as_unfinished(tmp_path, monkeypatch):
    """A process that dies while the disk is full loses ends, not spans whose start was written; no start leaves the disk for memory."""
    life = Life(tmp_path, segment=SEGMENT)
    life.start(1, 2)
    FullDisk(monkeypatch)
    with life.accounts.lock:
        life.journal._seal()
    life.append(1)
    assert (life.take("a"), life.take("b")) == ([1], [1])
    life.die()
    later = Life(tmp_path)
    later.adopt(tmp_path)
    assert [(number_of(data), decode_record(data).end_cause) for data in later.take_records("a")] == [
        (1, "unfinished"),
        (2, "unfinished"),
    ]
    later.die()


def test_a_full_disk_does_not_stop_what_was_left_from_being_adopted(tmp_path, disk):
    """Its unfinished spans lie in memory until they are delivered."""
    disk.full = False
    life = Life(tmp_path)
    life.append(1)
    life.start(2)
    life.die()
    disk.full = True
    later = Life(tmp_path)
    later.adopt(tmp_path)
    assert (later.take("a"), later.take("b")) == ([1, 2], [1, 2])
    later.close()
    assert list(folders(tmp_path)) == []


def test_a_disk_that_deletes_nothing_holds_nobody_up(tmp_path, monkeypatch):
    """It has become read-only, say: what was delivered is off the queue, and is not delivered again by the next process."""
    life = Life(tmp_path, segment=SEGMENT)
    life.append(*range(60))

    def refuses(*_: object, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuses)
        assert (life.take("a"), life.take("b")) == (list(range(60)), list(range(60)))
        life.append(60)
    life.die()
    later = Life(tmp_path)
    later.adopt(tmp_path)
    assert later.take("a") == [60]
    later.close()


def test_a_folder_deleted_under_our_feet_is_written_anew(tmp_path, caplog):
    """Said once; what was not delivered survives all the same."""
    life = Life(tmp_path / "spans", segment=SEGMENT)
    life.append(*range(60))
    shutil.rmtree(tmp_path / "spans")
    with life.accounts.lock:
        life.journal.look_after_disk()
    life.append(60)
    life.journal.flush_log()
    life.die()
    later = Life(tmp_path / "spans")
    later.adopt(tmp_path / "spans")
    assert later.take("a") == list(range(61))
    assert caplog.text.count("was deleted") == 1
    later.close()


@pytest.mark.parametrize(
    ("make", "path", "said"),
    [
        (lambda path: path.write_text("mine"), "spans", "is not a folder"),
        (lambda path: path.write_text("mine"), "spans/deeper", "is not a folder"),
        (lambda path: path.symlink_to("/proc"), "spans/deeper", "cannot be made"),
    ],
    ids=["a file", "below a file", "in a place without files"],
)
def test_a_directory_that_cannot_be_used_is_refused_at_start(tmp_path, make, path, said):
    """One clear error that names it and says what to do; nothing is traced into the void."""
    make(tmp_path / "spans")
    with pytest.raises(ConfigError, match=f"journal.directory.*{path} {said}.*name a folder"):
        Client(config={"journal": {"directory": str(tmp_path / path)}, "adapters": {"memory": {}}})


# ---------------------------------------------------------------------- open spans


def test_many_changes_of_an_open_span_are_written_anew_as_one(tmp_path):
    """A span that is changed for hours does not fill the journal, and comes back whole."""
    life = Life(tmp_path)
    life.start(1)
    with life.accounts.lock:
        for n in range(20 * MOST_CHANGES):
            life.journal.changed(1, record(1, status_message=f"step {n}", tags={f"k{n % 7}": str(n)}))
        assert len(life.journal._open.places[1]) <= MOST_CHANGES + 1
    life.die()
    later = Life(tmp_path)
    later.adopt(tmp_path)
    [span] = [decode_record(data) for data in later.take_records("a")]
    last = 20 * MOST_CHANGES - 1
    assert (span.status_message, span.tags[f"k{last % 7}"], len(span.tags)) == (f"step {last}", str(last), 7)
    later.close()


def test_a_span_that_a_stage_drops_does_not_come_back(tmp_path):
    """`forget` takes its start back."""
    life = Life(tmp_path)
    life.start(1, 2)
    with life.accounts.lock:
        life.journal.forget(1)
    life.die()
    later = Life(tmp_path)
    later.adopt(tmp_path)
    assert later.take("a") == [2]
    later.close()


def test_no_secret_is_ever_on_the_disk(tmp_path):
    """Starts, changes and ends are redacted before they are written."""
    client = Client(
        config={"journal": {"directory": str(tmp_path)}, "adapters": {"otlp_http": {"endpoint": "http://127.0.0.1:1"}}}
    )
    root = client.start_trace("r", inputs={"password": "hunter2"}, attributes={"api_key": "hunter2"})
    span = client.start_span("s", root.trace_id, root.span_id, attributes={"token": "hunter2"})
    span.set_attribute("secret", "hunter2")
    span.set_inputs({"authorization": "Bearer hunter2"})
    open_bytes = b"".join(path.read_bytes() for path in tmp_path.rglob("*.seg"))
    span.end(outputs={"cookie": "hunter2"})
    client.close(timeout_s=0)
    all_bytes = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"authorization" in open_bytes
    assert b"hunter2" not in open_bytes + all_bytes


# ---------------------------------------------------------------------- whose is it


def test_a_living_process_is_left_alone(tmp_path):
    """Its lock says so, also to another client of the same process."""
    life = Life(tmp_path)
    life.append(1)
    [path] = folders(tmp_path)
    assert (is_alive(path), Folder.take(path), Life(tmp_path).adopt(tmp_path)) == (True, None, [])
    life.die()
    assert is_alive(path) is False


def test_a_glance_at_a_dead_process_does_not_keep_it_from_being_adopted(tmp_path, monkeypatch):
    """However long it lasts on a machine without time: who only looks shares the lock."""
    monkeypatch.setattr(folder_module, "GLANCES_S", 60)
    life = Life(tmp_path)
    life.append(1)
    life.die()
    [path] = folders(tmp_path)
    glance = os.open(path / "lock", os.O_RDWR)
    fcntl.flock(glance, fcntl.LOCK_SH)
    found: list[Folder | None] = []
    taker = threading.Thread(target=lambda: found.append(Folder.take(path)))
    taker.start()
    taker.join(0.1)
    before = list(found)
    os.close(glance)
    taker.join()
    assert (before, [folder is not None for folder in found]) == ([], [True])
    assert found[0] is not None
    found[0].close()


def test_a_look_at_a_folder_that_is_being_removed_leaves_nothing_in_it(tmp_path):
    """A new lock there would keep it from going."""
    path = tmp_path / "00001764045000123456789-4711-9f3a61c2"
    path.mkdir()
    with pytest.raises(FileNotFoundError):
        is_alive(path)
    assert list(path.iterdir()) == []
    assert Outside(tmp_path).writers() == []


def test_a_forked_child_does_not_keep_its_parents_folder_alive(tmp_path):
    """Nor its disk space: locks and mappings are the parent's alone."""
    life = Life(tmp_path)
    life.append(1)
    [path] = folders(tmp_path)
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(ready[1], b".")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    before = is_alive(path)
    life.die()
    after = is_alive(path)
    os.write(go[1], b".")
    os.waitpid(pid, 0)
    for end in [*ready, *go]:
        os.close(end)
    assert (before, after) == (True, False)


def test_an_adopted_backlog_larger_than_the_budget_costs_the_living_nothing(tmp_path):
    """Its bytes are not of this process's budget: nothing is dropped for it, and it is dropped for nothing."""
    big = Life(tmp_path, 64 * 2**20, ("a",))
    big.append(*range(4000), size=1000)
    big.die()
    small = Life(tmp_path, 2**20, ("a",))
    small.append(9000)
    small.adopt(tmp_path)
    small.append(*range(9001, 9500), size=1000)
    assert small.dropped() == {"a": 0}
    got = small.take("a")
    assert sorted(got) == [*range(4000), *range(9000, 9500)]
    small.close()
    assert list(folders(tmp_path)) == []


@pytest.mark.parametrize("in_order", [True, False])
def test_a_claim_half_settled_is_owed_from_there_on_or_whole_when_its_order_is_not_kept(tmp_path, in_order):
    """An adapter of one resource a body sends a claim sorted: which half has arrived nobody can say, so all of it comes again."""
    life = Life(tmp_path, names=("a",))
    life.append(0, 1, 2, 3)
    with life.accounts.lock:
        claim = life.cursors["a"].claim(4, 10**6)
        claim.in_order = in_order
        life.cursors["a"].settle(claim, 2)
    life.die()
    heir = Life(tmp_path, names=("a",))
    heir.adopt(tmp_path)
    assert heir.take("a") == ([2, 3] if in_order else [0, 1, 2, 3])
    heir.close()


def test_the_living_and_the_dead_share_a_claim(tmp_path):
    """What ended here comes first, over as many segments as it takes; what is left of a batch, and half at least, is of the dead."""
    for first in range(0, 30, 10):
        dead = Life(tmp_path, names=("a",))
        dead.append(*range(first, first + 10))
        dead.die()
    life = Life(tmp_path, names=("a",), segment=SEGMENT)
    life.append(*range(100, 160))
    life.adopt(tmp_path)
    with life.accounts.lock:
        claims = [life.cursors["a"].claim(20, 10**6) for _ in range(4)]
    assert [[number_of(data) for data in claim.records] for claim in claims] == [
        [*range(100, 110), *range(10)],
        [*range(110, 120), *range(10, 20)],
        [*range(120, 130), *range(20, 30)],
        [*range(130, 150)],
    ]
    life.die()


def test_batches_of_one_take_turns(tmp_path):
    """Neither the living nor the dead wait for ever."""
    dead = Life(tmp_path, names=("a",))
    dead.append(1, 2)
    dead.die()
    life = Life(tmp_path, names=("a",))
    life.append(11, 12, 13)
    life.adopt(tmp_path)
    got = []
    for _ in range(5):
        with life.accounts.lock:
            claim = life.cursors["a"].claim(1, 10**6)
            got += [number_of(data) for data in claim.records]
            life.cursors["a"].settle(claim, 1)
    assert got == [11, 1, 12, 2, 13]
    life.close()
    assert list(folders(tmp_path)) == []
