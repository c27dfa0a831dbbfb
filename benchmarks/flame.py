"""One span from call to wire, over and over, for a profiler to look at (docs/performance.md has the command)."""

from __future__ import annotations

import sys
import time

from benchmarks import sink
from benchmarks.senders import bridge_otlp_http

SECONDS = 10.0
AT_ONCE = 1_000


def main() -> None:
    """Make and deliver spans for some seconds."""
    make, settle = bridge_otlp_http(sink.ports())
    until = time.monotonic() + (float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
    while time.monotonic() < until:
        make(AT_ONCE)
    settle()


if __name__ == "__main__":
    main()
