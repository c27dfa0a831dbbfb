"""What a relay counts, as a frozen picture: what the progress line, `--json` and `tracebridge stats --relay` show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tracebridge.journal.accounts import AdapterStats


class PartitionStats(msgspec.Struct, frozen=True):
    """One partition of this member."""

    committed: int | None
    """The offset below which every destination has everything; None until this member committed one."""
    position: int
    """The offset of the next message to be read."""
    end: int
    """The offset that the next message to be written will get, as known last."""
    lag: int
    """Messages from `committed` (or, before, the first that was received) to `end`: what some destination does not have yet."""


class RelayStats(msgspec.Struct, frozen=True):
    """A frozen picture of one relay."""

    time_unix_s: float
    messages: int
    """Messages read."""
    spans: int
    """Spans in them that were handed to delivery."""
    dead_letters: Mapping[str, int]
    """Messages that hold no spans, or spans that cannot be read, by kind: `empty`, `unknown`, `unreadable`, `no_spans`, `damaged`."""
    unsettled: int
    """Spans that not every destination has yet."""
    waiting_for: str
    """Why nothing is read at the moment; empty while reading goes on."""
    trouble: Mapping[str, str]
    """What is the matter, by kind, as it was told last."""
    partitions: Mapping[str, PartitionStats]
    """By `topic/number`."""
    adapters: Mapping[str, AdapterStats]
    """The books of each destination."""

    @property
    def lag(self) -> int:
        """Return the lag of all partitions together."""
        return sum(partition.lag for partition in self.partitions.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts and numbers, for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {**plain, "lag": self.lag}
