"""Kafka of three nodes: brokers and relays are killed, topics and offsets change, and what arrives is counted.

    python -m benchmarks.faults.kafka                       all of it; about ten minutes
    python -m benchmarks.faults.kafka members --spans 40000

Spans have numbers, and count as arrived by what stands on the topic (read by opentelemetry-proto) or in the files that relays write (read by
the standard library). Exit status: 0 when every promise was kept, 1 when one was broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracebridge import Client

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.backends.kafka import Kafka, KafkaNode, start_kafka  # noqa: E402 - the tests' servers
from support.kafka_topics import create, delete, make_topic  # noqa: E402

TRACES = 500  # the spans of a run are of so many traces
PARTITIONS = 6
KILL_EVERY_S = 2.0
PATIENCE_S = 400.0
SPAN_NAME = "n"


@dataclass
class Row:
    """What came of one fault."""

    fault: str
    sent: int
    lost: int
    twice: int
    disordered: int
    note: str
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept."""


# ---------------------------------------------------------------------- in


def produce(
    kafka: Kafka,
    topic: str,
    count: int,
    *,
    rate: int = 0,
    first: int = 0,
    during: Callable[[int], None] = lambda _: None,
) -> None:
    """Trace so many numbered spans and deliver them by the `kafka` adapter; at most `rate` a second. Raises when one was not acknowledged."""
    adapter = {"brokers": kafka.brokers, "topic": topic, "timeout": "60s", "sending_queue": {"flush_interval": "50ms"}}
    with Client(config={"adapters": {"kafka": adapter}}) as client:
        began = time.monotonic()
        for number in range(count):
            during(number)
            root = client.start_trace(f"{SPAN_NAME}{first + number}", trace_id=f"{topic}-{number % TRACES}")
            client.end_trace(root.trace_id)
            if rate and number % 100 == 0:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
        if not client.flush(PATIENCE_S):
            raise RuntimeError(f"not acknowledged: {client.stats().adapters['kafka']}")


def on_topic(kafka: Kafka, topic: str, count: int) -> list[tuple[bytes, int]]:
    """Return (trace, number) of every span on the topic, each partition in its order."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": ",".join(kafka.brokers), "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[tuple[bytes, int]] = []
    quiet_at = time.monotonic() + 60
    while time.monotonic() < quiet_at:
        for message in consumer.consume(1000, 0.5):
            if message.error() is None:
                for resource in ExportTraceServiceRequest.FromString(message.value()).resource_spans:
                    found += [(s.trace_id, int(s.name[1:])) for scope in resource.scope_spans for s in scope.spans]
                quiet_at = time.monotonic() + (60 if len(found) < count else 5)
    consumer.close()
    return found


def judged(fault: str, sent: int, found: list[tuple[bytes, int]], note: str) -> Row:
    """Count what was lost, doubled and out of order within its trace."""
    times = Counter(number for _, number in found)
    last: dict[bytes, int] = {}
    disordered = 0
    for trace, number in found:
        disordered += number < last.get(trace, -1)
        last[trace] = max(number, last.get(trace, -1))
    row = Row(fault, sent, sent - len(times), sum(times.values()) - len(times), disordered, note)
    if row.lost:
        row.broken.append("lost")
    return row


# ---------------------------------------------------------------------- out


class Relays:
    """Relays in processes of their own, each of which writes what arrives into a file."""

    def __init__(self, kafka: Kafka, topic: str, **options: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tracebridge-relays-"))
        self.group = uuid.uuid4().hex
        self._options = {
            "brokers": kafka.brokers,
            "topics": {topic: "otlp_proto"},
            "group": self.group,
            "session_timeout": "6s",
            **options,
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self._made = 0
        self._out: dict[int, Path] = {}
        """By process: the file that it writes."""

    def start(self, place: str = "") -> None:
        """Start one more; one in the `place` of another that died has its partitions at once (static membership)."""
        self._made += 1
        out = self.folder / f"{self._made}.jsonl"
        config = self.folder / f"{self._made}.yaml"
        adapter = {"path": str(out), "sending_queue": {"flush_interval": "50ms"}}
        relay = {**self._options, "properties": {"group.instance.id": place} if place else {}}
        config.write_text(json.dumps({"adapters": {"otlp_file": adapter}, "relay": {"kafka": relay}}))
        command = [str(Path(sys.executable).with_name("tracebridge")), "relay", "--config", str(config)]
        log = (self.folder / f"{self._made}.log").open("wb")
        process = subprocess.Popen(command, stderr=log, stdout=log)
        self.running.append(process)
        self._out[process.pid] = out

    def end(self, which: int, number: int) -> int:
        """End one with a signal; return its exit code."""
        process = self.running.pop(which)
        process.send_signal(number)
        return process.wait(120)

    def wait_for_the_first_of(self, which: int, writer: threading.Thread) -> None:
        """Wait until spans arrived through this one, as long as any are written: one that ends as it starts shows little."""
        out = self._out[self.running[which].pid]
        while writer.is_alive() and not (out.exists() and out.stat().st_size):
            time.sleep(0.2)

    def arrived(self) -> list[tuple[bytes, int]]:
        """Return (trace, number) of every span that arrived, each file in its order."""
        found = []
        for path in self.folder.glob("*.jsonl"):
            for line in path.read_bytes().splitlines():
                with suppress(ValueError):  # the last line of one that was killed
                    for resource in json.loads(line)["resourceSpans"]:
                        spans = [span for scope in resource["scopeSpans"] for span in scope["spans"]]
                        found += [(span["traceId"].encode(), int(span["name"][1:])) for span in spans]
        return found

    def wait(self, count: int) -> list[tuple[bytes, int]]:
        """Wait until so many different spans arrived, and then until no more do."""
        deadline = time.monotonic() + PATIENCE_S
        before = -1
        while time.monotonic() < deadline:
            found = self.arrived()
            if len({number for _, number in found}) >= count and len(found) == before:
                return found
            before = len(found)
            time.sleep(2)
        return self.arrived()


@contextmanager
def relays(kafka: Kafka, topic: str, **options: Any) -> Iterator[Relays]:
    """Give a group of relays, none of which outlives the block."""
    group = Relays(kafka, topic, **options)
    try:
        yield group
    finally:
        while group.running:
            group.end(0, signal.SIGKILL)
        shutil.rmtree(group.folder, ignore_errors=True)


# ---------------------------------------------------------------------- the faults


def leader(kafka: Kafka, topic: str) -> KafkaNode:
    """Return the node that leads the topic's first partition."""
    from confluent_kafka.admin import AdminClient

    told = AdminClient({"bootstrap.servers": ",".join(kafka.brokers)}).list_topics(topic, timeout=60)
    number = told.topics[topic].partitions[0].leader
    return next(node for node in kafka.nodes if node.number == number)


