#!/usr/bin/env bash
# OpenTelemetry SDK for Python: a ratio sampler keeps no trace at all, or every trace, when trace IDs are UUIDs of version 4.
#
# Expected: a UUIDv4 is a valid W3C trace ID with 122 random bits, so TraceIdRatioBased(0.5) keeps about half of such traces.
# Happens: the sampler compares the low 64 bits of the ID with ratio * 2^64 and keeps the smaller ones. The first two of these bits hold the
#   UUID's variant and are always 1 and 0, so no ID is below one half and each is below three quarters: 0 % is kept up to a ratio of 0.5,
#   40 % at 0.6, 100 % from 0.75 on. An ID generator that draws random numbers gets the ratio that was asked for.
# Why a user cares: request IDs are often UUIDs. Who uses them as trace IDs and samples 10 % sees an empty back-end, without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2
"$work/venv/bin/python" - <<'PYTHON'
import random
import sys
import uuid
from importlib.metadata import version

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

TRACES = 2000
random.seed(7)


class UuidGenerator(RandomIdGenerator):
    def generate_trace_id(self):
        return uuid.UUID(int=random.getrandbits(128), version=4).int


def percent_kept(generator, ratio):
    tracer = TracerProvider(id_generator=generator, sampler=TraceIdRatioBased(ratio)).get_tracer("t")
    kept = sum(tracer.start_span("s").get_span_context().trace_flags.sampled for _ in range(TRACES))
    return round(100 * kept / TRACES)


ratios = (0.1, 0.5, 0.75)
uuids = [percent_kept(UuidGenerator(), ratio) for ratio in ratios]
randoms = [percent_kept(RandomIdGenerator(), ratio) for ratio in ratios]
print("version: opentelemetry-sdk", version("opentelemetry-sdk"))
print("behaviour: of UUIDv4 trace IDs a ratio sampler keeps none up to 0.5, and all from 0.75 on")
print(f"seen: kept at {ratios}: UUIDv4 {uuids} %, random IDs {randoms} %")
near = all(abs(kept - 100 * ratio) < 10 for kept, ratio in zip(randoms, ratios))
sys.exit(not (uuids == [0, 0, 100] and near))
PYTHON
