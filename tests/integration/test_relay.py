"""`tracebridge relay` with a real Kafka: every encoding in, faults of destinations and members, and what is committed.

Three nodes, and brokers that are killed: `python -m benchmarks.faults.kafka`.
"""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.backends.kafka import Kafka
from support.cases import CASES
from support.http_server import RecordingServer
from support.kafka_topics import committed, create, delete, ends, make_topic, messages, produce
from support.zipkin_thrift import zipkin_thrift
from tracebridge import Client
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.relay.build import client_settings, relay_of
from tracebridge.relay.counts import RelayStats
from tracebridge.settings.load import load_settings
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.otlp import json as otlp_json
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import protobuf as zipkin_protobuf

pytestmark = pytest.mark.server
ATTRIBUTES = attributes_for("openinference", "tracebridge.trace_id")
QUEUE = {"sending_queue": {"flush_interval": "20ms"}, "retry_on_failure": {"max_interval": "200ms"}}


def configuration(kafka: Kafka, topic: str, group: str, adapters: dict[str, Any], **relay: Any) -> dict[str, Any]:
    """A whole configuration of a relay that commits often."""
    options = {"brokers": kafka.brokers, "topics": {topic: "auto"}, "group": group, "commit_interval": "100ms"}
    return {"adapters": adapters, "relay": {"kafka": {**options, "session_timeout": "6s", **relay}}}


def relayed(config: dict[str, Any], stop: Callable[[RelayStats], bool] | None = None) -> tuple[list[Any], RelayStats]:
    """What arrives in memory when a relay reads to the end, or until a picture of it says so; and its last picture."""
    settings = client_settings(load_settings(config))
    told: list[RelayStats] = []
    deadline = time.monotonic() + 120
    with Client(config=settings) as client:
        memory: Any = client.adapter("memory")
        relay = relay_of(
            settings,
            client,
            stop=lambda: time.monotonic() > deadline or (stop is not None and bool(told) and stop(told[-1])),
            until_end=stop is None,
        )
        stats = relay.run(told.append)
        assert time.monotonic() < deadline, "the relay did not come to its end"
        return list(memory.records), stats


def group() -> str:
    """A group that nothing else uses."""
    return uuid.uuid4().hex


def values(salt: str) -> dict[str, bytes]:
    """The same traces in every encoding that one of our writers has, and v1 as Zipkin's first clients wrote it."""
    records = [record for case in CASES for record in case.records(salt)]
    v1 = [{"traceId": f"{n:016x}", "id": "1", "name": "get", "timestamp": 1, "duration": 5} for n in range(1, 4)]
    for span in v1:
        span["annotations"] = [{"timestamp": 1, "value": "sr", "endpoint": {"serviceName": "shop"}}]
    return {
        "otlp_proto": otlp_protobuf.encode(records, ATTRIBUTES),
        "otlp_json": otlp_json.encode(records, ATTRIBUTES),
        "zipkin_proto": zipkin_protobuf.encode(records, ATTRIBUTES),
        "zipkin_json": zipkin_json.encode(records, ATTRIBUTES),
        "zipkin_json of v1": json.dumps(v1).encode(),
        "zipkin_thrift": struct.pack(">bi", 12, 1) + zipkin_thrift(),
    }


def test_every_encoding_arrives_as_its_reader_reads_it(kafka, salt):
    """Six encodings mixed on one topic, told by their bytes: every span once, every field unchanged."""
    topic, wanted = make_topic(kafka), []
    for name, value in values(salt).items():
        produce(kafka, topic, [value])
        wanted += load(FORMATS, name.partition(" ")[0])().decode(value).records
    records, stats = relayed(configuration(kafka, topic, group(), {"memory": QUEUE}))
    assert sorted(records, key=repr) == sorted(wanted, key=repr)
    assert (stats.messages, stats.dead_letters, stats.lag) == (6, {}, 0)


def spans(first: int, count: int) -> list[bytes]:
    """OTLP messages of two spans, each named by its number."""
    out = []
    for number in range(first, first + count):
        root, *_ = CASES[0].records(f"relay/{number}")
        child = root.__class__(
            root.trace_id, (number + 1).to_bytes(8), root.span_id, f"child {number}", 1, 2, resource=root.resource
        )
        out.append(otlp_protobuf.encode([root, child], ATTRIBUTES))
    return out


def numbers(records: list[Any]) -> list[int]:
    """The numbers of the spans that arrived."""
    return sorted(int(record.name.split()[1]) for record in records if record.name.startswith("child"))


