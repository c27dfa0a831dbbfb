"""The embedded store at 10,000, 100,000 and 1,000,000 spans: what a question takes, what a span takes on disk, what writing one costs.

    python -m benchmarks.store                               # all three sizes; about four minutes
    python -m benchmarks.store --sizes 10000 100000
    python -m benchmarks.store --sizes 100000 --bytes-only   # with PYTHONPATH at another checkout: its bytes a span

Spans are made up, the same every time: traces of five spans by eight services, each with its own ID, a tag, five attributes. Every time is the
best of three, in the process, with the file in the system's cache; writing is timed over the last tenth of the spans.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tracebridge.plugins.adapter import Context
from tracebridge.reading.search import Condition, Query
from tracebridge.records.record import Resource, SpanRecord
from tracebridge_adapters.store import StoreAdapter, StoreOptions

SIZES = (10_000, 100_000, 1_000_000)
SPANS = 5  # of a trace
BATCH = 1_000
START = 1_790_000_000_000_000_000
MS = 1_000_000
TRIES = 3
LARGE = b"large trace of it"[:16]
Ask = Callable[[StoreAdapter, int], Any]

SERVICES = [
    Resource({"service.name": name, "service.version": "2.4.1", "deployment.environment.name": "production", "host.name": f"{name}-7f9c6d"})
    for name in ("gateway", "cart", "checkout", "payment", "stock", "mail", "search", "users")
]  # fmt: skip
NAMES = (
    "GET /cart",
    "POST /order",
    "charge card",
    "SELECT stock",
    "UPDATE stock",
    "send mail",
    "render",
    "GET /users/{id}",
    "cache get",
    "publish",
)


def records(spans: int) -> Iterator[list[SpanRecord]]:
    """Yield spans in batches, as they would come: children before their parents."""
    drawn = random.Random(7)
    batch: list[SpanRecord] = []
    for number in range(spans // SPANS):
        batch += trace(number, drawn)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def trace(number: int, drawn: random.Random) -> list[SpanRecord]:
    """Return one trace."""
    trace_id, ids = drawn.randbytes(16), [drawn.randbytes(8) for _ in range(SPANS)]
    start = START + number * 2 * MS
    made = []
    for at in range(SPANS):
        failed = drawn.random() < 0.02
        begins = start + at * MS
        made.append(
            SpanRecord(
                trace_id, ids[at], None if at == 0 else ids[at // 2], drawn.choice(NAMES), begins, begins + drawn.randrange(MS, 200 * MS),
                kind=1 + drawn.randrange(3), status=2 if failed else 1,
                attributes={
                    "http.request.method": "GET", "url.path": f"/orders/{drawn.randrange(10**6)}", "http.response.status_code": 500 if failed else 200,
                    "user.id": f"u{drawn.randrange(10**5)}", "retries": drawn.randrange(3),
                },
                custom_trace_id=f"user{number % 997}_order_{number:09d}_{trace_id[:4].hex()}", tags={"team": f"team-{number % 50}"} if at == 0 else {},
                id_scheme="hash" if at == 0 else None, status_message="upstream timed out" if failed else "", resource=drawn.choice(SERVICES),
            )
        )  # fmt: skip
    return made[::-1]


def filled(path: Path, spans: int) -> tuple[StoreAdapter, float]:
    """Return a store with so many spans, and the microseconds of CPU that one of the last tenth took."""
    store = StoreAdapter(StoreOptions(path=str(path)), Context("store"))
    batches = spans // BATCH
    taken = 0.0
    for at, batch in enumerate(records(spans)):
        body = store.encode(batch)
        before = time.process_time()
        store.send(body, len(batch))
        if at >= batches * 9 // 10:
            taken += time.process_time() - before
    return store, taken / max(1, spans - batches * 9 // 10 * BATCH) * 1e6


def large() -> list[SpanRecord]:
    """Return one trace of 1,000 spans."""
    ids = [number.to_bytes(8, "big") for number in range(1, 1_001)]
    return [
        SpanRecord(
            LARGE, each, None if at == 0 else ids[at // 4], NAMES[at % 10], START + at * MS, START + at * MS + MS, resource=SERVICES[at % 8],
            attributes={"n": at, "user.id": "u1"},
        )
        for at, each in enumerate(ids)
    ]  # fmt: skip


def searched(*conditions: Condition) -> Ask:
    """Return a question for the newest 20 that match."""
    return lambda store, _: store.search(Query(list(conditions), max_results=20))


def shown(store: StoreAdapter, _: int) -> None:
    """Read the trace of 1,000 spans and draw it."""
    import io

    from tracebridge.cli.shared.output import draw, terminal
    from tracebridge.cli.shared.waterfall import Waterfall

    draw(terminal(file=io.StringIO(), width=120), Waterfall(store.get(LARGE)))


def near(text: str) -> Ask:
    """Return a question of `tracebridge find`."""

    def ask(store: StoreAdapter, _: int) -> None:
        from tracebridge.reading.sought import sought

        store.near(sought(text), 20)

    return ask


def streamed(condition: Condition, wanted: int) -> Ask:
    """Return a question that is answered while it goes on: the first of so many, or the end."""

    def ask(store: StoreAdapter, _: int) -> None:
        for _spans in itertools.islice(store.stream(Query([condition]), lambda _: None), wanted):
            pass

    return ask


QUESTIONS: dict[str, Ask] = {
    "newest 20": searched(),
    "name, one in ten": searched(Condition("name", "=", "render")),
    "name of none": searched(Condition("name", "=", "no such name")),
    "service of none": searched(Condition("service", "=", "no such service")),
    "status ERROR": searched(Condition("status", "=", "ERROR")),
    "since the middle": lambda store, spans: searched(
        Condition("timestamp_ms", "<", (START + spans // SPANS * MS) // MS)
    )(store, spans),
    "longer than any": searched(Condition("duration_ms", ">", 10_000)),
    "tag": searched(Condition("tag", "=", "team-7", "team")),
    "tag of none": searched(Condition("tag", "=", "no such team", "team")),
    "custom ID": searched(Condition("custom_trace_id", "=", "user0_order_000000000")),
    "part of a custom ID, of none": near("no such part"),
    "low 64 bits, or a span ID, of none": near("48485a3953bb6124"),
    "attribute: the first (streamed)": streamed(Condition("attribute", "=", 500, "http.response.status_code"), 1),
    "attribute of none (streamed)": streamed(Condition("attribute", "=", "x", "no.such.key"), 1),
    "pattern of none (streamed)": streamed(Condition("span_name", "RLIKE", "no such name"), 1),
    "show a trace of 1,000 spans": shown,
}


def best(ask: Ask, store: StoreAdapter, spans: int) -> float:
    """Return the milliseconds of the best try; of a slow one the first counts."""
    times: list[float] = []
    while len(times) < TRIES and sum(times) < 3:
        before = time.perf_counter()
        ask(store, spans)
        times.append(time.perf_counter() - before)
    return min(times) * 1e3


def measured(spans: int, folder: Path, bytes_only: bool) -> dict[str, float]:
    """Return the numbers of one size."""
    path = folder / f"{spans}.db"
    store, cost = filled(path, spans)
    store.close()  # what is in its log goes into the file
    told = {"bytes a span": path.stat().st_size / spans, "writing a span, µs of CPU": cost}
    if not bytes_only:
        store.send(store.encode(large()), 1_000)
        told |= {f"{name}, ms": best(ask, store, spans) for name, ask in QUESTIONS.items()}
    store.close()
    return told


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--bytes-only", action="store_true", help="what an older checkout can be asked too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        columns = [measured(spans, Path(folder), asked.bytes_only) for spans in asked.sizes]
    print("| | " + " | ".join(f"{spans:,} spans" for spans in asked.sizes) + " |")
    print("|---|" + "---|" * len(columns))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{column[name]:,.1f}" for column in columns) + " |")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
