#!/usr/bin/env bash
# jq for Python: integers beyond 2^53 come out rounded, although the jq inside keeps every digit.
#
# Expected: jq 1.7 and newer keep the digits of a number that a filter does not calculate with; its command prints `13235353014750950193` for that input.
# Happens: the binding hands numbers over as doubles. The filter `.` turns two different IDs into one and the same integer, while `tojson` and `tostring`
#   inside the filter, and comparisons there, still see all digits.
# Why a user cares: Datadog's trace IDs in log lines are decimal numbers of 64 bits. Whoever reads them by jq in Python and looks them up finds another trace
#   or none, and lines of different traces fall together. Read them with `(.id|tojson)`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q jq==1.13.0
"$work/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import jq

IDS = [13235353014750950193, 13235353014750950194]
text = str(IDS)
given_back = jq.compile(".").input_text(text).first()
as_json = jq.compile("map(tojson)").input_text(text).first()
same = jq.compile(".[0] == .[1]").input_text(text).first()
print("version: jq", version("jq"))
print("behaviour: the identity filter returns two different 64-bit IDs as one")
print(f"seen: {IDS} became {given_back}; tojson inside: {as_json}; equal inside: {same}")
sys.exit((given_back, as_json, same) != ([13235353014750949376] * 2, [str(each) for each in IDS], False))
PYTHON
