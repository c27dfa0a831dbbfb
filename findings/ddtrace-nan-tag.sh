#!/usr/bin/env bash
# ddtrace: a tag whose value is NaN or infinite is lost without a word.
#
# Expected: set_tag(key, number) keeps the number, as text where it cannot be a metric: that is what it does with integers beyond 64 bits, lists and None.
# Happens: for float("nan"), float("inf") and float("-inf") neither get_tag nor get_metric knows the key afterwards, nothing is logged, and nothing is raised.
# Why a user cares: a loss that became NaN, or a rate of division by zero, is just what one looks for in a trace, and a span without the tag looks like one
#   that never set it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ddtrace==4.16.0
export DD_TRACE_ENABLED=true DD_INSTRUMENTATION_TELEMETRY_ENABLED=false DD_REMOTE_CONFIGURATION_ENABLED=false DD_TRACE_STARTUP_LOGS=false
"$work/venv/bin/python" - <<'PYTHON'
import logging
import os
from importlib.metadata import version

said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("ddtrace").addHandler(handler)
from ddtrace.trace import tracer

span = tracer.start_span("training step", activate=False)
values = {"loss": float("nan"), "rate": float("inf"), "gain": float("-inf"), "step": 7, "wide": 2**70}
said.clear()
for key, value in values.items():
    span.set_tag(key, value)
seen = {key: (span.get_tag(key), span.get_metric(key)) for key in values}
print("version: ddtrace", version("ddtrace"))
print("behaviour: tags that are NaN or infinite are gone, with no word in the log")
print(f"seen: as (tag, metric): {seen}; log lines {said}", flush=True)
gone = (None, None)
expected = {"loss": gone, "rate": gone, "gain": gone, "step": (None, 7.0), "wide": (str(2**70), None)}
os._exit((seen, said) != (expected, []))  # its exit would wait for an agent that is not there
PYTHON
