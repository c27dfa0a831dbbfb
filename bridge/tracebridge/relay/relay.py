"""The relay: reads messages, hands their spans to a client, and commits what every destination has.

One thread does everything but delivery, which the client's workers do. While a destination is down, or too much waits, reading is paused and
the receiver still asked, so that the group does not throw this member out. Nothing is skipped and nothing is dropped: what is not settled is not committed,
and whoever reads the partition next gets it again.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tracebridge.client import Client
from tracebridge.errors import DeliveryError
from tracebridge.journal.accounts import Progress
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.plugins.receiver import Message, Partition, Receiver, ReceiverOptions
from tracebridge.records.record import SpanRecord
from tracebridge.relay.counts import PartitionStats, RelayStats
from tracebridge.relay.decoder import Decoder, UnreadableError
from tracebridge.relay.ledger import Holding, Ledger
from tracebridge.relay.setaside import DeadLetterFile

POLL_S = 0.2  # longest wait for messages: how soon a signal or an answer of a destination is noticed
ROOM = 2  # the part of the journal that may wait: a half
AT_ONCE = 256  # spans between two looks at the room, at most
COMMIT_S = 5.0  # longest wait for the answer to the last commit, before a partition or the group is left
LEAVE_S = 1.0  # for that answer, and then for leaving the group, where `lifecycle.shutdown_timeout` is over
RETRY_S = 1.0  # between two tries to keep a dead letter
MAX_REASON = 500  # characters of why a message holds no span
DAMAGED = "damaged"

_log = logger("tracebridge.relay")


class Read(NamedTuple):
    """A message that was read."""

    partition: Partition
    holding: Holding
    offset: int
    records: Sequence[SpanRecord]


class Relay:
    """Reads from a receiver into a client until it is stopped. `run` is called once.

    `room_bytes` is how much the client's journal may hold, `until_end` ends the run when everything that was there at its start is settled.
    Without a client nothing is delivered and nothing committed: a dry run.
    """

    def __init__(
        self,
        receiver: Receiver,
        client: Client | None,
        options: ReceiverOptions,
        *,
        trace_id_attribute: str,
        journal_bytes: int,
        fingerprint: str,
        stop: Callable[[], bool],
        shutdown_s: float,
        until_end: bool = False,
    ) -> None:
        self._receiver = receiver
        self._client = client
        self._options = options
        self._decoder = Decoder(trace_id_attribute)
        self._room_bytes = journal_bytes // ROOM
        self._fingerprint = fingerprint
        self._stop = stop
        self._shutdown_s = shutdown_s
        self._until_end = until_end
        self._file = DeadLetterFile(options.dead_letter_file) if options.dead_letter_file else None
        self._ledger = Ledger()
        self._inbox: deque[Message] = deque()
        self._hand: list[Read] = []
        """What was read and not handed on: so many spans together, or one message."""
        self._hand_spans = self._hand_bytes = 0
        self._most = min(AT_ONCE, options.max_unsettled)
        self._messages = self._spans = 0
        self._dead: Counter[str] = Counter()
        self._trouble: dict[str, str] = {}
        self._told: set[str] = set()
        self._committed_at = 0.0
        self._waiting_for = ""
        self._closing = False
        self._goal: dict[Partition, int] = {}
        """Where the partitions ended when they were seen first: what `until_end` waits for."""

    # ------------------------------------------------------------------ the run

    def run(self, tell: Callable[[RelayStats], None]) -> RelayStats:
        """Relay until stopped (or the end is reached); return the counters as they were before the group was left.

        `tell` is called several times a second with a picture of the counters.
        """
        self._receiver.open(self, self._fingerprint)
        try:
            while not self._stop() and not (self._until_end and self._is_at_end()):
                self._receiver.resume()
                self._receive(POLL_S)
                for _ in self._work():
                    while not self._stop() and not self._has_room():
                        self._rest(tell)
                    if self._stop():
                        break
                self._commit_if_due()
                tell(self.stats())
            self._finish()
            return self.stats()
        finally:
            self._closing = True
            self._receiver.close(LEAVE_S)

    def _receive(self, timeout_s: float) -> None:
        """Put what comes in the inbox, and whatever else the receiver has to tell."""
        for message in self._receiver.receive(timeout_s):
            holding = self._ledger.partitions.get(message.partition)
            if holding is not None:
                holding.began = message.offset if holding.began is None else holding.began
                self._inbox.append(message)

    def _rest(self, tell: Callable[[RelayStats], None]) -> None:
        """Read nothing for a moment, without leaving the group."""
        self._receiver.pause()
        self._receive(POLL_S)
        self._commit_if_due()
        tell(self.stats())

    def _finish(self) -> None:
        """Wait, for a bounded time, until what was read is settled, and commit that."""
        self._receiver.pause()
        if self._client is not None:
            deadline = time.monotonic() + self._shutdown_s
            self._client.flush(self._shutdown_s)
            self._commit(wait_s=min(COMMIT_S, max(LEAVE_S, deadline - time.monotonic())))
            if left := self._unsettled():
                _log.warning(
                    "%d spans that not every destination has stay in the topics: whoever reads next delivers them", left
                )

    # ------------------------------------------------------------------ messages

    def _work(self) -> Iterator[None]:
        """Take what is in the inbox; yields whenever it is time to look at the room."""
        while self._inbox:
            message = self._inbox.popleft()
            holding = self._ledger.partitions.get(message.partition)
            if holding is not None:  # else it was revoked meanwhile: its next owner reads the message
                yield from self._take(message, holding)
        yield from self._hand_on()

    def _take(self, message: Message, holding: Holding) -> Iterator[None]:
        """Read a message. Its spans wait for those of others: handed on together they cost less."""
        if holding.is_behind(message.offset):
            yield from self._hand_on()
            holding.begin_anew()
            self.trouble(
                "offsets_went_back",
                f"{message.partition}: reading went back to offset {message.offset}; the topic was created anew, or the group's offsets were reset",
            )
        records: Sequence[SpanRecord] = ()
        kind = reason = ""
        try:
            decoded = self._decoder.decode(message.value, message.encoding)
        except UnreadableError as error:
            kind, reason = error.kind, str(error)
        else:
            records = decoded.records
            if decoded.damage:
                kind, reason = DAMAGED, f"{len(decoded.damage)} spans cannot be read: {'; '.join(decoded.damage)}"
        if kind:
            yield from self._set_aside(message, kind, clean(reason, MAX_REASON))
            if self._ledger.partitions.get(message.partition) is not holding:
                return
        size = len(message.value or b"")
        if self._hand and (
            self._hand_spans + len(records) > self._most or self._hand_bytes + size > self._room_bytes // 4
        ):
            yield from self._hand_on()
        holding.next_offset = message.offset + 1
        self._hand.append(Read(message.partition, holding, message.offset, records))
        self._hand_spans += len(records)
        self._hand_bytes += size

    def _hand_on(self) -> Iterator[None]:
        """Hand the client what was read: as much as one look at the room allows, or one message that is larger, piece by piece.

        An enormous message must not push out another.
        """
        hand, spans, size = self._hand, self._hand_spans, self._hand_bytes
        self._hand, self._hand_spans, self._hand_bytes = [], 0, 0
        step = max(1, min(self._most, self._room_bytes // 4 * spans // max(1, size)))
        records = _records(hand)
        for first in range(0, spans, step):
            yield
            mine = [read for read in hand if self._ledger.partitions.get(read.partition) is read.holding]
            if len(mine) < len(hand):  # others have been revoked meanwhile: their next owner reads them
                hand, records = mine, _records(mine)
            piece = records[first : first + step]
            if self._client is not None:
                self._client.ingest_all(piece)
            self._spans += len(piece)
        self._messages += len(hand)
        progress = Progress(0, 0, 0, None, 0) if self._client is None else self._client.progress()
        now = time.monotonic()
        for read in hand:
            if progress.held:
                self._ledger.holds(read.holding, read.offset, now)
            else:
                self._ledger.took(read.holding, read.offset, progress.end)

    def _set_aside(self, message: Message, kind: str, reason: str) -> Iterator[None]:
        """Keep a message that holds no spans, for as long as it takes; count it and tell the first of its kind."""
        kept = self._client is None
        while not kept:
            try:
                if self._file is not None:
                    self._file.keep(message, reason)
                kept = self._receiver.set_aside(message, reason) or self._file is not None
                self.trouble("dead_letters", "")
                break
            except DeliveryError as error:
                self.trouble("dead_letters", f"a message without spans cannot be kept, reading waits for it: {error}")
                self._waiting_for = "the place of dead letters"
                self._receiver.pause()
                self._receive(RETRY_S)
                yield
        self._dead[kind] += 1
        topic = f"{message.partition.topic} {kind}"
        if topic not in self._told:
            self._told.add(topic)
            what = "kept" if kept else "passed over, because no place for dead letters is configured"
            _log.warning(
                "%s offset %d holds no spans, or not all can be read (%s); it is %s: %s",
                message.partition, message.offset, kind, what, reason,
            )  # fmt: skip

    # ------------------------------------------------------------------ room and commits

    def _unsettled(self) -> int:
        assert self._client is not None  # noqa: S101 - a dry run settles nothing
        progress = self._client.progress()
        return progress.end - progress.settled + progress.held

    def _has_room(self) -> bool:
        """Return whether more may be read: not too many spans unsettled, not too many bytes in the journal."""
        self._waiting_for = ""
        if self._client is None:
            return True
        progress = self._client.progress()
        unsettled = progress.end - progress.settled + progress.held
        if not unsettled or (unsettled < self._options.max_unsettled and progress.bytes <= self._room_bytes):
            return True
        ill = [name for name, books in self._client.stats().adapters.items() if books.retrying_since is not None]
        self._waiting_for = ", ".join(ill) or "destinations, which take less than is read"
        return False

    def _commit_if_due(self) -> None:
        if time.monotonic() - self._committed_at >= self._options.commit_interval:
            self._commit(wait_s=0.0)

    def _commit(self, *, wait_s: float, only: Sequence[Partition] | None = None) -> None:
        """Commit what is settled."""
        if self._client is None:
            return
        self._committed_at = time.monotonic()
        progress = self._client.progress()
        self._ledger.decided(progress.held_since, progress.end)
        offsets = self._ledger.settle(progress.settled)
        if only is not None:  # the last word on them, in one answer that is waited for
            held = self._ledger.partitions
            offsets |= {each: held[each].committed or 0 for each in only if each in held and held[each].committed}
        if offsets:
            self._receiver.commit(offsets, wait_s=wait_s)

    def _is_at_end(self) -> bool:
        """Return whether all that was there at first was read and is settled; not before the partitions are known."""
        progress = self._receiver.progress()
        for partition, (_, end) in progress.items():
            self._goal.setdefault(partition, end)
        mine = set(self._ledger.partitions)
        if not mine or set(progress) != mine or self._inbox:
            return False
        if any(position < self._goal[partition] for partition, (position, _) in progress.items()):
            return False
        return self._client is None or (self._client.flush(POLL_S) and not self._unsettled())

    # ------------------------------------------------------------------ Events, from within the receiver

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Take partitions on."""
        self._ledger.assigned(partitions)
        _log.info("assigned: %s", ", ".join(map(str, partitions)) or "nothing")

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Settle what can be settled in time, commit it, and let go. At the end that has been done."""
        if self._client is not None and not self._closing:
            self._client.flush(self._shutdown_s)
            self._commit(wait_s=COMMIT_S, only=partitions)
        self._let_go(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Let go: the group has given them away already, or cannot be asked."""
        if not self._closing:
            names = ", ".join(map(str, partitions))
            self.trouble(
                "partitions_lost", f"{names} may be another member's already: this one was not heard of in time"
            )
        self._let_go(partitions)

    def _let_go(self, partitions: Sequence[Partition]) -> None:
        self._ledger.forget(partitions)
        self._inbox = deque(message for message in self._inbox if message.partition not in set(partitions))
        _log.info("revoked: %s", ", ".join(map(str, partitions)) or "nothing")

    def trouble(self, kind: str, message: str) -> None:
        """Keep what is the matter, and log the first of its kind; without a message it is over."""
        if not message:
            self._trouble.pop(kind, None)
            self._told.discard(kind)
            return
        self._trouble[kind] = clean(message, MAX_REASON)
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("%s", message)

    # ------------------------------------------------------------------ the counters

    def stats(self) -> RelayStats:
        """Return a picture of the counters."""
        partitions = {}
        progress = self._receiver.progress()
        for partition, holding in sorted(self._ledger.partitions.items()):
            if partition in progress:
                position, end = progress[partition]
                began = position if holding.began is None else holding.began
                start = began if holding.committed is None else holding.committed
                partitions[str(partition)] = PartitionStats(holding.committed, position, end, max(0, end - start))
        return RelayStats(
            time_unix_s=time.time(),
            messages=self._messages,
            spans=self._spans,
            dead_letters=dict(self._dead),
            unsettled=0 if self._client is None else self._unsettled(),
            waiting_for=self._waiting_for,
            trouble=dict(self._trouble),
            partitions=partitions,
            adapters={} if self._client is None else self._client.stats().adapters,
        )


def _records(hand: Sequence[Read]) -> list[SpanRecord]:
    return [record for read in hand for record in read.records]
