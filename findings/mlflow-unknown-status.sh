#!/usr/bin/env bash
# MLflow: ending a span with a status that it does not know removes the span from the trace, and a root takes the whole trace with it.
#
# Expected: `end_span(status="FINE")` raises, because the status is wrong; or the span ends without it. The work that it measured was done.
# Happens: the call returns without an error, a warning is logged, and the span is never ended. A child is missing in the stored trace; when it
#   is the root, no trace is stored at all.
# Why a user cares: a status that comes from elsewhere ("failed", "200") is enough. The traces that somebody would look for are exactly
#   those that are missing.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q mlflow==3.17.2
cd "$work"
export MLFLOW_DISABLE_TELEMETRY=true WORK="$work"
"$work/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import os
import sys

import mlflow
from mlflow import MlflowClient

mlflow.set_tracking_uri(f"sqlite:///{os.environ['WORK']}/mlflow.db")
client = MlflowClient()


def traced(name, child_status, root_status):
    root = client.start_trace(name)
    child = client.start_span("child", trace_id=root.trace_id, parent_id=root.span_id)
    client.end_span(root.trace_id, child.span_id, status=child_status)
    client.end_trace(root.trace_id, status=root_status)


traced("well", "OK", "OK")
traced("child", "FINE", "OK")
traced("root", "OK", "FINE")
mlflow.flush_trace_async_logging()
stored = {}
for trace in client.search_traces(locations=["0"]):
    names = [span.name for span in trace.data.spans]
    stored[names[0]] = len(names)
print("version: mlflow", mlflow.__version__)
print("behaviour: a span ended with an unknown status is not stored, and for a root neither is its trace; no error is raised")
print(f"seen: spans of each stored trace {stored}, of three traces with two spans each")
sys.exit(stored != {"well": 2, "child": 1})
PYTHON
