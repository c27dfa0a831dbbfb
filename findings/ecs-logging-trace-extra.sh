#!/usr/bin/env bash
# ecs-logging: a log line with a field `trace` beside `trace.id` is not written at all.
#
# Expected: a formatter that cannot place a field writes the line without it, or under another name: logging must not lose the message.
# Happens: StdlibFormatter nests dotted names, so `trace.id` becomes {"trace": {"id": ...}}; a plain field `trace` (or `span`, `service`) stands in its way and
#   the formatter raises TypeError. logging prints a traceback to standard error, and the line is gone.
# Why a user cares: a library that adds `trace.id` to every record, as correlation does, makes the lines of just those calls vanish that had
#   a field `trace` of their own. In a log pipeline nothing shows it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ecs-logging==2.3.0
"$work/venv/bin/python" - 2>"$work/stderr" <<'PYTHON'
import io
import json
import logging
import sys
from importlib.metadata import version

import ecs_logging

written = io.StringIO()
handler = logging.StreamHandler(written)
handler.setFormatter(ecs_logging.StdlibFormatter())
log = logging.getLogger("shop")
log.addHandler(handler)
log.warning("before", extra={"trace.id": "463ac35c9f6413ad48485a3953bb6124"})
log.warning("payment refused", extra={"trace.id": "463ac35c9f6413ad48485a3953bb6124", "trace": "checkout"})
log.warning("after", extra={"trace": "checkout"})
lines = [json.loads(line)["message"] for line in written.getvalue().splitlines()]
print("version: ecs-logging", version("ecs-logging"))
print("behaviour: a record with both `trace` and `trace.id` is not written")
print(f"seen: three records logged, lines written: {lines}")
sys.exit(lines != ["before", "after"])
PYTHON
grep -q "TypeError: Type mismatch at key" "$work/stderr"
