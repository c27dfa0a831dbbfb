"""The quiet thread behind a disk journal: it syncs, tells the numbers, adopts what dead processes left, and keeps the directory in its bounds."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tracebridge.journal.adoption import Decide, Left, keep_all, read_folder
from tracebridge.journal.backlog import PutBack
from tracebridge.journal.disk import DiskJournal
from tracebridge.journal.folder import STATS, Folder, bytes_in, folders
from tracebridge.journal.segment_header import NewerVersionError
from tracebridge.journal.unclaimed import Bounds, Unclaimed, give_back
from tracebridge.masking.loggers import logger
from tracebridge.process.private_files import write_private
from tracebridge.process.threads import background

TICK_S = 1.0  # how often the numbers are written, and the longest that `fsync: interval` leaves unsynced
ADOPT_EVERY_S = 30.0  # how often folders of processes that died meanwhile are looked for
DROPPED_DIRECTORY = "directory_full"
BOUND_EVERY_S = 10.0  # how often the whole directory is measured, where it has a bound
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # errors worth another look later

_log = logger("tracebridge.journal")


@dataclass(frozen=True)
class DirectoryBounds:
    """What dead processes may leave in a directory; None means without a bound."""

    max_bytes: int | None = None
    """For all that lies there, of the living and the dead; only the dead's is dropped, what is unclaimed first."""
    unclaimed: Bounds = field(default_factory=Bounds)


