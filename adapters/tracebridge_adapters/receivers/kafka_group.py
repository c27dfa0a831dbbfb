"""What one member of a Kafka group asks about the others, and about the ends of its partitions, without ever waiting for an answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tracebridge.plugins.receiver import Events, Partition

LOOK_EVERY_S = 5.0
SETTLED_S = 2.0  # after a change of the assignment, until the group is asked who is in it
ANSWER_S = 10.0


class Group:
    """The ends of partitions, and whether a relay of another configuration reads for the same group.

    A relay names its configuration's fingerprint behind its client ID, which brokers tell of each member.
    """

    def __init__(self, settings: Mapping[str, Any], group: str, fingerprint: str, start: str, events: Events) -> None:
        from confluent_kafka.admin import AdminClient

        from tracebridge_adapters.wires.kafka import LibraryLog

        self.ends: dict[Partition, int] = {}
        """The offset that the next message to be written will get, as known last."""
        self.begins: dict[Partition, int] = {}
        """Where a partition is begun of which the group has committed nothing."""
        hooks: dict[str, Any] = {"logger": LibraryLog}
        self._admin: Any = AdminClient({**settings, **hooks})
        self._group = group
        self._fingerprint = fingerprint
        self._start = start
        self._events = events
        self._offsets: list[tuple[dict[Partition, int], Partition, Any]] = []
        """What was asked for, and where each answer goes."""
        self._members: Any = None
        self._look_at = 0.0
        self._ask_at: float | None = None

    def at_end(self, partition: Partition, offset: int) -> None:
        """Note that a partition ends here."""
        self.ends[partition] = offset

    def changed(self) -> None:
        """Ask, when it is quiet, who is in the group, and for ends at once."""
        self._ask_at = time.monotonic() + SETTLED_S
        self._look_at = 0.0

    def forget(self, partitions: Sequence[Partition]) -> None:
        """These are another member's."""
        for partition in partitions:
            self.ends.pop(partition, None)
            self.begins.pop(partition, None)

    def look(self, partitions: Sequence[Partition], new: Sequence[Partition]) -> None:
        """Take answers that have come, and ask anew where it is time; `new` are those whose beginning matters, too."""
        now = time.monotonic()
        self._take_answers()
        if partitions and now >= self._look_at and not self._offsets:
            self._look_at = now + LOOK_EVERY_S
            self._ask(self.ends, partitions, "latest")
            self._ask(self.begins, [each for each in new if each not in self.begins], self._start)
        if self._ask_at is not None and now >= self._ask_at and self._members is None:
            self._ask_at = None
            asked = self._admin.describe_consumer_groups([self._group], request_timeout=ANSWER_S)
            self._members = asked[self._group]

    def _take_answers(self) -> None:
        waiting = []
        for into, partition, answer in self._offsets:
            if not answer.done():
                waiting.append((into, partition, answer))
            elif answer.exception() is None:
                into[partition] = answer.result().offset
        self._offsets = waiting
        if self._members is not None and self._members.done():
            if self._members.exception() is None:
                self._compare(self._members.result().members)
            self._members = None

    def _ask(self, into: dict[Partition, int], partitions: Sequence[Partition], which: str) -> None:
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        if not partitions:
            return
        wanted = {TopicPartition(*partition): getattr(OffsetSpec, which)() for partition in partitions}
        answers = self._admin.list_offsets(wanted, request_timeout=ANSWER_S)
        self._offsets += [(into, Partition(at.topic, at.partition), answer) for at, answer in answers.items()]

    def _compare(self, members: Sequence[Any]) -> None:
        """Tell of members whose client ID does not end with this configuration's fingerprint."""
        others = sorted(
            {member.client_id for member in members if not member.client_id.endswith(f"-{self._fingerprint}")}
        )
        self._events.trouble(
            "other_configuration",
            f"group {self._group} has members of another configuration ({', '.join(others)}): each delivers its own partitions only; "
            "give every relay of a group the same configuration"
            if others
            else "",
        )
