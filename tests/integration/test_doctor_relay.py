"""`tracebridge doctor` at what a relay reads: a real Kafka, right and wrong in the ways that happen."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from support.backends.kafka import STRANGER, WRITER, Kafka
from support.backends.process import free_ports
from support.cases import CASES
from support.commands import CliRunner
from support.kafka_topics import committed, make_topic, produce
from tracebridge.cli import main
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf

pytestmark = pytest.mark.server
BODY = otlp_protobuf.encode(CASES[0].records("doctor"), attributes_for("openinference", "tracebridge.trace_id"))


def doctor(tmp_path: Path, kafka: Kafka, topics: dict[str, str], **options: Any) -> tuple[int, dict[str, Any]]:
    """Run the command; its exit code, and what it found of the relay, by name."""
    relay = {"brokers": kafka.brokers, "topics": topics, "group": uuid.uuid4().hex, **options}
    path = tmp_path / "relay.yaml"
    path.write_text(json.dumps({"adapters": {"memory": {}}, "relay": {"kafka": relay}}))
    result = CliRunner().invoke(main, ["doctor", "--config", str(path), "--json"])
    assert "no-such-password" not in result.stdout
    return result.exit_code, {
        each["name"]: each for each in json.loads(result.stdout)["destinations"] if each["name"].startswith("relay ")
    }


def test_what_is_well_is_told_and_nothing_is_committed(kafka, tmp_path):
    """A topic with spans, one without a message yet, and one for dead letters; the group stays as it was."""
    spans, empty, aside, group = make_topic(kafka), make_topic(kafka), make_topic(kafka, 1), uuid.uuid4().hex
    produce(kafka, spans, [BODY] * 9)
    code, found = doctor(tmp_path, kafka, {spans: "auto", empty: "otlp_proto"}, group=group, dead_letter_topic=aside)
    said = {name: (each["healthy"], [step["detail"] for step in each["steps"]][-1]) for name, each in found.items()}
    first = said.pop("relay kafka")
    topic = said.pop(f"relay topic {spans}")
    assert said.pop(f"relay group {group}") in {(True, "is not there yet"), (True, "has 0 members now")}
    assert (code, first[0], topic[0]) == (0, True, True)
    assert topic[1].startswith("3 partitions, ")
    assert topic[1].endswith("newest messages can be read")
    assert said == {
        f"relay topic {empty}": (True, "3 partitions, no message yet"),
        f"relay dead-letter topic {aside}": (True, "1 partitions, may be written"),
    }
    assert committed(kafka, group, spans) == {}


def test_each_thing_that_is_wrong_is_told_by_itself(kafka, tmp_path):
    """A missing topic, messages that are no spans, a dead-letter topic that is not there: the rest is looked at all the same."""
    junk, missing, aside = make_topic(kafka, 1), f"missing-{uuid.uuid4().hex}", f"missing-{uuid.uuid4().hex}"
    produce(kafka, junk, [b"hello"])
    code, found = doctor(tmp_path, kafka, {missing: "auto", junk: "otlp_proto"}, dead_letter_topic=aside)
    problems = {name: each["problem"] for name, each in found.items() if each["problem"]}
    assert code == 1
    assert {name: problem["cause"] for name, problem in problems.items()} == {
        f"relay topic {missing}": "target",
        f"relay topic {junk}": "wrong-encoding",
        f"relay dead-letter topic {aside}": "target",
    }
    assert problems[f"relay topic {missing}"]["advice"] == "create the topic, or check its name"
    assert "(partition 0, offset 0) cannot be read as otlp_proto" in problems[f"relay topic {junk}"]["message"]


def test_an_account_without_rights_is_told_each_right_that_it_lacks(kafka, tmp_path):
    """To read the group and the topic, and to write dead letters."""
    topic, aside = make_topic(kafka, 1), make_topic(kafka, 1)
    produce(kafka, topic, [BODY])
    sasl = {"username": STRANGER[0], "password": STRANGER[1]}
    code, found = doctor(
        tmp_path, kafka, {topic: "auto"}, brokers=kafka.password_brokers, sasl=sasl, dead_letter_topic=aside
    )
    advice = [each["problem"]["advice"] for name, each in found.items() if name != "relay kafka"]
    assert code == 1
    assert advice == ["grant Read on the group", "grant Read on the topic", "grant Write on it"]
    assert all("AUTHORIZATION_FAILED" in each["problem"]["message"] for each in found.values() if each["problem"])


def test_a_wrong_password_and_a_port_that_nothing_listens_at_are_told_apart(kafka, tmp_path):
    """The one by what the brokers say, the other before anything is said."""
    sasl = {"username": WRITER[0], "password": "no-such-password"}
    _, found = doctor(tmp_path, kafka, {"spans": "auto"}, brokers=kafka.password_brokers, sasl=sasl)
    assert found["relay brokers"]["problem"]["cause"] == "credentials"
    (port,) = free_ports(1)
    code, found = doctor(tmp_path, kafka, {"spans": "auto"}, brokers=[f"127.0.0.1:{port}"])
    assert (code, list(found), found["relay kafka"]["problem"]["cause"]) == (1, ["relay kafka"], "refused")
