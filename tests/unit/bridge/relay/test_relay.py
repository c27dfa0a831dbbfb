"""The relay over a receiver that is a list: room, commits, dead letters, revocations. Kafka itself is in tests/integration/test_relay.py."""

from __future__ import annotations

import base64
import json
import logging
import stat
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from support.cases import CASES
from tracebridge import Client
from tracebridge.errors import Retryable
from tracebridge.plugins.adapter import Sent
from tracebridge.plugins.receiver import AUTO, Events, Message, Partition, Progress, ReceiverOptions
from tracebridge.relay.relay import Relay
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf

ATTRIBUTES = attributes_for("openinference", "tracebridge.trace_id")
ONE, TWO = Partition("spans", 0), Partition("spans", 1)


def body(number: int, spans: int = 1) -> bytes:
    """A message of so many spans, each of its own trace."""
    records = [CASES[0].records(f"{number}/{span}")[0] for span in range(spans)]
    return otlp_protobuf.encode(records, ATTRIBUTES)


class ListReceiver:
    """Hands out lists of values, a few at a time, and keeps what the relay says."""

    Options: ClassVar[type[Any]] = ReceiverOptions

    def __init__(self, values: Mapping[Partition, Sequence[bytes | None]], at_once: int = 3) -> None:
        self.values = values
        self.at_once = at_once
        self.positions = dict.fromkeys(values, 0)
        self.paused = False
        self.pauses = 0
        self.received_while_paused = 0
        self.commits: list[dict[Partition, int]] = []
        self.aside: list[tuple[Message, str]] = []
        self.refuse_aside = 0
        self.has_place = True
        self.on_receive: Callable[[ListReceiver], None] = lambda _: None
        self.events: Events
        self.closed = False

    def open(self, events: Events, fingerprint: str) -> None:
        self.events = events
        events.assigned(list(self.values))

    def receive(self, timeout_s: float) -> list[Message]:
        self.on_receive(self)
        if self.paused:
            self.received_while_paused += 1
            return []
        out = []
        for partition, values in self.values.items():
            at = self.positions.get(partition)
            if at is not None:
                some = values[at : at + self.at_once]
                out += [Message(partition, at + n, value, b"key", AUTO) for n, value in enumerate(some)]
                self.positions[partition] = at + len(some)
        return out

    def pause(self) -> None:
        self.pauses += not self.paused
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def commit(self, offsets: Mapping[Partition, int], *, wait_s: float) -> None:
        self.commits.append(dict(offsets))

    def set_aside(self, message: Message, reason: str) -> bool:
        if self.refuse_aside:
            self.refuse_aside -= 1
            raise Retryable("the topic is not there")
        self.aside.append((message, reason))
        return self.has_place

    def progress(self) -> dict[Partition, Progress]:
        return {each: Progress(at, len(self.values[each])) for each, at in self.positions.items()}

    def close(self, timeout_s: float) -> None:
        self.closed = True
        self.events.revoked(list(self.positions))

    @property
    def committed(self) -> dict[Partition, int]:
        """The last word on each partition."""
        out: dict[Partition, int] = defaultdict(int)
        for commit in self.commits:
            out.update(commit)
        return dict(out)


def client(**options: Any) -> Client:
    """A client that delivers into memory at once."""
    return Client(config={"adapters": {"memory": {"sending_queue": {"flush_interval": "10ms"}, **options}}})


def relay(
    receiver: ListReceiver, client: Client | None, stop: Callable[[], bool] = lambda: False, **more: Any
) -> Relay:
    """A relay that ends with the lists."""
    options = ReceiverOptions(**{"commit_interval": 0.01, **more.pop("options", {})})
    return Relay(
        receiver, client, options, trace_id_attribute="tracebridge.trace_id", journal_bytes=more.pop("journal_bytes", 2**26),
        fingerprint="f", stop=stop, shutdown_s=30.0, until_end=more.pop("until_end", True),
    )  # fmt: skip


