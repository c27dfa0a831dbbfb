#!/usr/bin/env bash
# MLflow: in a trace search, `span.attributes.KEY = 'value'` finds no trace, and `!=` finds the equal ones too.
#
# Expected: `=` and `!=` are among the comparators that MLflow itself names for span attributes, so `=` finds the trace whose span has
#   exactly this value, and `!=` finds the others.
# Happens: against a SQL store, `=` finds no trace and `!=` finds every trace that has the key, the equal one included. The store keeps each value
#   as JSON inside the JSON of the span, and the text that the comparison looks for lacks the inner quotes. `RLIKE '^value$'` finds the one trace.
# Why a user cares: there is no error, so a search for a model or a customer says that there are no such traces, though they are stored.
set -euo pipefail
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
for name, value in (("first", "small"), ("second", "large")):
    root = client.start_trace(name, attributes={"size": value})
    client.end_trace(root.trace_id)
mlflow.flush_trace_async_logging()


def found(comparison):
    traces = client.search_traces(locations=["0"], filter_string=f"span.attributes.size {comparison}")
    return sorted(trace.data.spans[0].name for trace in traces)


seen = {text: found(text) for text in ("= 'small'", "!= 'small'", "RLIKE '^small$'")}
print("version: mlflow", mlflow.__version__)
print("behaviour: span.attributes.KEY = finds no trace, and != finds the equal trace too")
print("seen:", seen)
expected = {"= 'small'": [], "!= 'small'": ["first", "second"], "RLIKE '^small$'": ["first"]}
sys.exit(seen != expected)
PYTHON
