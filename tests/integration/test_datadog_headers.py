"""Datadog's own library, in a virtual environment of its own, reads the headers that we write and writes those that we read."""

from __future__ import annotations

import json
import os
import subprocess

from tracebridge import RemoteParent
from tracebridge.propagation.context import DatadogContext
from tracebridge.propagation.datadog import MAX_PASSED_ON, read, write

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CASES = [
    RemoteParent(TRACE, SPAN),
    RemoteParent("0" * 16 + TRACE[16:], SPAN, 0),
    RemoteParent("f" * 32, "f" * 16, debug=True),
    RemoteParent("0" * 15 + "1" + "0" * 15 + "1", "0" * 15 + "1"),
    RemoteParent(TRACE, SPAN, datadog=DatadogContext("2", "rum", "_dd.p.dm=-4,_dd.p.usr.id=YmF6NjQ=")),
    RemoteParent(TRACE, SPAN, 0, datadog=DatadogContext("-1", "synthetics-browser")),
    RemoteParent("0" * 16 + TRACE[16:], SPAN, datadog=DatadogContext("1", "", f"_dd.p.k={'v' * (MAX_PASSED_ON - 8)}")),
]
PROGRAM = """
import json, sys
from ddtrace.propagation.http import HTTPPropagator
read, made = [], []
for headers in json.load(sys.stdin):
    found = HTTPPropagator.extract(headers)
    tags = {key: value for key, value in found._meta.items() if key.startswith("_dd.p.") and key != "_dd.p.tid"}
    read.append([found.trace_id, found.span_id, found.sampling_priority, found.dd_origin, tags])
    out = {}
    HTTPPropagator.inject(found, out)
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


def priority(context: RemoteParent) -> int:
    """The priority that stands for a context."""
    if context.datadog is not None:
        return int(context.datadog.priority)
    return 2 if context.debug else context.flags


def said(context: RemoteParent) -> list[object]:
    """What Datadog's library is to make of a context."""
    told = context.datadog or DatadogContext()
    tags = dict(tag.split("=", 1) for tag in told.tags.split(",") if tag)
    ids = int(context.trace_id or "", 16), int(context.span_id or "", 16)
    return [*ids, priority(context), told.origin or None, tags]


def test_ddtrace_reads_what_we_write_and_we_what_it_writes(ddtrace):
    """Traces of 64 and 128 bits, kept, dropped and asked for, with an origin and tags of Datadog's own."""
    given = json.dumps([written(case) for case in CASES])
    done = subprocess.run(
        [ddtrace, "-c", PROGRAM], input=given, env={**os.environ, **SETTINGS}, capture_output=True, text=True, check=True, timeout=120
    )  # fmt: skip
    found, headers = json.loads(done.stdout.splitlines()[-1])
    assert found == [said(case) for case in CASES]
    assert [said(context) for each in headers if (context := read(each))] == [said(case) for case in CASES]
    assert [read(each).flags for each in headers] == [case.flags for case in CASES]
