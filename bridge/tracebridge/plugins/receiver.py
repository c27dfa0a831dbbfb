"""The contract of a receiver: where `tracebridge relay` reads messages that hold spans, such as a consumer group of Kafka.

A receiver enters by an entry point of the group `tracebridge.receivers` that names a class like `Receiver`; the configuration names it, with
its options, under `relay`:

    relay:
      kafka: {brokers: ["kafka-1:9092"], topics: {otlp_spans: auto}}

**Who calls.** The relay builds it, calls `open` once, and then everything else from the same thread; `receive` at least every few hundred
milliseconds, while reading is paused too, so that membership in a group is kept up. The receiver has no queue of its own beyond what its client
library fetches ahead, which it bounds.

**Who decides.** The receiver hands out messages and keeps their order within a partition. The relay decodes, delivers, and says with `commit`
up to where everything is settled. A receiver never commits by itself.

**Errors.** What passes by itself (no broker, a change of leader) is waited for in `receive`, which returns nothing meanwhile and tells with
`Events.trouble` what is the matter. `set_aside` raises `DeliveryError` when the dead letter is not safe: the relay stops reading and tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from tracebridge.plugins.examination import Found
from tracebridge.plugins.options import Duration, FilePath, option

AUTO = "auto"
"""The encoding of a topic whose messages say themselves what they are."""


@dataclass(frozen=True, kw_only=True)
class ReceiverOptions:
    """What every receiver's options start with: the relay reads these, the receiver does not."""

    max_unsettled: int = option(
        50_000,
        help="Most spans that were read and that not every destination has yet: reading pauses there, and so many at most come twice after a kill.",
        minimum=1,
    )
    commit_interval: Duration = option(
        1.0, help="How often what every destination has is committed.", minimum=0.01, maximum=60
    )
    dead_letter_file: FilePath | None = option(
        None, help="Keep messages that hold no spans in this file, one JSON object a line.", examples=["./unread.jsonl"]
    )


class Partition(NamedTuple):
    """A numbered part of a topic, within which messages have an order."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


class Message(NamedTuple):
    """One message."""

    partition: Partition
    offset: int
    value: bytes | None
    """What it holds; None for a message without a value."""
    key: bytes | None
    encoding: str
    """A name of `tracebridge.formats`, or `auto`."""


class Progress(NamedTuple):
    """How far one partition is."""

    position: int
    """The offset of the next message to be read."""
    end: int
    """The offset that the next message to be written will get."""


class Events(Protocol):
    """What a receiver tells the relay, from within `receive` and `close`."""

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These partitions are this member's now; their messages follow, from what was committed last."""
        ...

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """These are about to be another member's: the relay waits for deliveries, for a bounded time, and commits what is settled."""
        ...

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another member's already: nothing of them can be committed any more."""
        ...

    def trouble(self, kind: str, message: str) -> None:
        """Something is the matter. `kind` is one of few words; the first of each is logged. An empty message says that it is over."""
        ...


@runtime_checkable
class ExaminableReceiver(Protocol):
    """A receiver that `tracebridge doctor` can ask whether all is there that the relay needs."""

    def examine(self, trouble_with: Callable[[Message], str]) -> Iterator[Found]:
        """Yield what there is to see, without joining a group, committing or writing. `open` was not called, and will not be.

        `trouble_with` says why the relay could not read a message; empty when it can.
        """
        ...


class Receiver(Protocol):
    """Reads messages from one system. One that needs packages of an extra says so in `needs`, as adapters do."""

    Options: ClassVar[type[Any]]
    """The receiver's options: a frozen dataclass that derives from `ReceiverOptions`."""

    def __init__(self, options: Any) -> None:
        """Build from an instance of `Options`. No network, no thread."""
        ...

    def open(self, events: Events, fingerprint: str) -> None:
        """Begin to read. `fingerprint` tells relays of one configuration from others that read for the same group."""
        ...

    def receive(self, timeout_s: float) -> Sequence[Message]:
        """Return messages, waiting at most so long for the first; none while paused."""
        ...

    def pause(self) -> None:
        """Return no messages until `resume`, for partitions that are assigned meanwhile either. May be called twice."""
        ...

    def resume(self) -> None:
        """Go on after `pause`. May be called twice."""
        ...

    def commit(self, offsets: Mapping[Partition, int], *, wait_s: float) -> None:
        """Commit that everything below these offsets is settled; wait at most so long for the answer. A failure is told by `Events.trouble`."""
        ...

    def set_aside(self, message: Message, reason: str) -> bool:
        """Keep a message that holds no spans where the options say, with its place and the reason; return whether there is such a place.

        Raises DeliveryError when it is not safe there.
        """
        ...

    def progress(self) -> Mapping[Partition, Progress]:
        """Return how far each partition is, as known just now; cheap, and no waiting for a network."""
        ...

    def close(self, timeout_s: float) -> None:
        """Leave the group, within at most so long, whether or not it can be reached. `Events.revoked` may be called once more."""
        ...