def names(client: Client) -> list[bytes]:
    """The trace IDs that arrived, in order."""
    memory: Any = client.adapter("memory")
    return [record.trace_id for record in memory.records]


def test_every_message_arrives_and_is_committed():
    """Both partitions, to their ends."""
    receiver = ListReceiver({ONE: [body(n) for n in range(10)], TWO: [body(100 + n, 3) for n in range(5)]})
    with client() as into:
        stats = relay(receiver, into).run(lambda _: None)
        assert (stats.messages, stats.spans, stats.unsettled, stats.lag) == (15, 25, 0, 0)
        assert len(set(names(into))) == 25
    assert receiver.committed == {ONE: 10, TWO: 5}
    assert receiver.closed


class Refusing:
    """Makes a memory adapter refuse until it is told otherwise."""

    def __init__(self, client: Client) -> None:
        memory: Any = client.adapter("memory")
        self.well, self._send = False, memory.send
        memory.send = self.send

    def send(self, data: bytes, spans: int) -> Sent:
        if not self.well:
            raise Retryable("not today")
        sent: Sent = self._send(data, spans)
        return sent


def test_while_a_destination_is_down_reading_pauses_and_nothing_is_committed():
    """The receiver is asked on, so that the group keeps this member; then everything arrives."""
    receiver = ListReceiver({ONE: [body(n, 10) for n in range(100)]})
    with client(retry_on_failure={"initial_interval": "10ms", "max_interval": "10ms"}) as into:
        refusing = Refusing(into)
        seen: list[Any] = []

        def look(receiver: ListReceiver) -> None:
            if receiver.received_while_paused == 3 and not refusing.well:
                seen.append((receiver.commits[:], receiver.positions[ONE] < 100, at_work.stats().waiting_for))
                refusing.well = True

        receiver.on_receive = look
        at_work = relay(receiver, into, options={"max_unsettled": 200})
        at_work.run(lambda _: None)
        assert len(set(names(into))) == 1_000
        assert len(names(into)) == 1_000
    assert seen == [([], True, "memory")]
    assert receiver.committed == {ONE: 100}


def test_one_enormous_message_pushes_nothing_out_of_a_small_journal():
    """It goes in piece by piece, as there is room."""
    receiver = ListReceiver({ONE: [body(0, 5_000)]})
    settings = {
        "adapters": {"memory": {"sending_queue": {"flush_interval": "0s", "max_batch": 100}}},
        "journal": {"max_bytes": "64KiB"},
    }
    with Client(config=settings) as into:
        relay(receiver, into, journal_bytes=64 * 1024).run(lambda _: None)
        assert len(set(names(into))) == 5_000
        assert into.stats().adapters["memory"].dropped == {}
    assert receiver.pauses > 0


def test_messages_without_spans_are_kept_with_their_reason_and_told_once_a_kind(caplog):
    """The others arrive; a bad one never stops a partition."""
    receiver = ListReceiver({ONE: [body(0), b"junk", b"more junk", None, body(1), b"\x0a\x03abc"]})
    with client() as into, caplog.at_level(logging.WARNING, "tracebridge.relay"):
        stats = relay(receiver, into).run(lambda _: None)
        assert len(names(into)) == 2
    assert stats.dead_letters == {"unknown": 2, "empty": 1, "unreadable": 1}
    assert [(message.offset, bool(reason)) for message, reason in receiver.aside] == [(n, True) for n in (1, 2, 3, 5)]
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(" holds")[0] for text in told] == [f"spans/0 offset {n}" for n in (1, 3, 5)]
    assert receiver.committed == {ONE: 6}


