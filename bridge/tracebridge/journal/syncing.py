"""Getting a disk journal through to the disk itself, which is what survives a power loss.

A mapped page is written by `fsync` of its file like any other, and unlike `mmap.flush()` that lets other threads run meanwhile. A file
that was made since the last time is on the disk once its folder is, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from tracebridge.journal.segment import Segment
from tracebridge.process import system


class Syncer:
    """Knows which segments have to be synced. `position` is the journal's end, `failed` is told what the disk says."""

    def __init__(
        self, lock: threading.Condition, position: Callable[[], int], failed: Callable[[OSError | None], None]
    ) -> None:
        self._lock = lock
        self._position = position
        self._failed = failed
        self._segments: dict[int, Segment] = {}
        self._folders: dict[Path, None] = {}
        self._busy = threading.Lock()
        self._done_to = 0

    def begin(self, segment: Segment) -> None:
        """Take note of a segment that is new, or new on the disk; the last one is written to from now on. Locked."""
        self._segments[id(segment)] = segment
        if segment.path is not None:
            self._folders[segment.path.parent] = None
            self._folders[segment.path.parent.parent] = None

    def forget(self, segment: Segment) -> None:
        """A segment is gone. Locked."""
        self._segments.pop(id(segment), None)

    def wait(self) -> None:
        """Return once what is in the journal now is on the disk; calls from many threads share one wait."""
        with self._lock:
            position = self._position()
        with self._busy:
            if self._done_to < position:
                self._sync()

    def sync(self) -> None:
        """Write to the disk what is not there yet."""
        with self._busy:
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            position = self._position()
            handles = [handle for segment in self._segments.values() if (handle := segment.handle()) >= 0]
            self._segments = dict(list(self._segments.items())[-1:])
            folders, self._folders = self._folders, {}
        said: OSError | None = None
        try:
            handles += [system.open_file(folder, system.FOLDER) for folder in folders]
            for handle in handles:
                os.fsync(handle)
        except OSError as error:  # Linux does not write again what it once could not: to say so is all that is left
            said = error
        finally:
            for handle in handles:
                os.close(handle)
        self._failed(said)
        self._done_to = position
