"""`python -m benchmarks.shared [ENGINE …]`: what a shared span costs, beside the bare calls of its engine that the same life needs.

A life: start, two attributes, end, a second end that is refused. Ours and the bare calls take turns, so that both meet the same machine; medians and their ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.handover import ENGINES, server_of
from tracebridge import Client
from tracebridge.journal.base import encode_record
from tracebridge.plugins.open_spans import SpanKey
from tracebridge.plugins.registry import OPEN_SPANS, load
from tracebridge.records.record import SpanRecord


def _ours(client: Client) -> None:
    span: Any = client.start_trace("life", shared=True, attributes={"order": "4711"})
    span.set_attribute("one", 1)
    span.set_attribute("two", 2)
    client.end_span(span.trace_id, span.span_id)
    client.end_span(span.trace_id, span.span_id)


def _bare(engine: Any, part: bytes) -> None:
    key, claim = SpanKey(os.urandom(16), os.urandom(8)), b"c" * 16
    engine.start(key, os.urandom(10) + part, is_root=True, max_open_s=3600)
    engine.change(key, os.urandom(10) + part)
    engine.change(key, os.urandom(10) + part)
    engine.end(key, os.urandom(10) + part, claim, 30)
    engine.settle([key], claim)
    engine.end(key, os.urandom(10) + part, claim, 30)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; default: all")
    parser.add_argument("--lives", type=int, default=1000)
    arguments = parser.parse_args()
    part = encode_record(SpanRecord(bytes(16), bytes(8), None, "life", 1, 1, attributes={"order": "4711"}))
    for name in arguments.engines or ENGINES:
        with tempfile.TemporaryDirectory(prefix="tracebridge-shared-") as folder:
            server, url = server_of(name, Path(folder))
            try:
                engine = load(OPEN_SPANS, name)(url, 60.0)
                config: Any = {"adapters": {"memory": {}}, "open_spans": {"engine": name, "url": url, "timeout": "60s"}}
                took: dict[str, list[float]] = {"bare": [], "ours": []}
                with Client(config=config) as client:
                    for _ in range(arguments.lives):
                        began = time.perf_counter()
                        _bare(engine, part)
                        between = time.perf_counter()
                        _ours(client)
                        took["bare"].append(between - began)
                        took["ours"].append(time.perf_counter() - between)
                engine.close()
            finally:
                if server is not None:
                    server.stop()
        bare, ours = (statistics.median(took[who]) * 1e3 for who in ("bare", "ours"))
        print(f"{name}: bare {bare:.2f} ms, ours {ours:.2f} ms, ratio {ours / bare:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
