#!/usr/bin/env bash
# OpenTelemetry for Python: the B3 header that says only "do not sample" is not obeyed.
#
# Expected: B3 allows a decision without IDs: `b3: 0` asks the receiver to start a trace that is not sampled; gateways send it for health checks
#   and for clients that opted out.
# Happens: without IDs there is no parent, so extract() returns an empty context, the decision is lost, and the default sampler samples the new trace.
#   The same holds for `X-B3-Sampled: 0` alone.
# Why a user cares: exactly the requests that somebody wanted to keep out fill the back-end.
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

tracer = TracerProvider().get_tracer("t")
sampled = {
    name: tracer.start_span("health", context=propagator.extract(headers)).get_span_context().trace_flags.sampled
    for name, propagator, headers in (
        ("b3: 0", B3SingleFormat(), {"b3": "0"}),
        ("X-B3-Sampled: 0", B3MultiFormat(), {"x-b3-sampled": "0"}),
    )
}
print("version: opentelemetry-propagator-b3", version("opentelemetry-propagator-b3"))
print("behaviour: a decision without IDs is lost, and the new trace is sampled")
print(f"seen: sampled after {sampled}")
sys.exit(list(sampled.values()) != [True, True])
PYTHON
