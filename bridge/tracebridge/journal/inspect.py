"""A journal's directory seen from outside: what the processes that write there say, and what dead ones left."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tracebridge.journal.adoption import held_in, key_of
from tracebridge.journal.folder import DAMAGED, adapters_of, folders, is_alive, numbers_of, segments_in
from tracebridge.journal.segment import FINISHED, HELD, STARTED, Segment
from tracebridge.journal.segment_header import DamagedError, NewerVersionError
from tracebridge.journal.settled import name_hash
from tracebridge.process.private_files import is_folder

STALE_S = 10.0  # a living writer tells its numbers every second

RUNNING, TAKEN_OVER, LEFT = "running", "taken over", "left behind"


@dataclass
class Writer:
    """One process that writes, or wrote, in the directory."""

    folder: str
    state: str
    """`running`, `left behind` by a process that died, or `taken over` by another, which is delivering it."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """`Client.stats()` of that process and its `pid`, `service` and `time_unix_s`; empty in its first second."""
    disk_bytes: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """What is left behind: finished spans by adapter; `? (hash)` for one whose name is not told here."""
    left_open: int = 0
    """What is left behind: spans that were open, and will be delivered as unfinished, or held by a stage, which will be asked."""
    newer: str = ""
    """Why what is left behind is not counted: a newer tracebridge wrote it. Empty when this one reads it."""


class Outside:
    """Looks at one directory, again and again; what a dead process left is read only when it has changed.

    `adapters` are names of a configuration's: a segment has only their hashes, and a process that died in its first second told none.
    """

    def __init__(self, directory: Path, adapters: Iterable[str] = ()) -> None:
        self.directory = directory
        self._adapters = list(adapters)
        self._read: dict[str, tuple[object, _LeftBehind]] = {}

    def writers(self) -> list[Writer]:
        """Return the writers, oldest first. Raises OSError."""
        found = [writer for path in folders(self.directory) if (writer := self._writer(path)) is not None]
        told = dict.fromkeys(name for writer in found for name in writer.numbers.get("adapters", {}))
        for writer in found:
            if writer.state == LEFT:
                self._look_into(writer, list(told))
            else:  # what another process leaves of it will be something else
                self._read.pop(writer.folder, None)
        return found

    def damaged(self) -> int:
        """Return how many damaged stretches were set aside and are still there."""
        aside = self.directory / DAMAGED
        return sum(1 for _ in aside.iterdir()) if is_folder(aside) else 0

    def _writer(self, path: Path) -> Writer | None:
        """Return what a folder tells; None when it has been delivered meanwhile, or somebody has put something else in its place."""
        try:
            alive = is_alive(path)
            size = sum(entry.stat(follow_symlinks=False).st_size for entry in segments_in(path))
        except OSError:
            return None
        numbers = numbers_of(path)
        told = numbers.get("time_unix_s", time.time())
        state = LEFT if not alive else TAKEN_OVER if time.time() - told > STALE_S else RUNNING
        return Writer(path.name, state, numbers, size)

    def _look_into(self, writer: Writer, told: list[str]) -> None:
        """Count what a dead process left. `told` are the adapters that any process here names."""
        path = self.directory / writer.folder
        own = [*self._adapters, *writer.numbers.get("adapters", {}), *adapters_of(path)]
        try:
            files = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in segments_in(path)]
        except OSError:  # delivered meanwhile
            files = []
        segments = [path for path, _ in files]
        seen = ([(path, file.st_size, file.st_mtime_ns) for path, file in files], own, told)
        if writer.folder not in self._read or self._read[writer.folder][0] != seen:
            self._read[writer.folder] = (seen, _left(segments, own, told))
        _, found = self._read[writer.folder]
        writer.left, writer.left_open, writer.newer = dict(found.spans), found.opened, found.newer


class _LeftBehind(NamedTuple):
    """What a dead process left."""

    spans: Counter[str]
    """Finished ones, by the adapter that they are owed to."""
    opened: int
    newer: str = ""


def _left(segments: list[Path], adapters: list[str], others: list[str]) -> _LeftBehind:
    """Return what segments still owe, and how many spans were open at their end. `others` may be meant in them, too."""
    left: Counter[str] = Counter()
    opened: set[tuple[bytes, bytes]] = set()
    for path in segments:
        try:
            segment = Segment.copy(path)
        except NewerVersionError as error:
            return _LeftBehind(Counter(), 0, str(error))
        except (DamagedError, OSError):
            continue
        count = 0
        for kind, at, _ in segment.scan():
            count += kind == FINISHED
            with contextlib.suppress(msgspec.DecodeError):  # whoever adopts it sets that aside
                if kind == FINISHED:
                    opened.discard(key_of(segment.body(at)))
                elif kind == STARTED:
                    opened.add(key_of(segment.body(at)))
                elif kind == HELD:
                    opened.add(key_of(held_in(segment.body(at))[1]))
        written = segment.written()
        names = {name_hash(name): name for name in [*others, *adapters]}
        owing = {names.get(found, f"? ({found.hex()[:8]})"): slot.settled for found, slot in written.items()}
        for name in adapters:
            settled = segment.settled(name)  # what a damaged slot is taken for, too
            if settled is not None:
                owing[name] = settled
        for name, settled in owing.items():
            left[name] += sum(end - start for start, end in settled.owed(count))
    return _LeftBehind(left, len(opened))
