#!/usr/bin/env bash
# OpenTelemetry for Python: force_flush() says True when every export has failed.
#
# Expected: force_flush() returns a bool, so that a program can tell before it ends whether its spans got out. A batch that the exporter could not deliver
#   is one that did not.
# Happens: TracerProvider.force_flush() returns True although the exporter returned FAILURE for the batch, which is thrown away then. Only a log line of the
#   exporter's own, if it writes one, tells.
# Why a user cares: jobs, functions and tests that check the answer before they end believe that all is delivered, with the server down.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2
"$work/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

lost = []


class Unreachable(SpanExporter):
    def export(self, spans):
        lost.extend(span.name for span in spans)
        return SpanExportResult.FAILURE


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Unreachable()))
provider.get_tracer("t").start_span("request").end()
first, second = provider.force_flush(), provider.force_flush()
print("version: opentelemetry-sdk", version("opentelemetry-sdk"))
print("behaviour: force_flush() returns True when the exporter has failed, and the batch is not tried again")
print(f"seen: exported once and failed: {lost}; force_flush() said {first}, then {second}")
sys.exit((lost, first, second) != (["request"], True, True))
PYTHON
