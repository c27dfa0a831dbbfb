"""Datadog's own library, in a virtual environment of its own, reads the headers that we write and writes those that we read."""

from __future__ import annotations

import json
import os
import subprocess

from tracebridge import RemoteParent
from tracebridge.propagation.datadog import read, write

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CASES = [
    RemoteParent(TRACE, SPAN),
    RemoteParent("0" * 16 + TRACE[16:], SPAN, 0),
    RemoteParent("f" * 32, "f" * 16, debug=True),
    RemoteParent("0" * 15 + "1" + "0" * 15 + "1", "0" * 15 + "1"),
]
PROGRAM = """
import json, sys
from ddtrace.propagation.http import HTTPPropagator
from ddtrace.trace import Context
read, made = [], []
for headers in json.load(sys.stdin):
    found = HTTPPropagator.extract(headers)
    read.append([found.trace_id, found.span_id, found.sampling_priority])
    out = {}
    HTTPPropagator.inject(Context(trace_id=found.trace_id, span_id=found.span_id, sampling_priority=found.sampling_priority), out)
    made.append(out)
print(json.dumps([read, made]))
"""
SETTINGS = {
    "DD_TRACE_PROPAGATION_STYLE": "datadog",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_TRACE_ENABLED": "false",
}


def written(context: RemoteParent) -> dict[str, str]:
    """The headers that we write."""
    headers: dict[str, str] = {}
    write(context, headers)
    return headers


def test_ddtrace_reads_what_we_write_and_we_what_it_writes(ddtrace):
    """Traces of 64 and 128 bits, kept, dropped and asked for."""
    given = json.dumps([written(case) for case in CASES])
    done = subprocess.run(
        [ddtrace, "-c", PROGRAM], input=given, env={**os.environ, **SETTINGS}, capture_output=True, text=True, check=True, timeout=120
    )  # fmt: skip
    ids, headers = json.loads(done.stdout.splitlines()[-1])
    assert ids == [[int(c.trace_id, 16), int(c.span_id, 16), 2 if c.debug else c.flags] for c in CASES]
    assert [read(each) for each in headers] == [
        RemoteParent(c.trace_id, c.span_id, c.flags, format="datadog") for c in CASES
    ]
