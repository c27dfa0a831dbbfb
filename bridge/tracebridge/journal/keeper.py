"""The quiet thread behind a disk journal: it syncs, tells the numbers, and adopts what dead processes left."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tracebridge.journal.adoption import ForeignError, Left, read_folder
from tracebridge.journal.disk import DiskJournal
from tracebridge.journal.folder import STATS, Folder, folders
from tracebridge.journal.segment import NewerVersionError, Segment

TICK_S = 1.0  # how often the numbers are written, and the longest that `fsync: interval` leaves unsynced
ADOPT_EVERY_S = 30.0  # how often folders of processes that died meanwhile are looked for
ROOM_EVERY_S = 0.05  # how often a backlog larger than the budget is tried again

_log = logging.getLogger("tracebridge.journal")


class Keeper:
    """Looks after one disk journal. `numbers` returns what `tracebridge stats` shows, as JSON."""

    def __init__(self, journal: DiskJournal, *, sync: bool, numbers: Callable[[], bytes]) -> None:
        self._journal = journal
        self._sync = sync
        self._numbers = numbers
        self._stop = threading.Event()
        self._told: set[str] = set()
        self._adopt_at = 0.0
        self._thread = threading.Thread(target=self._run, name="tracebridge-journal", daemon=True)

    def has_work(self) -> bool:
        """Whether other processes have, or left, folders in the directory."""
        return any(True for _ in folders(self._journal.directory))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for what it is doing."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(TICK_S)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a bug of ours, or a disk that is gone, must not end the looking
                _log.exception("looking after the journal in %s failed", self._journal.directory)
            if self._stop.wait(TICK_S):
                return

    def look(self) -> None:
        """Do what is due."""
        if time.monotonic() >= self._adopt_at:
            self._adopt_at = time.monotonic() + ADOPT_EVERY_S
            self.adopt_all()
        if self._sync:
            self._journal.sync()
        self.write_numbers()

    def write_numbers(self) -> None:
        """Write the numbers beside the segments, whole or not at all."""
        folder = self._journal.folder
        if folder is None:
            return
        path = folder.path / STATS
        unborn = path.with_suffix(".new")
        try:
            with open(unborn, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(self._numbers())
            unborn.replace(path)
        except OSError as error:  # a full disk; the journal itself has said so
            _log.debug("the numbers cannot be written: %s", error)

    # ------------------------------------------------------------------ adopting

    def adopt_all(self) -> None:
        """Take over what processes that are dead left in the directory, oldest first."""
        found = [left for path in folders(self._journal.directory) if (left := self._take(path)) is not None]
        if not found:
            return
        finished, unfinished = sum(left.finished for left in found), sum(left.unfinished for left in found)
        damaged, torn = sum(left.damaged for left in found), sum(left.torn for left in found)
        _log.info(
            "adopted from %s what %d process%s left: %d finished spans, %d unfinished, %d damaged stretches set aside, "
            "%d records torn at the end",
            self._journal.directory, len(found), "" if len(found) == 1 else "es", finished, unfinished, damaged, torn,
        )  # fmt: skip

    def _take(self, path: Path) -> Left | None:
        """Adopt one folder if its writer is dead; returns what it held."""
        name = str(path)
        if name in self._told or self._stop.is_set():
            return None
        folder = None
        try:
            folder = Folder.take(path)
            if folder is None:
                return None
            left = read_folder(folder, self._journal.names)
        except (NewerVersionError, ForeignError) as error:
            self._told.add(name)
            _log.error("%s is left alone: %s", name, error)
        except OSError as error:
            self._told.add(name)
            _log.error("%s cannot be adopted: %s", name, error)
        else:
            self._queue(left)
            return left
        if folder is not None:
            folder.close()
        return None

    def _queue(self, left: Left) -> None:
        """Hand the segments to the journal one after the other, as there is room."""
        journal = self._journal
        waiting = list(left.segments)
        left.folder.pending = len(waiting)
        if not waiting:
            left.folder.release()
        while waiting:
            with journal.lock:
                if journal.room_for(waiting[0]):
                    segment = waiting.pop(0)
                    self._warn_of_unnamed(segment)
                    journal.adopt(segment, left.folder)
                    continue
            if self._stop.wait(ROOM_EVERY_S):  # the rest stays where it is
                for segment in waiting:
                    segment.release()
                return

    def _warn_of_unnamed(self, segment: Segment) -> None:
        lost = segment.owed_to_others(self._journal.names)
        if lost:
            _log.warning(
                "%s: %d spans were still to go to adapters that the configuration no longer names; they are dropped",
                segment.path,
                lost,
            )
