#!/usr/bin/env bash
# confluent-kafka: the futures of an AdminClient fail when the client itself is not kept.
#
# Expected: `AdminClient(config).create_topics([...])` returns futures, and a future keeps alive what it needs, as a future of
#   concurrent.futures does; it ends with the broker's answer, or with a time-out when no broker can be reached.
# Happens: nothing refers to the client once the call has returned, so it is collected, and every future ends at once with
#   _DESTROY, "Handle is terminating". The same call with the client in a variable waits for the broker and ends with _TIMED_OUT here.
# Why a user cares: one-line set-up scripts and tests that make their topics fail with an error that sounds like a broker in trouble,
#   although no broker was asked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'PYTHON'
import socket
import sys

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

with socket.socket() as unused:  # a port of this machine at which nothing listens
    unused.bind(("127.0.0.1", 0))
    port = unused.getsockname()[1]
CONFIG = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}


def outcome(futures):
    try:
        futures["topic"].result()
    except confluent_kafka.KafkaException as error:
        return error.args[0].name()
    return "created"


def topics():
    return [NewTopic("topic", 1, 1)]


not_kept = outcome(AdminClient(CONFIG).create_topics(topics(), request_timeout=3))
admin = AdminClient(CONFIG)
kept = outcome(admin.create_topics(topics(), request_timeout=3))
print("version: confluent-kafka", confluent_kafka.version())
print("behaviour: futures of an AdminClient that nothing refers to end at once with _DESTROY")
print(f"seen: client not kept: {not_kept}; client kept: {kept}")
sys.exit((not_kept, kept) != ("_DESTROY", "_TIMED_OUT"))
PYTHON
