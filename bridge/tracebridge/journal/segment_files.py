"""The disk under a journal: it makes the segments' files, and says once when the disk does not want to.

Nothing is logged where it happens, which is under the journal's lock: a handler of the application's may have a lock of its own, and trace under it.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from tracebridge.journal.folder import Folder
from tracebridge.journal.segment import Segment
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger

MOVED_AT_ONCE = 4  # segments moved from memory to the disk under one lock

_log = logger("tracebridge.journal")


class Files:
    """The files of one journal. `moved` is told of a segment that got its file later. Used under the journal's lock."""

    def __init__(
        self, directory: Path, adapters: Callable[[], Sequence[str]], *, moved: Callable[[Segment], None]
    ) -> None:
        self.folder: Folder | None = None
        """Ours, once there is something to write."""
        self.last_error = ""
        """What the disk said last; empty when it is well."""
        self._directory = directory
        self._adapters = adapters
        self._moved = moved
        self._unlogged: deque[tuple[int, str, tuple[object, ...]]] = deque()

    def flush_log(self) -> None:
        """Log what has happened since the last time. Called without the lock."""
        with contextlib.suppress(IndexError):
            while True:
                level, text, arguments = self._unlogged.popleft()
                _log.log(level, text, *arguments)

    def _say(self, level: int, text: str, *arguments: object) -> None:
        self._unlogged.append((level, text, arguments))

    def create(self, size: int, in_memory: Sequence[Segment]) -> Segment | None:
        """Return a new segment on the disk, or None when the disk says no, or those in memory have to go there first."""
        if self.bring(in_memory) < len(in_memory):
            return None
        try:
            segment = Segment.create(self._own_folder().next_path(), size, self._adapters())
        except OSError as error:
            self._note(error)
            return None
        if self.last_error:
            self._say(logging.INFO, "the journal writes in %s again", self._directory)
            self.last_error = ""
        return segment

    def bring(self, in_memory: Sequence[Segment]) -> int:
        """Give segments that lie in memory a file, oldest first, because files are numbered in the order of what they hold.

        Some at a time; returns how many, none when the disk says no.
        """
        moved = 0
        try:
            for segment in in_memory[:MOVED_AT_ONCE]:
                segment.move_to(self._own_folder().next_path())
                self._moved(segment)
                moved += 1
        except OSError as error:
            self._note(error)
        return moved

    def lose_deleted_folder(self) -> bool:
        """Return whether somebody has deleted our folder, and begin another one then."""
        if self.folder is None or not self.folder.is_gone:
            return False
        self._say(logging.WARNING, "%s was deleted; what was not delivered from it is written anew", self.folder.path)
        self.folder.close()
        self.folder = None
        return True

    def _own_folder(self) -> Folder:
        if self.folder is None:
            self.folder = Folder.create(self._directory, self._adapters())
        return self.folder

    def _note(self, error: OSError) -> None:
        if not self.last_error:
            self._say(
                logging.WARNING,
                "the journal cannot write in %s (%s); spans are kept in memory for now and would not survive this process",
                self._directory,
                error,
            )
        self.last_error = clean(error)

    def note_sync(self, error: OSError | None) -> None:
        """Take note of what a sync came to."""
        if error is None:
            return
        if not self.last_error:
            self._say(logging.WARNING, "the journal in %s cannot be synced: %s", self._directory, error)
        self.last_error = clean(error)
