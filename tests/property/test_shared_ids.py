"""The law of shared IDs: whatever many threads do to the same few traces, every span has its place in the books."""

from __future__ import annotations

import random
import sys
import threading
from collections import deque
from collections.abc import Iterator

import pytest

from tracebridge import Client, TracebridgeError

THREADS, CALLS, IDS = 8, 1_500, 4


@pytest.fixture(autouse=True)
def impatient_interpreter() -> Iterator[None]:
    """Threads change places within calls, not only between them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def misbehave(client: Client, spans: deque, chance: random.Random) -> None:
    """Make a call for a trace or a span that other threads are at, without asking."""
    trace_id, span = f"order {chance.randrange(IDS)}", chance.choice(list(spans))
    own_id = f"{chance.getrandbits(64) | 1:016x}"
    calls = [
        lambda: spans.append(client.start_trace("root", trace_id=trace_id)),
        lambda: spans.append(client.start_span("child", span.trace_id, span.span_id, attributes={"a": 1})),
        lambda: spans.append(client.start_span("child", trace_id)),
        lambda: spans.append(client.start_span("child", parent=span, span_id=own_id)),
        lambda: client.end_span(span.trace_id, span.span_id, outputs=1),
        lambda: client.end_trace(trace_id),
        lambda: client.set_trace_tag(trace_id, "team", "a"),
        lambda: (client.get_active_trace(trace_id), client.active_traces),
        lambda: (span.set_attribute("b", 2), span.add_event("seen")),
    ]
    chance.choice(calls)()


def work(client: Client, spans: deque, seed: int, unexpected: list[Exception]) -> None:
    """Misbehave for long, and look at the books meanwhile."""
    chance = random.Random(seed)
    for _ in range(CALLS):
        try:
            misbehave(client, spans, chance)
        except TracebridgeError:
            pass  # the caller's own race: the trace has finished, or is unknown
        except Exception as error:
            unexpected.append(error)
        if difference := client.stats().balance("memory"):
            unexpected.append(AssertionError(f"the books do not balance: {difference}"))


@pytest.mark.parametrize("journal", ["memory", "disk"])
def test_threads_that_share_ids_break_nothing_and_leave_nothing_open(journal, tmp_path):
    """No call fails inside, the books balance at every look, and after the end of the client no span is open."""
    client = Client(
        config={
            "adapters": {"memory": {"sending_queue": {"flush_interval": "0s"}}},
            "journal": {"directory": str(tmp_path)} if journal == "disk" else {},
            "trace_ids": {"on_duplicate": "join"},
            "lifecycle": {"late_children": "5ms"},
        }
    )
    spans = deque([client.start_trace("first")], maxlen=30)
    unexpected: list[Exception] = []
    threads = [threading.Thread(target=work, args=(client, spans, seed, unexpected)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    stats = client.stats()
    assert unexpected == []
    assert "internal_error" not in stats.misuse
    assert (stats.open, stats.balance("memory")) == (0, 0)
    assert stats.adapters["memory"].exported == stats.started > THREADS * CALLS / 10
