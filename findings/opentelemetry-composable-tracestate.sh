#!/usr/bin/env bash
# OpenTelemetry SDK for Python: with a composable sampler, every child of a remote parent loses the tracestate, other vendors' members included.
#
# Expected: W3C Trace Context asks a service to pass on the members of tracestate that it does not change. With ParentBased(ALWAYS_ON) they are.
#   A composable sampler also needs the member `ot` of the parent (`rv`, `th`) to come to the same decision as the service before.
# Happens: the tracer calls should_sample() without the parent's trace state, and uses the answer's as the child's. What the parent
#   carried is gone: the next service gets no tracestate, or only the `ot` that this sampler wrote.
# Why a user cares: behind a vendor's agent (Datadog, Dynatrace, AWS) its own member, by which it joins traces, ends at the first
#   OpenTelemetry service in Python; and the services of one trace no longer decide alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2
"$work/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace._sampling_experimental import composable_always_on, composable_parent_threshold, composite_sampler
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

CAME = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "vendor=abc,ot=rv:ffffffffffffff;th:8",
}
propagator = TraceContextTextMapPropagator()


def passed_on(sampler):
    """What the service after us gets."""
    tracer = TracerProvider(sampler=sampler).get_tracer("t")
    goes = {}
    with tracer.start_as_current_span("child", context=propagator.extract(CAME)):
        propagator.inject(goes)
    return goes.get("tracestate")


classic = passed_on(ParentBased(ALWAYS_ON))
composable = passed_on(composite_sampler(composable_parent_threshold(composable_always_on())))
print("version: opentelemetry-sdk", version("opentelemetry-sdk"))
print("behaviour: a child that a composable sampler samples has lost the tracestate of its remote parent")
print(f"seen: parent {CAME['tracestate']!r}; passed on with ParentBased {classic!r}, with a composable sampler {composable!r}")
sys.exit((classic, composable) != (CAME["tracestate"], None))
PYTHON
