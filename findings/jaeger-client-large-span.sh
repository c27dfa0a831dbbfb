#!/usr/bin/env bash
# jaeger-client for Python: a span that does not fit into a datagram disappears, and nothing is logged.
#
# Expected: a span above the size of a UDP datagram is cut, or the reporter logs that it could not be sent.
# Happens: a span with 100 logs of one kilobyte never reaches the agent. No line is logged at WARNING or above; a small span that is reported afterwards
#   arrives as usual.
# Why a user cares: long spans with many logs are those that somebody needs when something went wrong. In Jaeger their children stand
#   under a parent that does not exist.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q jaeger-client==4.8.0 six==1.17.0
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import os
import socket
from importlib.metadata import version

from jaeger_client import Config

said = []
handler = logging.Handler(logging.WARNING)
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger().addHandler(handler)
agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
agent.bind(("127.0.0.1", 0))
agent.settimeout(5)
config = Config(
    {
        "sampler": {"type": "const", "param": 1},
        "local_agent": {"reporting_host": "127.0.0.1", "reporting_port": agent.getsockname()[1]},
    },
    service_name="shop",
    validate=True,
)
tracer = config.new_tracer()


def arrived(name, logs):
    with tracer.start_span(name) as span:
        for _ in range(logs):
            span.log_kv({"event": "retry", "answer": "x" * 1000})
    try:
        return name.encode() in agent.recv(70_000)
    except TimeoutError:
        return False


seen = arrived("large", 100), arrived("small", 1)
print("version: jaeger-client", version("jaeger-client"))
print("behaviour: a span larger than a datagram is not sent, and nothing is logged")
print(f"seen: large span arrived: {seen[0]}; small span afterwards: {seen[1]}; log lines: {len(said)}", flush=True)
os._exit(not (seen == (False, True) and not said))
PYTHON