def broker_killed(kafka: Kafka, spans: int) -> Row:
    """`kill -9` of the leader while messages are on their way; it comes back, is killed again, and comes back."""
    topic = make_topic(kafka, PARTITIONS)

    def during(number: int) -> None:
        if number in {spans // 3, 2 * spans // 3}:
            node = leader(kafka, topic)
            node.kill()
            threading.Timer(5, kafka.start, [node]).start()

    began = time.monotonic()
    produce(kafka, topic, spans, rate=2_000, during=during)
    row = judged(
        "broker `kill -9`, twice",
        spans,
        on_topic(kafka, topic, spans),
        f"acknowledged after {time.monotonic() - began:.0f} s",
    )
    row.broken += [what for what, many in (("doubled", row.twice), ("out of order", row.disordered)) if many]
    kafka.wait()
    return row


def leader_moved(kafka: Kafka, spans: int) -> Row:
    """The leader is shut down in order: its partitions move while messages are on their way."""
    topic = make_topic(kafka, PARTITIONS)

    def during(number: int) -> None:
        if number == spans // 2:
            node = leader(kafka, topic)
            assert node.process is not None
            node.process.signal(signal.SIGTERM)
            node.process.wait()
            threading.Timer(3, kafka.start, [node]).start()

    produce(kafka, topic, spans, rate=2_000, during=during)
    row = judged("leader moved (broker shut down)", spans, on_topic(kafka, topic, spans), "")
    row.broken += [what for what, many in (("doubled", row.twice), ("out of order", row.disordered)) if many]
    kafka.wait()
    return row


def too_few_in_sync(kafka: Kafka, spans: int) -> Row:
    """The topic asks for three replicas in sync, and one broker is away for ten seconds."""
    topic = make_topic(kafka, PARTITIONS, {"min.insync.replicas": "3"})

    def during(number: int) -> None:
        if number == spans // 2:
            node = kafka.nodes[-1]
            node.kill()
            threading.Timer(10, kafka.start, [node]).start()

    produce(kafka, topic, spans, rate=2_000, during=during)
    row = judged("fewer replicas in sync than asked, 10 s", spans, on_topic(kafka, topic, spans), "")
    row.broken += [what for what, many in (("doubled", row.twice), ("out of order", row.disordered)) if many]
    kafka.wait()
    return row


def members_killed(kafka: Kafka, spans: int) -> Row:
    """Two relays; every two seconds one dies by `kill -9`, and a new one starts in its place, while spans come in."""
    topic = make_topic(kafka, PARTITIONS)
    window = 2_000
    with relays(kafka, topic, max_unsettled=window, commit_interval="500ms") as group:
        for place in ("a", "b"):
            group.start(place)
        writer = threading.Thread(target=produce, args=(kafka, topic, spans), kwargs={"rate": 2_000})
        writer.start()
        kills, meanwhile = 0, 0
        while writer.is_alive() or len({number for _, number in group.arrived()}) < spans // 2:
            time.sleep(KILL_EVERY_S)
            group.end(0, signal.SIGKILL)
            group.start("ab"[kills % 2])
            kills += 1
            meanwhile = len(group.arrived())
        found = group.wait(spans)
    note = f"{kills} kills, {meanwhile:,} arrived between them; window of {window:,} spans each"
    row = judged("member `kill -9` every 2 s", spans, found, note)
    row.disordered = 0  # over several members there is no order to speak of
    if row.twice > kills * window:
        row.broken.append("doubled beyond the windows")
    return row


def members_replaced(kafka: Kafka, spans: int) -> Row:
    """The same with SIGTERM: a rolling restart."""
    topic = make_topic(kafka, PARTITIONS)
    with relays(kafka, topic) as group:
        group.start()
        group.start()
        writer = threading.Thread(target=produce, args=(kafka, topic, spans), kwargs={"rate": 2_000})
        writer.start()
        ends = []
        while writer.is_alive():
            time.sleep(2 * KILL_EVERY_S)
            group.wait_for_the_first_of(0, writer)
            ends.append(group.end(0, signal.SIGTERM))
            group.start()
        found = group.wait(spans)
    row = judged("member SIGTERM every 4 s", spans, found, f"{len(ends)} restarts, exit codes {sorted(set(ends))}")
    row.disordered = 0
    row.broken += ["doubled"] if row.twice else []
    row.broken += ["not ended in order"] if set(ends) != {0} else []
    return row


def topic_made_anew(kafka: Kafka, spans: int) -> Row:
    """Deleted, and made again with two partitions instead of six; a writer and a relay stay."""
    topic = make_topic(kafka, PARTITIONS)
    with relays(kafka, topic) as group:
        group.start()
        produce(kafka, topic, spans // 2)
        group.wait(spans // 2)
        delete(kafka, topic)
        create(kafka, topic, 2)
        produce(kafka, topic, spans - spans // 2, first=spans // 2)
        found = group.wait(spans)
    return judged("topic deleted and made anew, 6 → 2 partitions", spans, found, "")


def offsets_reset(kafka: Kafka, spans: int) -> Row:
    """The group's offsets are set back to the beginning while no relay runs."""
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
    from confluent_kafka.admin import AdminClient

    topic = make_topic(kafka, PARTITIONS)
    with relays(kafka, topic) as group:
        produce(kafka, topic, spans)
        group.start()
        group.wait(spans)
        group.end(0, signal.SIGTERM)
        back = ConsumerGroupTopicPartitions(group.group, [TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        admin = AdminClient({"bootstrap.servers": ",".join(kafka.brokers)})
        for done in admin.alter_consumer_group_offsets([back]).values():
            done.result()
        group.start()
        deadline = time.monotonic() + PATIENCE_S
        while len(group.arrived()) < 2 * spans and time.monotonic() < deadline:
            time.sleep(1)
        found = group.arrived()
    row = judged("offsets reset to the beginning", spans, found, "everything comes again, as asked")
    row.disordered = 0
    row.broken += [] if row.twice == spans else ["not read again"]
    return row


FAULTS: dict[str, tuple[Callable[[Kafka, int], Row], int]] = {
    "broker": (broker_killed, 20_000),
    "leader": (leader_moved, 20_000),
    "insync": (too_few_in_sync, 10_000),
    "members": (members_killed, 40_000),
    "restarts": (members_replaced, 40_000),
    "anew": (topic_made_anew, 2_000),
    "offsets": (offsets_reset, 5_000),
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults.kafka",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"default: all of {', '.join(FAULTS)}")
    parser.add_argument(
        "--spans", type=int, default=0, help="how many spans; default: what each fault is described with"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.faults if name not in FAULTS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    broken = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the brokers end, too
    kafka = start_kafka(3)
    try:
        print("| fault | spans | lost | twice | out of order | |\n|---|---|---|---|---|---|", flush=True)
        for name in arguments.faults or FAULTS:
            run, spans = FAULTS[name]
            row = run(kafka, arguments.spans or spans)
            said = "; ".join([row.note, *(f"BROKEN: {what}" for what in row.broken)]).strip("; ")
            print(
                f"| {row.fault} | {row.sent:,} | {row.lost:,} | {row.twice:,} | {row.disordered:,} | {said} |",
                flush=True,
            )
            broken |= bool(row.broken)
    finally:
        kafka.process.stop()
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
