#!/usr/bin/env bash
# OpenTelemetry for Python: the Jaeger propagator marks every sampled trace that it passes on as a debug trace.
#
# Expected: in `uber-trace-id` the flag 1 says "sampled" and the flag 2 says "debug". A context that came in with flags 1 goes out with flags 1.
# Happens: inject() writes flags 03 for every sampled span, whatever came in: sampled and debug.
# Why a user cares: debug is the request to keep a trace in spite of all samplers. Jaeger clients behind such a service then sample everything, and in
#   Jaeger a search for traces that somebody marked for debugging finds all of them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2 opentelemetry-propagator-jaeger==1.45.1
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.sdk.trace import TracerProvider

CAME = "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1"
propagator = JaegerPropagator()
tracer = TracerProvider().get_tracer("t")
goes = {}
with tracer.start_as_current_span("request", context=propagator.extract({"uber-trace-id": CAME})):
    propagator.inject(goes)
flags = int(goes["uber-trace-id"].rpartition(":")[2], 16)
print("version: opentelemetry-propagator-jaeger", version("opentelemetry-propagator-jaeger"))
print("behaviour: flags 1 (sampled) come in, flags 3 (sampled and debug) go out")
print(f"seen: flags in 1, flags out {flags}")
sys.exit(flags != 3)
PYTHON
