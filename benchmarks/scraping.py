"""`python -m benchmarks.scraping`: what a scrape of `metrics.listen` costs a process with ten destinations, and with one. Exit status 1 above 1 ms of CPU."""

from __future__ import annotations

import http.client
import statistics
import sys
import time
from typing import Any

from tracebridge import Client

GOAL_MS = 1.0
SCRAPES = 200
ROUNDS = 5


def _cpu_ms(destinations: int) -> tuple[float, int]:
    """Return the CPU of the process for one scrape over HTTP, in ms, without that of the thread that asks; and the bytes of its answer."""
    adapters: dict[str, Any] = {f"memory/{number}": {} for number in range(destinations)}
    with Client(config={"adapters": adapters, "metrics": {"listen": "127.0.0.1:0"}}) as client:
        for number in range(1000):
            client.start_trace(f"span {number}").end()
        client.flush(60)
        endpoint = client._metrics._endpoint
        assert endpoint is not None
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port)
        figures = []
        size = 0
        for _ in range(ROUNDS):
            begun = time.process_time() - time.thread_time()
            for _ in range(SCRAPES):
                connection.request("GET", "/metrics")
                size = len(connection.getresponse().read())
            figures.append((time.process_time() - time.thread_time() - begun) / SCRAPES * 1e3)
        connection.close()
    return statistics.median(figures), size


def main() -> int:
    """Run the command."""
    worst = 0.0
    for destinations in (1, 10):
        worst, size = _cpu_ms(destinations)
        print(f"{destinations:>2} destinations: {worst:.2f} ms of CPU a scrape, {size:,} bytes")
    return int(worst > GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
