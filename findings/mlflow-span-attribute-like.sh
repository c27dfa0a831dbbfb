#!/usr/bin/env bash
# MLflow: in a trace search, `span.attributes.KEY LIKE '%text%'` also finds spans in which the text belongs to another attribute.
#
# Expected: the pattern is compared with the value of the attribute that the filter names.
# Happens: against a SQL store, it is compared with the text of the whole span from the name of the key on, so the value of any
#   attribute that was stored later matches as well. The same holds for ILIKE.
# Why a user cares: LIKE is what is left, because `=` finds no trace of a text attribute; its answers contain traces that do not match, without a word.
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
for name, size, colour in (("first", "small", "blue"), ("second", "large", "blue")):
    root = client.start_trace(name, attributes={"size": size, "colour": colour})
    client.end_trace(root.trace_id)
mlflow.flush_trace_async_logging()


def found(comparison):
    traces = client.search_traces(locations=["0"], filter_string=f"span.attributes.size {comparison}")
    return sorted(trace.data.spans[0].name for trace in traces)


seen = {text: found(text) for text in ("LIKE '%blue%'", "ILIKE '%BLUE%'", "LIKE '%green%'")}
print("version: mlflow", mlflow.__version__)
print("behaviour: span.attributes.KEY LIKE finds spans in which another attribute has the text")
print("seen:", seen)
every = ["first", "second"]
expected = {"LIKE '%blue%'": every, "ILIKE '%BLUE%'": every, "LIKE '%green%'": []}
sys.exit(seen != expected)
PYTHON