class Maintainer:
    """Looks after one disk journal. `numbers` returns what `tracebridge stats` shows, as JSON."""

    def __init__(
        self,
        journal: DiskJournal,
        *,
        sync: bool,
        numbers: Callable[[], bytes],
        bounds: DirectoryBounds | None = None,
        decide: Decide = keep_all,
    ) -> None:
        self._journal = journal
        self._sync = sync
        self._numbers = numbers
        self._bounds = bounds or DirectoryBounds()
        self._decide = decide
        self._stop = threading.Event()
        self._poke = threading.Event()
        """Set when there is something to do before the next tick."""
        journal.backlog.on_room = self._poke.set
        self._left_alone: set[Path] = set()
        self._unclaimed = Unclaimed(self._bounds.unclaimed, self._note_lost)
        self._told: set[str] = set()
        """Adapters, and bounds, of which something was said."""
        self._to_look: deque[Path] | None = None
        """The folders that this look has still to come to; None between two looks."""
        self._found: Counter[str] = Counter()
        """What this look has found so far."""
        self._waiting: Left | None = None
        """What was read and not queued yet, because there was no room."""
        self._put_back: dict[str, tuple[frozenset[str], int]] = {}
        """By the path of a folder that was given back because others need the room: the destinations, all failing, that wait for it, and spans."""
        self._tick_at = self._adopt_at = self._bound_at = 0.0
        self._thread = background(self._run, "tracebridge-journal")

    def has_work(self) -> bool:
        """Whether other processes have, or left, folders in the directory."""
        return any(True for _ in folders(self._journal.directory))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for what it is doing, for a while. What was not queued stays for the next process."""
        self._stop.set()
        self._poke.set()
        if self._thread.is_alive():
            self._thread.join(TICK_S)
        else:
            self._close_waiting()
        self._journal.flush_log()
        self.write_numbers()

    def _close_waiting(self) -> None:
        """Leave what was not queued to the next process."""
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # a bug of ours, or a disk that is gone, must not end the looking
                _log.exception("looking after the journal in %s failed", self._journal.directory)
            self._poke.wait(TICK_S)
            self._poke.clear()
        self._close_waiting()

    def look(self) -> None:
        """Do what is due."""
        self._tick()
        self._admit()
        self._bound()
        if self._put_back and not all(self._is_put_back(Path(path)) for path in list(self._put_back)):
            self._adopt_at = 0.0
        if self._journal.backlog.gave_back:  # what of it is not ours is to be counted soon
            self._journal.backlog.gave_back, self._adopt_at = False, 0.0
        if self._to_look is not None or time.monotonic() >= self._adopt_at:
            self.adopt_all()

    def _tick(self) -> None:
        """Do what is due every second."""
        if time.monotonic() < self._tick_at:
            return
        self._tick_at = time.monotonic() + TICK_S
        more = True
        while more and not self._stop.is_set():
            with self._journal.lock:
                more = self._journal.look_after_disk()
        self._journal.backlog.trim()
        if self._sync:
            self._journal.sync()
        self._journal.flush_log()
        self.write_numbers()

    def write_numbers(self) -> None:
        """Write the numbers beside the segments, whole or not at all."""
        folder = self._journal.folder
        if folder is None or not folder.path.exists():
            return
        try:
            write_private(folder.path / STATS, self._numbers())
        except OSError as error:  # a full disk; the journal itself has said so
            _log.debug("the numbers cannot be written: %s", error)

    # ------------------------------------------------------------------ adopting

    def adopt_all(self) -> None:
        """Take over what processes that are dead left in the directory, oldest first, as far as there is room; go on there the next time."""
        if self._to_look is None:
            self._adopt_at = time.monotonic() + ADOPT_EVERY_S
            self._to_look = deque(folders(self._journal.directory))
        while self._to_look and not self._waiting and not self._stop.is_set():
            self._take(self._to_look.popleft())
        if self._to_look or self._waiting or self._stop.is_set():
            return
        self._to_look = None
        self._unclaimed.drop_over()
        self._left_alone = {path for path in self._left_alone if path.exists()}  # others may read what we cannot
        unclaimed = self._unclaimed.spans()
        backlog = self._journal.backlog
        with self._journal.lock:
            self._journal.found.unclaimed = unclaimed
            self._journal.found.left_alone = len(self._left_alone)
            backlog.others = {
                path: others for path, others in backlog.others.items() if path not in self._unclaimed and path.exists()
            }
            self._journal.found.looked = True
            self._journal.lock.notify_all()  # flush() and close() wait for the first look
            unclaimed = dict(self._journal.stats().unclaimed)
        self._say_what_was_found(unclaimed)

    def _say_what_was_found(self, unclaimed: dict[str, int]) -> None:
        found, self._found = self._found, Counter()
        if found["processes"] or found["damaged"]:
            _log.log(
                logging.WARNING if found["damaged"] else logging.INFO,
                "adopted from %s what %d process%s left: %d finished spans, %d unfinished, %d damaged stretches set aside, "
                "%d records torn at the end",
                self._journal.directory, found["processes"], "" if found["processes"] == 1 else "es",
                found["finished"], found["unfinished"], found["damaged"], found["torn"],
            )  # fmt: skip
        for name, spans in unclaimed.items():
            if name not in self._told:
                self._told.add(name)
                _log.warning(
                    "%s: %d spans wait for %s, which this configuration does not name; for another that does, or for "
                    "`tracebridge journal list`, `move` and `drop`",
                    self._journal.directory, spans, name,
                )  # fmt: skip

    def _take(self, path: Path) -> None:
        """Read one folder if its writer is dead, and queue what it owes our adapters when there is room."""
        journal = self._journal
        if path in self._left_alone or self._unclaimed.is_known(path) or self._is_put_back(path):
            return
        folder = None
        try:
            folder = Folder.take(path)
            if folder is None:
                return
            left = read_folder(
                folder, journal.names, between=self._tick, always=self._unclaimed.reads_all, decide=self._decide
            )
        except (NewerVersionError, OSError) as error:
            if not (isinstance(error, OSError) and error.errno in PASSING):
                self._left_alone.add(path)
            _log.error("%s is left alone: %s", path, error)
            with journal.lock:
                journal.found.left_alone = len(self._left_alone)
            if folder is not None:
                folder.close()
            return
        self._found.update(damaged=left.damaged, torn=left.torn)
        with journal.lock:
            journal.found.damaged += left.damaged
            journal.found.torn += left.torn
        if left.owed_to(journal.names):
            self._found.update(processes=1, finished=left.finished, unfinished=left.unfinished)
            self._waiting = left
            self._admit()
        elif left.owed.total():
            self._unclaimed.leave(left)
        else:
            give_back(left)

    def _admit(self) -> None:
        """Hand what was read to the journal when there is room."""
        journal = self._journal
        back: list[PutBack] = []
        with journal.lock:
            left = self._waiting
            # asked under the lock: what is adopted before the journal closes, its close lets go of
            if left is not None and not self._stop.is_set():
                if not journal.backlog.has_room_for(left):
                    back = journal.backlog.put_back()
                if journal.backlog.has_room_for(left):
                    self._waiting = None
                    journal.adopt(left)
            self._put_back.update((str(one.taken.left.folder.path), (one.adapters, one.spans)) for one in back)
            waiting = self._waiting.finished if self._waiting else 0
            journal.found.waiting = waiting + sum(spans for _, spans in self._put_back.values())
            journal.lock.notify_all()
        for one in back:
            one.taken.give_back()

    def _is_put_back(self, path: Path) -> bool:
        """Return whether only destinations that are still failing wait for a folder."""
        back = self._put_back.get(str(path))
        if back is None:
            return False
        accounts = self._journal.accounts.adapters
        if path.exists() and all(accounts[name].retrying_since is not None for name in back[0]):
            return True
        del self._put_back[str(path)]
        return False

    # ------------------------------------------------------------------ bounds

    def _bound(self) -> None:
        """Keep the whole directory within its bound: what is unclaimed goes first, then what else the dead left, the oldest first."""
        most = self._bounds.max_bytes
        if most is None or time.monotonic() < self._bound_at or not self._journal.found.looked:
            return
        self._bound_at = time.monotonic() + BOUND_EVERY_S
        self._journal.backlog.trim()  # no span has to go for bytes that hold nothing
        over = bytes_in(self._journal.directory) - most
        if over <= 0:
            return
        over -= self._unclaimed.drop(over, DROPPED_DIRECTORY)
        if over > 0:
            with self._journal.lock:
                before = {
                    name: books.dropped[DROPPED_DIRECTORY] for name, books in self._journal.accounts.adapters.items()
                }
                over -= self._journal.backlog.drop(over, DROPPED_DIRECTORY)
                after = {
                    name: books.dropped[DROPPED_DIRECTORY] for name, books in self._journal.accounts.adapters.items()
                }
            self._say_lost({name: after[name] - before[name] for name in after}, DROPPED_DIRECTORY)
        if over > 0 and "living" not in self._told:
            self._told.add("living")
            _log.warning(
                "%s holds %d bytes more than journal.max_directory_bytes; what running processes hold stays",
                self._journal.directory, over,
            )  # fmt: skip

    def _note_lost(self, lost: dict[str, int], reason: str) -> None:
        with self._journal.lock:
            for name, spans in lost.items():
                self._journal.found.dropped[name][reason] += spans
        self._say_lost(lost, reason)

    def _say_lost(self, lost: dict[str, int], reason: str) -> None:
        for name, spans in lost.items():
            if spans:
                _log.warning("%s: %d spans for %s dropped (%s)", self._journal.directory, spans, name, reason)
