"""A trace to try in the site: what `tracebridge show --html` writes, made when the site is. GitHub shows the comment that stands for it as nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

COMMENT = "<!-- live: the trace of `tracebridge demo` -->"
PLACE = "assets/own/trace.html"
FRAME = f'<iframe class="live" src="{PLACE}" title="A trace, live"></iframe>'


def write(pages: Path) -> None:
    """Write the trace of `tracebridge demo` beside the pages."""
    with tempfile.TemporaryDirectory() as folder:
        _run(folder, "demo")
        (trace,) = _run(folder, "search", "--json").splitlines()
        (pages / PLACE).write_text(_run(folder, "show", json.loads(trace)["trace_id"], "--html", "-"), "utf-8")


def _run(folder: str, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", "tracebridge", *command], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()
