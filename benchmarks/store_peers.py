"""The embedded store beside Jaeger 2 and Zipkin, both with their storage in memory: the same spans, the same questions.

    python -m benchmarks.store_peers                 # 30,000 spans; needs the servers of the tests, and about a minute
    python -m benchmarks.store_peers --spans 10000

A server's time is that of one HTTP request to its query API, on loopback, its answer read and not decoded; the store's is that of its search in the process,
records and all. Each is the best of five. Jaeger searches within one service, so that every question names one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import store
from tracebridge.plugins.adapter import Context
from tracebridge.reading.search import Condition, Query
from tracebridge_adapters.otlp_http import OtlpHttpAdapter, OtlpHttpOptions
from tracebridge_adapters.zipkin import ZipkinAdapter, ZipkinOptions

TRIES = 5
SERVICE, NAME = "checkout", "charge card"
OWN_ID = "tracebridge.trace_id"
QUESTIONS = ("newest 20 of a service", "newest 20 of a service and a name", "an own ID", "an attribute of none")


def best(ask: Callable[[], Any]) -> float:
    """Return the milliseconds of the best try."""
    times = []
    for _ in range(TRIES):
        before = time.perf_counter()
        ask()
        times.append(time.perf_counter() - before)
    return min(times) * 1e3


def sent(adapter: Any, spans: int) -> None:
    """Hand over so many spans."""
    for batch in store.records(spans):
        adapter.send(adapter.encode(batch), len(batch))
    adapter.close()


def got(url: str, **query: Any) -> bytes:
    """Return the answer of a server."""
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}") as answer:
        return bytes(answer.read())


def of_store(spans: int, folder: Path, own_id: str) -> list[float]:
    """Return the store's times."""
    made, _ = store.filled(folder / "spans.db", spans)
    service = Condition("service", "=", SERVICE)
    asked: list[list[Condition]] = [
        [service], [service, Condition("name", "=", NAME)], [Condition("attribute", "=", own_id, OWN_ID)],
        [service, Condition("attribute", "=", "x", "no.such.key")],
    ]  # fmt: skip
    return [best(lambda each=each: made.search(Query(each, max_results=20))) for each in asked]  # type: ignore[misc]


def of_zipkin(spans: int, own_id: str) -> list[float]:
    """Return Zipkin's times."""
    from support.backends.zipkin import start_zipkin

    server = start_zipkin()
    try:
        sent(ZipkinAdapter(ZipkinOptions(endpoint=server.spans_url, timeout=120.0), Context("zipkin")), spans)
        url, since = f"{server.url}/api/v2/traces", {"limit": 20, "lookback": 10**11, "endTs": int(time.time() * 1000)}
        asked: list[dict[str, Any]] = [
            {"serviceName": SERVICE}, {"serviceName": SERVICE, "spanName": NAME}, {"serviceName": SERVICE, "annotationQuery": f"{OWN_ID}={own_id}"},
            {"serviceName": SERVICE, "annotationQuery": "no.such.key=x"},
        ]  # fmt: skip
        assert len(got(url, **since, **asked[0])) > 1_000  # it has them
        return [best(lambda each=each: got(url, **since, **each)) for each in asked]  # type: ignore[misc]
    finally:
        server.process.stop()


def of_jaeger(spans: int, own_id: str) -> list[float]:
    """Return Jaeger's times."""
    from support.backends.jaeger import start_jaeger_2

    server = start_jaeger_2()
    try:
        sent(OtlpHttpAdapter(OtlpHttpOptions(endpoint=server.otlp_http, timeout=120.0), Context("otlp_http")), spans)
        url, since = f"{server.query_url}/api/traces", {"limit": 20, "start": 1, "end": int(time.time() * 1e6)}
        asked: list[dict[str, Any]] = [
            {"service": SERVICE}, {"service": SERVICE, "operation": NAME}, {"service": SERVICE, "tags": f'{{"{OWN_ID}":"{own_id}"}}'},
            {"service": SERVICE, "tags": '{"no.such.key":"x"}'},
        ]  # fmt: skip
        assert len(got(url, **since, **asked[0])) > 1_000  # it has them
        return [best(lambda each=each: got(url, **since, **each)) for each in asked]  # type: ignore[misc]
    finally:
        server.process.stop()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=30_000)
    spans = parser.parse_args().spans
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    batches = list(store.records(spans))
    own_id = next(
        s.custom_trace_id for s in batches[len(batches) // 2] if s.resource and s.resource.service_name == SERVICE
    )
    with tempfile.TemporaryDirectory() as folder:
        columns = {
            "the store": of_store(spans, Path(folder), own_id or ""),
            "Jaeger 2, in memory": of_jaeger(spans, own_id or ""),
            "Zipkin, in memory": of_zipkin(spans, own_id or ""),
        }
    print(f"| {spans:,} spans | {' | '.join(f'{name}, ms' for name in columns)} |\n|---|{'---|' * len(columns)}")
    for at, question in enumerate(QUESTIONS):
        print(f"| {question} | {' | '.join(f'{column[at]:,.1f}' for column in columns.values())} |")


if __name__ == "__main__":
    main()