def test_spans_beside_one_that_cannot_be_read_arrive_and_the_message_is_kept():
    """Nothing of it is lost: the good spans are delivered, the message is a dead letter, too."""
    good = json.dumps({"traceId": "0af7651916cd43dd8448eb211c80319c", "id": "b7ad6b7169203331", "name": "get"})
    receiver = ListReceiver({ONE: [f'[{good}, {{"traceId": "x", "id": "y"}}]'.encode()]})
    with client() as into:
        stats = relay(receiver, into).run(lambda _: None)
        assert len(names(into)) == 1
    assert stats.dead_letters == {"damaged": 1}
    assert receiver.aside[0][1].startswith("1 spans cannot be read")


def test_a_dead_letter_that_cannot_be_kept_is_waited_for():
    """It is not passed over, and not committed before it is safe."""
    receiver = ListReceiver({ONE: [b"junk", body(0)]})
    receiver.refuse_aside = 2
    with client() as into:
        stats = relay(receiver, into).run(lambda _: None)
        assert len(names(into)) == 1
    assert [message.offset for message, _ in receiver.aside] == [0]
    assert (stats.trouble, receiver.received_while_paused) == ({}, 2)


def test_the_dead_letter_file_has_each_message_and_its_place(tmp_path: Path):
    """One JSON object a line, the bytes in base64, for the owner alone."""
    path = tmp_path / "unread.jsonl"
    receiver = ListReceiver({TWO: [b"\xffjunk", None]})
    receiver.has_place = False
    with client() as into:
        relay(receiver, into, options={"dead_letter_file": str(path)}).run(lambda _: None)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [(line["topic"], line["partition"], line["offset"], line["value"]) for line in lines]
    assert told == [("spans", 1, 0, base64.b64encode(b"\xffjunk").decode()), ("spans", 1, 1, None)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_dead_letter_file_that_cannot_be_written_stops_reading(tmp_path: Path):
    """The message stays uncommitted until somebody makes room."""
    folder = tmp_path / "not-yet"
    receiver = ListReceiver({ONE: [b"junk"]})

    def look(receiver: ListReceiver) -> None:
        if receiver.received_while_paused == 1:
            assert receiver.commits == []
            folder.mkdir()

    receiver.on_receive = look
    with client() as into:
        relay(receiver, into, options={"dead_letter_file": str(folder / "unread.jsonl")}).run(lambda _: None)
    assert receiver.committed == {ONE: 1}


def test_what_is_revoked_is_settled_and_committed_first():
    """And what was read of it and not taken is left to its next owner."""
    receiver = ListReceiver({ONE: [body(n) for n in range(50)], TWO: [body(100 + n) for n in range(5)]})

    def look(receiver: ListReceiver) -> None:
        if receiver.positions.get(ONE) == 9:
            receiver.events.revoked([ONE])
            seen.append(dict(receiver.committed))
            del receiver.positions[ONE]

    seen: list[dict[Partition, int]] = []
    receiver.on_receive = look
    with client() as into:
        relay(receiver, into).run(lambda _: None)
        assert len(names(into)) == 14
    assert [each[ONE] for each in seen] == [9]
    assert receiver.committed == {ONE: 9, TWO: 5}


def test_what_is_lost_is_not_committed(caplog):
    """Another member has it already."""
    receiver = ListReceiver({ONE: [body(n) for n in range(9)], TWO: [body(100 + n) for n in range(9)]})

    def look(receiver: ListReceiver) -> None:
        if receiver.positions.get(ONE) == 3:
            receiver.commits.clear()
            receiver.events.lost([ONE])
            del receiver.positions[ONE]

    receiver.on_receive = look
    with client() as into:
        stats = relay(receiver, into).run(lambda _: None)
    assert receiver.committed == {TWO: 9}
    assert list(stats.trouble) == ["partitions_lost"]


def test_a_stop_ends_with_what_was_read_settled_and_committed():
    """What was received and not taken yet is not committed: nobody has it."""
    receiver = ListReceiver({ONE: [body(n) for n in range(1_000)]})
    with client() as into:
        stats = relay(receiver, into, stop=lambda: receiver.positions[ONE] >= 300).run(lambda _: None)
        assert receiver.committed == {ONE: stats.messages}
        assert len(names(into)) == stats.messages < 1_000


def test_a_dry_run_reads_and_counts_and_changes_nothing():
    """No delivery, no commit, no dead letter written."""
    receiver = ListReceiver({ONE: [body(n, 2) for n in range(10)] + [b"junk"]})
    stats = relay(receiver, None).run(lambda _: None)
    assert (stats.messages, stats.spans, stats.dead_letters) == (11, 20, {"unknown": 1})
    assert (receiver.commits, receiver.aside) == ([], [])


def test_a_topic_created_anew_is_told_and_read_from_its_start(caplog):
    """Offsets go back: what they meant before is not committed to the new topic."""
    receiver = ListReceiver({ONE: [body(n) for n in range(6)]})

    def look(receiver: ListReceiver) -> None:
        if receiver.positions[ONE] == 6 and not anew:
            anew.append(True)
            receiver.values = {ONE: [body(100), body(101)]}
            receiver.positions[ONE] = 0

    anew: list[bool] = []
    receiver.on_receive = look
    with client() as into:
        at_work = relay(receiver, into, stop=lambda: bool(anew) and receiver.committed == {ONE: 2}, until_end=False)
        stats = at_work.run(lambda _: None)
        assert len(names(into)) == 8
    assert list(stats.trouble) == ["offsets_went_back"]


def test_a_topic_created_anew_is_told_within_one_look_at_it():
    """Messages of the old and the new topic come together: those of the new one are committed, by their own offsets."""
    receiver = ListReceiver({ONE: [body(n) for n in range(6)]}, at_once=6)
    receive = receiver.receive

    def both(timeout_s: float) -> list[Message]:
        old = receive(timeout_s)
        return old + [Message(ONE, n, body(100 + n), b"key", AUTO) for n in range(2)] if old else []

    receiver.receive = both
    with client() as into:
        stats = relay(receiver, into, stop=lambda: receiver.committed == {ONE: 2}, until_end=False).run(lambda _: None)
        assert len(names(into)) == 8
    assert (stats.messages, list(stats.trouble)) == (8, ["offsets_went_back"])
    assert stats.partitions["spans/0"].committed == 2


@pytest.mark.parametrize("kind", ["commit", "connection"])
def test_trouble_that_is_over_is_forgotten_and_may_be_told_again(kind, caplog):
    """Once a time, not once a second."""
    at_work = relay(ListReceiver({}), None)
    with caplog.at_level(logging.WARNING, "tracebridge.relay"):
        for message in ("refused", "refused", "", "refused"):
            at_work.trouble(kind, message)
    assert [record.getMessage() for record in caplog.records] == ["refused", "refused"]


def test_a_message_is_not_committed_while_its_spans_are_held():
    """With tail sampling a kill must not lose what waits for its trace; once it was decided about and delivered it is committed."""
    child = CASES[0].records("held")[0]
    child = child.__class__(child.trace_id, b"c" * 8, b"p" * 8, "child", 1, 2, resource=child.resource)
    receiver = ListReceiver({ONE: [body(1), otlp_protobuf.encode([child], ATTRIBUTES), body(2)]}, at_once=1)
    seen: list[tuple[int, dict[Partition, int]]] = []
    settings = {
        "adapters": {"memory": {"sending_queue": {"flush_interval": "1ms"}}},
        "sampling": {"keep": {"errors": True, "wait": "1s"}},
    }
    with Client(config=settings) as into:
        receiver.on_receive = lambda receiver: seen.append((into.progress().held, receiver.committed))
        at_work = relay(receiver, into)
        at_work.run(lambda _: None)
    meanwhile = [committed.get(ONE, 0) for held, committed in seen if held]
    assert (max(meanwhile), len(meanwhile) > 1) == (1, True)
    assert receiver.committed == {ONE: 3}
