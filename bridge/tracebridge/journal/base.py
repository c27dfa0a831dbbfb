"""What the rest of the house needs of a journal; `memory` and `disk` are the two.

Records are MessagePack bytes (`encode_record`): the same on disk and in memory, exact in size, and a snapshot of the
span by construction. Every method with *locked* in its docstring is called with `Accounts.lock` held.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

import msgspec

from tracebridge.journal.accounts import JournalStats
from tracebridge.native import functions
from tracebridge.records import encoded as as_bytes
from tracebridge.records.record import Resource, SpanRecord

encode_record = msgspec.msgpack.Encoder().encode
"""SpanRecord, or a list of its first fields in their order, -> bytes as the journal keeps them."""

decode_record = as_bytes.decode_record
"""The reverse of `encode_record`."""


class Run(msgspec.Struct, eq=False):
    """Neighbours in one segment."""

    records: Sequence[bytes]
    resource: Resource | None = None
    """What produced those that name no resource; None is the client's own."""


class Claim(msgspec.Struct, eq=False):
    """Records handed to one worker: in flight until they are settled, part by part or all at once."""

    runs: Sequence[Run]
    """Those of this process come first, then what dead ones left."""
    first: int
    """The journal position of the first record of this process."""
    own: int
    """How many records are of this process."""
    since: float
    """Monotonic seconds: no record of this claim is older."""
    size: int
    """How many records it has."""
    unsettled: int
    """How many of its records, the last ones, are still in flight."""
    in_order: bool = True
    """Whether its records are settled from the first to the last; otherwise which ones are is unknown until all are."""

    @property
    def records(self) -> list[bytes]:
        """Its records in order, read when they are asked for."""
        return [data for run in self.runs for data in run.records]

    @property
    def owed(self) -> int:
        """How many of its records, the last ones, a later process has to deliver."""
        return self.unsettled if self.in_order else self.size

    @property
    def own_unsettled(self) -> int:
        """How many of the records of this process are still in flight."""
        return max(0, self.own - (self.size - self.unsettled)) if self.in_order else min(self.own, self.unsettled)


def readable(claim: Claim, own: Resource, *, encoded: bool = False) -> Sequence[SpanRecord]:
    """Return the records of a claim that can be read, with what produced them: those that name no resource have `own`, or their run's.

    `encoded`: as bytes that are decoded when they are looked at, if all of them are what the native module knows.
    """
    if encoded and functions is not None and len(claim.runs) == 1:
        run = claim.runs[0]
        sources = functions.sources(run.records)
        if sources is not None:
            return as_bytes.EncodedRecords(tuple(run.records), run.resource or own, sources)
    records = []
    for run in claim.runs:
        for data in run.records:
            try:
                record = decode_record(data)
            except msgspec.DecodeError:
                continue
            if record.resource is None:
                msgspec.structs.force_setattr(record, "resource", run.resource or own)
            records.append(record)
    return records


class Cursor(Protocol):
    """One adapter's place in the journal, and in what dead processes left."""

    def wait(self, most: int, timeout_s: float | None) -> None:
        """Wait until `most` records are ready, something is left by the dead, or the time is up. Locked; releases the lock while waiting."""
        ...

    def claim(self, most: int, max_bytes: int) -> Claim | None:
        """Take up to `most` records of together about `max_bytes`; None when none is ready. Locked.

        What dead processes left gets what this process leaves of a batch, and half of it at least.
        """
        ...

    def settle(self, claim: Claim, spans: int) -> None:
        """Say that so many of a claim's records were delivered or given up. Locked."""
        ...

    def leave(self, claim: Claim) -> None:
        """Put what is in flight of dead processes' records back: it is given up for now. Locked."""
        ...

    def abandon(self) -> int:
        """Give up what is ready or in flight and would not outlive this process; return how many that was. Locked."""
        ...

    @property
    def ready(self) -> int:
        """How many records of this process wait to be claimed. Locked."""
        ...

    @property
    def left(self) -> int:
        """How many records of dead processes wait to be claimed: they wait for no company. Locked."""
        ...

    @property
    def left_queued(self) -> int:
        """How many records of dead processes are not settled: ready or in flight. Locked."""
        ...

    @property
    def queued(self) -> int:
        """How many records are not settled: ready or in flight. Locked."""
        ...

    @property
    def settled_to(self) -> int:
        """The journal position below which every record is settled. Locked."""
        ...

    @property
    def claimed_to(self) -> int:
        """The journal position below which every record has been claimed. Locked."""
        ...

    @property
    def waiting_since(self) -> float | None:
        """Monotonic seconds: no record that is ready is older; None when none is. Locked."""
        ...

    @property
    def oldest_since(self) -> float | None:
        """Monotonic seconds: no unsettled record is older; None when nothing is queued. Locked."""
        ...


class Journal(Protocol):
    """An append-only log of records that all adapters share, one cursor each."""

    def cursor(self, name: str) -> Cursor:
        """Return a new cursor at the end of the log, for the adapter `name`."""
        ...

    keeps_open: bool
    """Whether the journal wants to know of open spans (`started`, `changed`), to give them back after a crash."""
    commits: bool
    """Whether `commit` has to be called, without the lock, before the caller is told that a record is safe."""

    def append(self, data: bytes, key: Hashable = None) -> None:
        """Add one finished record; `key` is the one that it was started under.

        Called locked; with `on_full: block` it may wait, releasing the lock, for a bounded time.
        """
        ...

    def started(self, key: Hashable, data: bytes) -> None:
        """Remember an open span. Locked."""
        ...

    def changed(self, key: Hashable, data: bytes) -> None:
        """Remember what was set on an open span: a record with nothing but that. Locked."""
        ...

    def hold(self, key: Hashable, group: bytes, data: bytes) -> None:
        """Remember a finished record that no cursor is given yet: `append` or `forget` with the same key decides about it. Locked."""
        ...

    def forget(self, key: Hashable) -> None:
        """Note that a span has ended without a record (it was sampled out). Locked."""
        ...

    def commit(self) -> None:
        """Wait until what was appended so far is on the disk itself."""
        ...

    def after_fork_in_child(self) -> None:
        """Let go of what belongs to the parent."""
        ...

    @property
    def end(self) -> int:
        """The position that the next record will get. Locked."""
        ...

    def stats(self) -> JournalStats:
        """Return what the journal holds. Locked."""
        ...

    def close(self) -> None:
        """Wake everybody who waits; later appends are counted as dropped. Locked."""
        ...
