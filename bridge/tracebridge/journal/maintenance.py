"""The quiet thread behind a disk journal: it syncs, tells the numbers, and adopts what dead processes left."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tracebridge.journal.adoption import ForeignError, Left, read_folder
from tracebridge.journal.disk import DiskJournal
from tracebridge.journal.folder import STATS, Folder, folders
from tracebridge.journal.segment import NewerVersionError, Segment
from tracebridge.process.private_files import write_private

TICK_S = 1.0  # how often the numbers are written, and the longest that `fsync: interval` leaves unsynced
ADOPT_EVERY_S = 30.0  # how often folders of processes that died meanwhile are looked for
ROOM_EVERY_S = 0.05  # how often a backlog larger than the budget is tried again
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # errors worth another look later

_log = logging.getLogger("tracebridge.journal")


class Keeper:
    """Looks after one disk journal. `numbers` returns what `tracebridge stats` shows, as JSON."""

    def __init__(self, journal: DiskJournal, *, sync: bool, numbers: Callable[[], bytes]) -> None:
        self._journal = journal
        self._sync = sync
        self._numbers = numbers
        self._stop = threading.Event()
        self._left_alone: set[str] = set()
        self._waiting: deque[tuple[Segment, Folder]] = deque()
        """What was read and not queued yet, because there was no room."""
        self._tick_at = self._adopt_at = 0.0
        self._thread = threading.Thread(target=self._run, name="tracebridge-journal", daemon=True)

    def has_work(self) -> bool:
        """Whether other processes have, or left, folders in the directory."""
        return any(True for _ in folders(self._journal.directory))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for what it is doing, for a while. What was not queued stays for the next process."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(TICK_S)
        else:
            self._let_go()
        self._journal.speak()
        self.write_numbers()

    def _let_go(self) -> None:
        """Leave what was not queued to the next process."""
        while self._waiting:
            segment, folder = self._waiting.popleft()
            segment.release()
            folder.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # a bug of ours, or a disk that is gone, must not end the looking
                _log.exception("looking after the journal in %s failed", self._journal.directory)
            self._stop.wait(ROOM_EVERY_S if self._waiting else TICK_S)
        self._let_go()

    def look(self) -> None:
        """Do what is due."""
        self._tick()
        self._admit()
        if time.monotonic() >= self._adopt_at and not self._waiting:
            self._adopt_at = time.monotonic() + ADOPT_EVERY_S
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
        if self._sync:
            self._journal.sync()
        self._journal.speak()
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
        """Take over what processes that are dead left in the directory, oldest first, as far as there is room."""
        found = []
        for path in folders(self._journal.directory):
            if self._waiting:  # there is no room now; each file that is read is held open
                self._adopt_at = 0.0
                break
            left = self._take(str(path))
            if left is not None:
                found.append(left)
        else:
            with self._journal.lock:
                self._journal.found.looked = True
        if not found:
            return
        finished, unfinished = sum(left.finished for left in found), sum(left.unfinished for left in found)
        damaged, torn = sum(left.damaged for left in found), sum(left.torn for left in found)
        _log.log(
            logging.WARNING if damaged else logging.INFO,
            "adopted from %s what %d process%s left: %d finished spans, %d unfinished, %d damaged stretches set aside, "
            "%d records torn at the end",
            self._journal.directory, len(found), "" if len(found) == 1 else "es", finished, unfinished, damaged, torn,
        )  # fmt: skip

    def _take(self, path: str) -> Left | None:
        """Read one folder if its writer is dead, and queue what there is room for; returns what it held."""
        if path in self._left_alone or self._stop.is_set():
            return None
        folder = None
        try:
            folder = Folder.take(Path(path))
            if folder is None:
                return None
            left = read_folder(folder, self._journal.names, between=self._tick)
        except (NewerVersionError, ForeignError, OSError) as error:
            if not (isinstance(error, OSError) and error.errno in PASSING):
                self._left_alone.add(path)
            _log.error("%s is left alone: %s", path, error)
            with self._journal.lock:
                self._journal.found.left_alone = len(self._left_alone)
            if folder is not None:
                folder.close()
            return None
        folder.pending = len(left.segments)
        if not left.segments:
            folder.release()
        self._waiting.extend((segment, folder) for segment in left.segments)
        with self._journal.lock:
            self._journal.found.damaged += left.damaged
            self._journal.found.torn += left.torn
        self._admit()
        return left

    def _admit(self) -> None:
        """Hand segments to the journal one after the other, as there is room."""
        journal = self._journal
        while self._waiting and not self._stop.is_set():
            segment, folder = self._waiting[0]
            with journal.lock:
                if self._stop.is_set() or not journal.room_for(segment):
                    break  # asked under the lock: what is adopted before the journal closes, its close lets go of
                self._waiting.popleft()
                path, lost = segment.path, segment.owed_to_others(journal.names)
                journal.adopt(segment, folder)
            if lost:
                _log.warning(
                    "%s: %d spans were still to go to adapters that the configuration no longer names; they are dropped",
                    path,
                    lost,
                )
        with journal.lock:
            journal.found.waiting = sum(len(segment.offsets) for segment, _ in self._waiting)
