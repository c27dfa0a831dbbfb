"""Records into a client: what is wanted, once each, at the pace that the destinations take, with checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tracebridge.client import Client
from tracebridge.delivery.books import GAVE_UP
from tracebridge.records.record import SpanRecord
from tracebridge.replay.line import Position
from tracebridge.replay.seen import Seen, key_of
from tracebridge.replay.stream import Step

MOST_QUEUED = 50_000  # spans that wait for the slowest destination before reading pauses
PAUSE_S = 0.02
LOOK_EVERY = 512  # records between two looks at the queue, at most
CHECKPOINT_EVERY = 20_000  # spans
FLUSH_S = 1.0  # one wait for the destinations; between two, whoever waits is told


@dataclass(slots=True)
class Played:
    """What became of the records."""

    delivered: int = 0
    """Handed to delivery."""
    doubles: int = 0
    """Met before."""
    unwanted: int = 0
    """Outside what was asked for."""


class Player:
    """Hands records to a client; without one (a dry run) it counts.

    `wanted` says which records are asked for (as `renamed` gives them, where there is one), `room_bytes` how much may wait in the client's journal, `waiting` is called now and
    then while a destination has to be waited for, and ends the waiting by returning True.
    """

    def __init__(
        self,
        client: Client | None,
        seen: Seen,
        *,
        wanted: Callable[[SpanRecord], bool],
        room_bytes: int,
        waiting: Callable[[], bool],
        renamed: Callable[[SpanRecord], SpanRecord] | None = None,
    ) -> None:
        self.played = Played()
        self._client = client
        self._seen = seen
        self._wanted = wanted
        self._room_bytes = room_bytes
        self._waiting = waiting
        self._renamed = renamed
        self._positions: dict[str, Position] = {}
        self._since_look = 0
        self._bytes_since_look = 0
        self._since_checkpoint = 0

    def play(self, step: Step) -> None:
        """Take what one line of a file holds."""
        played, line = self.played, step.line
        records = step.decoded.records if step.decoded is not None else ()
        for record in records if self._renamed is None else map(self._renamed, records):
            if not self._wanted(record):
                played.unwanted += 1
            elif not self._seen.first_time(key_of(record)):
                played.doubles += 1
            else:
                played.delivered += 1
                self._since_look += 1
                if self._client is not None:
                    self._client.ingest(record)
        if step.key and step.can_resume and not played.unwanted:  # a file of which something was left out is not done
            self._positions[step.key] = Position(line.end, line.number)
        self._bytes_since_look += len(line.text)
        if self._since_look >= LOOK_EVERY or self._bytes_since_look >= self._room_bytes // 4:
            self._since_checkpoint += self._since_look
            self._since_look = self._bytes_since_look = 0
            self._wait_for_room()
            if self._since_checkpoint >= CHECKPOINT_EVERY:
                self.checkpoint()

    def rest(self) -> None:
        """Write down what has arrived: input has run dry for the moment."""
        if self._since_checkpoint or self._since_look:
            self._since_checkpoint += self._since_look
            self._since_look = 0
            self.checkpoint(give_up_s=0)

    def checkpoint(self, give_up_s: float | None = None) -> bool:
        """Wait until everything so far is settled, at most `give_up_s` seconds, and keep how far that was.

        Nothing is kept any more once a destination was given up on: what it did not get is for the next run to send. What it refused for good is
        done, because it would refuse that again.
        """
        deadline = None if give_up_s is None else time.monotonic() + give_up_s
        while self._client is not None and not self._client.flush(FLUSH_S):
            if self._waiting() or (deadline is not None and time.monotonic() >= deadline):
                return False
        self._since_checkpoint = 0
        if self._client is None:
            return True
        if self._client.progress().held:
            return True  # what is held is nowhere yet: this place is not one to go on from
        if any(books.dropped.get(GAVE_UP) for books in self._client.stats().adapters.values()):
            return False
        self._seen.checkpoint(self._positions)
        return True

    def finish(self, give_up_s: float | None = None) -> bool:
        """Do what `checkpoint` does once there is nothing more to read: what is held is decided before."""
        if self._client is not None:
            self._client.decide_held()
        return self.checkpoint(give_up_s)

    def _wait_for_room(self) -> None:
        """Pause while too much waits: nothing is ever pushed out of the journal by reading too fast."""
        if self._client is None:
            return
        while True:
            stats = self._client.stats()
            queued = max((books.queued for books in stats.adapters.values()), default=0)
            if queued <= MOST_QUEUED and (stats.journal.bytes <= self._room_bytes or not queued):
                return
            if self._waiting():
                return
            time.sleep(PAUSE_S)