def test_messages_without_spans_go_to_the_dead_letter_topic(kafka):
    """With their bytes, their key, their place and the reason; the good ones around them arrive, everything is committed."""
    topic, aside, name = make_topic(kafka, 1), make_topic(kafka, 1), group()
    bad = [b"hello", b"\x0a\x03abc", b'{"resourceSpans": [{"a"']
    produce(kafka, topic, [*spans(0, 2), *bad, *spans(2, 1)], key=b"a key")
    config = configuration(kafka, topic, name, {"memory": QUEUE}, dead_letter_topic=aside)
    records, stats = relayed(config)
    assert numbers(records) == [0, 1, 2]
    assert stats.dead_letters == {"unknown": 1, "unreadable": 2}
    assert committed(kafka, name, topic, 1) == {0: 6}
    found = messages(kafka, aside, lambda some: len(some) >= 3)
    assert [(message.value(), message.key()) for message in found] == [(value, b"a key") for value in bad]
    headers = [dict(message.headers()) for message in found]
    assert [header["__connect.errors.offset"] for header in headers] == [b"2", b"3", b"4"]
    assert {header["__connect.errors.topic"] for header in headers} == {topic.encode()}
    assert all(header["__connect.errors.exception.message"] for header in headers)


def test_a_second_run_goes_on_where_the_first_ended(kafka):
    """Nothing comes twice, nothing is left out."""
    topic, name = make_topic(kafka), group()
    produce(kafka, topic, spans(0, 50))
    first, _ = relayed(configuration(kafka, topic, name, {"memory": QUEUE}))
    produce(kafka, topic, spans(50, 50))
    second, _ = relayed(configuration(kafka, topic, name, {"memory": QUEUE}))
    assert (numbers(first), numbers(second)) == (list(range(50)), list(range(50, 100)))


