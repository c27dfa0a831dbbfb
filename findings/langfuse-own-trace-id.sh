#!/usr/bin/env bash
# Langfuse for Python: a trace ID that it says it ignores is used, or raises in the caller.
#
# Expected: `trace_context={"trace_id": ...}` takes 32 lowercase hex digits. For any other text the log says "is not a valid 32 lowercase hex char Langfuse
#   trace id. Ignoring trace ID.", so a new ID should be made and the program should go on.
# Happens: after the warning the text is read as a hexadecimal number all the same. 16 digits become the trace 0000000000000000 + those digits, capitals become
#   small letters, and a text that is no number raises ValueError out of start_observation.
# Why a user cares: an order number or a UUID as the trace ID ends the request instead of costing its trace; a reader of the log looks for a new ID that does
#   not exist. `create_trace_id(seed=text)` is the way that works: the first 16 bytes of the text's SHA-256.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q langfuse==5.0.4
"$work/venv/bin/python" - <<'PYTHON'
import logging
import os
import sys
from importlib.metadata import version

from langfuse import Langfuse

said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage().rpartition(". ")[2])
logging.getLogger("langfuse").addHandler(handler)
client = Langfuse(public_key="public", secret_key="secret", host="http://127.0.0.1:9", tracing_enabled=True)
seen = {}
for own_id in ("463ac35c9f6413ad", "order-1001"):
    said.clear()
    try:
        seen[own_id] = client.start_observation(name="request", trace_context={"trace_id": own_id}).trace_id
    except ValueError:
        seen[own_id] = "ValueError"
    seen[own_id] += f", after {said[-1]!r}"
print("version: langfuse", version("langfuse"))
print("behaviour: a trace ID that is said to be ignored is used, or raises ValueError in the caller")
print(f"seen: {seen}", flush=True)
ignored = "after 'Ignoring trace ID.'"
expected = {"463ac35c9f6413ad": f"0000000000000000463ac35c9f6413ad, {ignored}", "order-1001": f"ValueError, {ignored}"}
os._exit(seen != expected)  # its exit would wait for a server that is not there
PYTHON
