#!/usr/bin/env bash
# OpenTelemetry for Python: B3 without a sampling state means "sampled" in one header and "not sampled" in several.
#
# Expected: B3 leaves the state out when the caller leaves the decision to the receiver ("defer"); it can be left out in both of its forms, and a
#   receiver treats both alike.
# Happens: `b3: TRACE-SPAN` is extracted as sampled and goes on as `…-1`; `X-B3-TraceId` with `X-B3-SpanId` is extracted as not sampled, and goes on with
#   `X-B3-Sampled: 0`. A parent-based sampler, the default, obeys both.
# Why a user cares: behind a proxy that makes IDs and defers, every span of the service is dropped with the one form and every span kept with the
#   other; changing the form of the headers changes the bill, or empties the back-end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2 opentelemetry-propagator-b3==1.45.1
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.sdk.trace import TracerProvider

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
tracer = TracerProvider().get_tracer("t")


def is_recorded(propagator, headers):
    return tracer.start_span("request", context=propagator.extract(headers)).is_recording()


single = is_recorded(B3SingleFormat(), {"b3": f"{TRACE}-{SPAN}"})
several = is_recorded(B3MultiFormat(), {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN})
print("version: opentelemetry-propagator-b3", version("opentelemetry-propagator-b3"))
print("behaviour: with the decision left out, one b3 header means sampled and several headers mean not sampled")
print(f"seen: span recorded after one header: {single}; after several: {several}")
sys.exit((single, several) != (True, False))
PYTHON