class Running:
    """A relay in a process of its own, which writes what arrives into a file."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.out = folder / f"{uuid.uuid4().hex}.jsonl"
        adapters = {"otlp_file": {"path": str(self.out), **QUEUE}, **config["adapters"]}
        path = folder / "bridge.yaml"
        path.write_text(yaml.safe_dump({**config, "adapters": adapters}))
        self.status = folder / f"{self.out.name}.status"
        command = [
            str(Path(sys.executable).with_name("tracebridge")),
            "relay",
            "--config",
            str(path),
            "--status",
            str(self.status),
        ]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def wait(self, enough: Callable[[list[int], dict[str, Any]], bool]) -> None:
        """Wait until what arrived, and the figures, are enough; two minutes at most."""
        deadline = time.monotonic() + 120
        while not enough(self.numbers(), self.figures()):
            assert time.monotonic() < deadline, f"{len(self.numbers())} spans arrived; {self.figures()}"
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(0.1)

    def numbers(self) -> list[int]:
        """The numbers of the spans that arrived here."""
        if not self.out.exists():
            return []
        form = load(FORMATS, "otlp_json")()
        lines = self.out.read_bytes().splitlines(keepends=True)
        return numbers([record for line in lines if line.endswith(b"\n") for record in form.decode(line).records])

    def figures(self) -> dict[str, Any]:
        """What the relay last told of itself."""
        return json.loads(self.status.read_bytes()) if self.status.exists() else {}

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it with a signal; return its exit code and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


def test_sigterm_ends_a_relay_with_everything_that_arrived_committed(kafka, tmp_path):
    """Within its bound, with exit code 0; the next one reads the rest, and nothing twice."""
    topic, name = make_topic(kafka), group()
    produce(kafka, topic, spans(0, 300))
    relay = Running(tmp_path, configuration(kafka, topic, name, {}))
    relay.wait(lambda arrived, _: len(arrived) >= 300)
    began = time.monotonic()
    code, said = relay.end()
    assert (code, time.monotonic() - began < 40) == (0, True), said
    assert committed(kafka, name, topic) == ends(kafka, topic)
    produce(kafka, topic, spans(300, 20))
    rest, _ = relayed(configuration(kafka, topic, name, {"memory": QUEUE}))
    assert (relay.numbers(), numbers(rest)) == (list(range(300)), list(range(300, 320)))


def test_a_member_that_is_killed_loses_nothing(kafka, tmp_path):
    """`kill -9` in the middle: the next one begins at what was committed; doubles are of the window since only."""
    topic, name = make_topic(kafka), group()
    produce(kafka, topic, spans(0, 3_000))
    first = Running(tmp_path / "1", configuration(kafka, topic, name, {}, max_unsettled=500))
    first.wait(lambda arrived, _: len(arrived) >= 500)
    first.end(signal.SIGKILL)
    before = committed(kafka, name, topic)
    rest, stats = relayed(configuration(kafka, topic, name, {"memory": QUEUE}))
    times = Counter(first.numbers() + numbers(rest))
    assert set(times) == set(range(3_000))
    twice = sum(each > 1 for each in times.values())
    read_again = stats.messages - (3_000 - sum(before.values()))
    assert (read_again, max(times.values())) == (0, 2 if twice else 1)
    assert twice <= 3_000 - sum(before.values())
    assert committed(kafka, name, topic) == ends(kafka, topic)


def test_two_members_share_the_partitions_and_hand_over_without_doubles(kafka, tmp_path):
    """A second one takes some over; when the first ends, it has them all; every span arrives once."""
    topic, name = make_topic(kafka, 6), group()
    config = configuration(kafka, topic, name, {})
    one = Running(tmp_path / "1", config)
    produce(kafka, topic, spans(0, 300))
    one.wait(lambda arrived, _: len(arrived) == 300)
    two = Running(tmp_path / "2", config)
    two.wait(lambda _, figures: len(figures.get("partitions", {})) == 3)
    produce(kafka, topic, spans(300, 300))
    one.wait(lambda arrived, _: len(arrived) + len(two.numbers()) >= 600)
    assert one.end()[0] == 0
    two.wait(lambda _, figures: len(figures["partitions"]) == 6)
    produce(kafka, topic, spans(600, 300))
    two.wait(lambda arrived, _: len(arrived) + len(one.numbers()) >= 900)
    assert two.end()[0] == 0
    assert sorted(one.numbers() + two.numbers()) == list(range(900))
    assert committed(kafka, name, topic, 6) == ends(kafka, topic, 6)


def test_a_relay_of_another_configuration_in_the_group_is_told(kafka, tmp_path):
    """Each would deliver its own partitions only: half of the spans to one place, half to the other."""
    topic, name = make_topic(kafka), group()
    one = Running(tmp_path / "1", configuration(kafka, topic, name, {}))
    one.wait(lambda _, figures: len(figures.get("partitions", {})) == 3)
    two = Running(tmp_path / "2", configuration(kafka, topic, name, {"console": {}}))
    two.wait(lambda _, figures: "other_configuration" in figures.get("trouble", {}))
    _, said = two.end()
    one.end()
    assert f"group {name} has members of another configuration" in said


def test_a_destination_that_is_down_is_waited_for_and_the_group_keeps_the_member(kafka, tmp_path):
    """Nothing is committed, reading pauses at the window, lag grows; when it is well again, everything arrives once."""
    topic, name = make_topic(kafka), group()
    server = RecordingServer((503, "text/plain", b"not today"))
    zipkin = {"zipkin": {"endpoint": f"{server.url}/api/v2/spans", **QUEUE}}
    produce(kafka, topic, spans(0, 1_000))
    relay = Running(tmp_path, configuration(kafka, topic, name, zipkin, max_unsettled=400))
    try:
        relay.wait(lambda _, figures: figures.get("waiting_for") == "zipkin" and figures["lag"] == 1_000)
        assert (committed(kafka, name, topic), relay.figures()["spans"] < 1_000) == ({}, True)
        server.answer = (202, "text/plain", b"")
        relay.wait(lambda arrived, figures: len(arrived) == 1_000 and figures["lag"] == 0)
    finally:
        relay.end()
        server.stop()
    assert relay.numbers() == list(range(1_000))
    assert committed(kafka, name, topic) == ends(kafka, topic)


def test_a_topic_made_anew_with_fewer_partitions_is_read_from_its_start(kafka, tmp_path):
    """Offsets of the old one lie behind the end of the new one: the relay says so and reads on."""
    topic, name = make_topic(kafka, 3), group()
    produce(kafka, topic, spans(0, 200), partition=0)
    relay = Running(tmp_path, configuration(kafka, topic, name, {}))
    relay.wait(lambda arrived, figures: len(arrived) == 200 and figures["lag"] == 0)
    delete(kafka, topic)
    create(kafka, topic, 1)
    produce(kafka, topic, spans(200, 10))
    relay.wait(lambda arrived, _: len(arrived) == 210)
    code, said = relay.end()
    assert (code, relay.numbers()) == (0, list(range(210))), said


def test_sigterm_ends_a_relay_in_its_time_when_no_broker_answers(kafka, tmp_path):
    """Neither the last commit nor leaving the group is waited for beyond `lifecycle.shutdown_timeout` and two seconds."""
    topic, name = make_topic(kafka), group()
    produce(kafka, topic, spans(0, 50))
    config = configuration(kafka, topic, name, {}, commit_interval="60s")
    relay = Running(tmp_path, {**config, "lifecycle": {"shutdown_timeout": "1s"}})
    relay.wait(lambda arrived, _: len(arrived) >= 50)
    for node in kafka.nodes:
        node.process.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        code, said = relay.end()
        took = time.monotonic() - began
    finally:
        for node in kafka.nodes:
            node.process.signal(signal.SIGCONT)
    assert (code, "no answer within 1 s" in said) == (0, True), (
        said
    )  # to the last commit, or to leaving the group where there was nothing to commit
    assert took < 20, said  # the library alone waits for more than sixty
    assert relay.numbers() == list(range(50))
