"""What dead processes left for adapters that a configuration does not name: it waits, and goes by hand or by a bound that somebody has set.

Everything here works on a folder whose lock is ours (`Left`).
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tracebridge.journal.adoption import Left, named, read_folder
from tracebridge.journal.base import decode_record
from tracebridge.journal.folder import Folder, segments_in
from tracebridge.journal.segment import Segment
from tracebridge.journal.settled import Owner, Settled
from tracebridge.process import age

TOO_OLD, TOO_MANY = "unclaimed_max_age", "unclaimed_max_bytes"


def move(left: Left, before: Owner, after: Owner) -> int:
    """Let one adapter take over what another is owed; return how many spans that is."""
    moved = sum(segment.rename(before, after) for segment in left.segments)
    for segment in left.segments:
        if segment.path is not None:
            os.utime(segment.path)  # who has looked at it looks again
    return moved


def drop(left: Left, adapter: Owner) -> int:
    """Forget what an adapter is owed; return how many spans that is."""
    return sum(_forget(segment, adapter) for segment in left.segments)


def drop_older(left: Left, before_ns: int) -> Counter[bytes]:
    """Forget the segments whose newest span ended before this time; return how many spans that costs each adapter."""
    lost: Counter[bytes] = Counter()
    for segment in left.segments:
        newest = _newest_ns(segment)
        if newest is not None and newest < before_ns:
            lost += _forget_all(segment)
    return lost


def drop_oldest(left: Left, size: int) -> tuple[int, Counter[bytes]]:
    """Forget the oldest segments until so many bytes are free; return how many are, and how many spans that costs each adapter."""
    lost: Counter[bytes] = Counter()
    freed = 0
    for segment in left.segments:
        if freed >= size:
            break
        lost += _forget_all(segment)
        freed += segment.size
    return freed, lost


def give_back(left: Left) -> None:
    """Delete what is no longer needed, from the first segment on, and give up the lock."""
    while left.is_written and left.segments and not left.segments[0].owed():
        left.segments.pop(0).remove()
    for segment in left.segments:
        segment.trim()
        segment.release()
    left.folder.release()


def _forget(segment: Segment, adapter: Owner) -> int:
    settled = segment.settled(adapter)
    if settled is None:
        return 0
    count = len(segment.offsets)
    owed = settled.owes(count)
    if owed:
        segment.settle(adapter, Settled(count))
    return owed


def _forget_all(segment: Segment) -> Counter[bytes]:
    return Counter({key: _forget(segment, key) for key in segment.owed()})


def _newest_ns(segment: Segment) -> int | None:
    """Return when the last span ended that stands there; None when none does that can be read."""
    if not segment.offsets:
        return None
    try:
        return decode_record(segment.body(segment.offsets[-1])).end_time_ns
    except msgspec.DecodeError:
        return None


# ---------------------------------------------------------------------- by the bounds of a configuration


@dataclass(frozen=True)
class Bounds:
    """What may wait, by default without a bound."""

    max_age_s: float = math.inf
    max_bytes: int | None = None


@dataclass
class _Waiting:
    """A folder that was read and owes our adapters nothing."""

    seen: object
    """How its files were then."""
    owed: dict[str, int]
    size: int


class Unclaimed:
    """What waits in one directory, as one process has found it. `lost` is told what a bound has cost: by adapter, and why."""

    def __init__(self, bounds: Bounds, lost: Callable[[dict[str, int], str], None]) -> None:
        self._bounds = bounds
        self._lost = lost
        self._waiting: dict[Path, _Waiting] = {}

    @property
    def reads_all(self) -> bool:
        """Whether spans that were open have to be written down, too, because they may have to go."""
        return self._bounds != Bounds()

    def __contains__(self, path: Path) -> bool:
        """Return whether a folder was found to owe our adapters nothing."""
        return path in self._waiting

    def is_known(self, path: Path) -> bool:
        """Return whether a folder is as it was when it was found to owe our adapters nothing."""
        waiting = self._waiting.get(path)
        return waiting is not None and waiting.seen == _look(path)

    def leave(self, left: Left) -> None:
        """Leave a folder to others, but for what has become too old."""
        path = left.folder.path
        if self._bounds.max_age_s < math.inf:
            self._tell(left, drop_older(left, age.now_ns() - int(self._bounds.max_age_s * 1e9)), TOO_OLD)
        size = left.size
        owed = left.by_name()
        give_back(left)
        self._waiting[path] = _Waiting(_look(path), owed, size)

    def spans(self) -> dict[str, int]:
        """Return how many spans wait, by adapter; forgets the folders that are gone."""
        self._waiting = {path: one for path, one in self._waiting.items() if path.exists()}
        total: Counter[str] = Counter()
        for waiting in self._waiting.values():
            total.update(waiting.owed)
        return dict(total)

    def drop_over(self) -> None:
        """Drop the oldest until what waits is within its bound."""
        if self._bounds.max_bytes is not None:
            self.drop(sum(one.size for one in self._waiting.values()) - self._bounds.max_bytes, TOO_MANY)

    def drop(self, size: int, reason: str) -> int:
        """Drop the oldest until so many bytes are free; return how many are. What others hold stays."""
        freed = 0
        for path in sorted(self._waiting):
            if freed >= size:
                break
            folder = Folder.take(path)
            if folder is None:
                continue
            left = read_folder(folder, (), always=True)
            gone, lost = drop_oldest(left, size - freed)
            freed += gone
            self._tell(left, lost, reason)
            del self._waiting[path]
            self.leave(left)
        return freed

    def _tell(self, left: Left, lost: Counter[bytes], reason: str) -> None:
        left.owed -= lost
        if lost.total():
            self._lost(named(lost, left.folder.adapters()), reason)


def _look(path: Path) -> object:
    """Return how the segments of a folder are now, to compare."""
    try:
        files = [(entry.name, entry.stat(follow_symlinks=False)) for entry in segments_in(path)]
    except OSError:
        return None
    return [(name, file.st_size, file.st_mtime_ns) for name, file in files]
