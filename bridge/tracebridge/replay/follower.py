"""Several growing files, and what appears in directories, as one stream of lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tracebridge.replay.inputs import STDIN, UnreadableError, expand, identity
from tracebridge.replay.line import Line, Position
from tracebridge.replay.lines import follow

LOOK_EVERY_S = 0.2  # how often files at rest are looked at
RESCAN_EVERY_S = 5.0  # how often directories are looked through for new files
TURN = 1_000  # lines of one file before the next one has its turn


class Follower:
    """Follows files and directories until `stop()`. `start` says where to begin in a file, by its identity."""

    def __init__(self, paths: Sequence[str], start: Callable[[str], Position], stop: Callable[[], bool]) -> None:
        self._paths = paths
        self._start = start
        self._stop = stop
        self._known: set[str] = set()
        self._open: dict[str, Iterator[Line | None]] = {}

    def lines(self) -> Iterator[tuple[str, Line | UnreadableError] | None]:
        """Yield each file's name with its next line, or with what keeps it from being read; None when all is at rest."""
        rescan_at = 0.0
        while not self._stop():
            if time.monotonic() >= rescan_at:
                self._look_for_files()
                rescan_at = time.monotonic() + RESCAN_EVERY_S
            moved = False
            for name in list(self._open):
                for found in self._turn(name):
                    moved = True
                    yield name, found
            if not moved:
                if not self._open and all(path == STDIN for path in self._paths):
                    return
                yield None
                time.sleep(LOOK_EVERY_S)

    def _turn(self, name: str) -> Iterator[Line | UnreadableError]:
        lines = self._open[name]
        try:
            for _ in range(TURN):
                line = next(lines)
                if line is None:
                    return
                yield line
        except StopIteration:
            del self._open[name]
        except UnreadableError as error:
            del self._open[name]
            yield error

    def _look_for_files(self) -> None:
        named = {path for path in self._paths if not Path(path).is_dir()}
        for name in expand([path for path in self._paths if path == STDIN or Path(path).exists()]):
            if name in self._open:
                continue
            try:
                key = identity(name) if name != STDIN else STDIN
            except UnreadableError:
                if name in named:
                    raise
                continue  # moved away by a rotation meanwhile, most likely; the next look tells
            if key in self._known or (not key and name not in named):
                continue  # moved away by a rotation and read already, or nothing in it yet
            self._known.add(key)
            self._open[name] = follow(name, self._start(key), stop=self._stop)
