#!/usr/bin/env bash
# OpenTelemetry for Python: the X-Ray propagator throws away the trace ID that an AWS load balancer made.
#
# Expected: an Application Load Balancer adds `X-Amzn-Trace-Id: Root=1-…` and no Parent, because it makes no span. The service joins that trace as its
#   first span, so that the ID in the balancer's access log is the ID of the trace.
# Happens: extract() wants Root and Parent and Sampled; without Parent, or with Sampled left out, it returns an empty context, and the service starts a trace
#   with an ID of its own.
# Why a user cares: the access log cannot be joined with the traces, for any request that entered through the load balancer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2 opentelemetry-propagator-aws-xray==1.0.2
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.propagators.aws import AwsXRayPropagator

ROOT = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"


def is_joined(header):
    context = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": header})
    return trace.get_current_span(context).get_span_context().trace_id == 0x4BF92F3577B34DA6A3CE929D0E0E4736


seen = {
    name: is_joined(header)
    for name, header in (
        ("Root, Parent, Sampled", f"{ROOT};Parent=00f067aa0ba902b7;Sampled=1"),
        ("Root", ROOT),
        ("Root, Sampled", f"{ROOT};Sampled=1"),
    )
}
print("version: opentelemetry-propagator-aws-xray", version("opentelemetry-propagator-aws-xray"))
print("behaviour: a header without Parent is thrown away, its trace ID too")
print(f"seen: trace joined: {seen}")
sys.exit(list(seen.values()) != [True, False, False])
PYTHON
