#!/usr/bin/env bash
# ddtrace: what its rate limiter keeps goes on with the threshold of the ratio alone, so that counts made from it are far too small.
#
# Expected: `th` in the tracestate member `ot` says with which probability a trace was kept; a reader counts it 1/p times. When the limiter
#   of DD_TRACE_RATE_LIMIT drops most of what the ratio kept, the probability of the rest is lower, or unknown, and `th` says so.
# Happens: a trace that the limiter drops loses its `th`, but one that it keeps goes on with the ratio's: at a rate of 0.1 each kept trace says
#   that it stands for 10 (`th:e666…`), however many the limiter has dropped.
# Why a user cares: a Collector's spanmetrics multiplies by `th` without asking. With the limiter at work, and its default is 100 a second,
#   request counts behind it are too low by the factor that the limiter dropped.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ddtrace==4.16.0
export DD_TRACE_SAMPLING_RULES='[{"sample_rate":0.1}]' DD_TRACE_RATE_LIMIT=5
export DD_INSTRUMENTATION_TELEMETRY_ENABLED=false DD_REMOTE_CONFIGURATION_ENABLED=false DD_TRACE_STARTUP_LOGS=false
"$work/venv/bin/python" - 2>/dev/null <<'PYTHON'
import logging
import os
import re

import ddtrace
from ddtrace.propagation.http import HTTPPropagator
from ddtrace.trace import tracer

logging.disable(logging.CRITICAL)
TRACES = 3000
kept, thresholds = 0, set()
for _ in range(TRACES):
    with tracer.trace("request") as span:
        headers = {}
        HTTPPropagator.inject(span.context, headers)
    if span.context.sampling_priority > 0:
        kept += 1
        thresholds.update(re.findall(r"th:([0-9a-f]+)", headers["tracestate"]) or ["none"])
counted = sum(kept / (1 - int(each.ljust(14, "0"), 16) / 2**56) for each in thresholds if each != "none")
print("version: ddtrace", ddtrace.__version__)
print("behaviour: what the rate limiter keeps carries the threshold of the ratio, as if nothing had been dropped after it")
print(f"seen: {TRACES} traces made, {kept} kept, thresholds of these {sorted(thresholds)}, which count as {counted:.0f}", flush=True)
os._exit(not (0 < kept < TRACES / 20 and thresholds == {"e6666666666668"}))  # do not wait for an agent
PYTHON
