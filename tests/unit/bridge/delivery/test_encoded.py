"""An adapter that takes records as the journal's bytes is delivered to as every other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from support.delivery import Bench
from tracebridge.errors import Rejected
from tracebridge.native import functions
from tracebridge.plugins.adapter import Sent
from tracebridge.plugins.options import SendingQueue
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import SpanRecord


class Picky:
    """A destination that refuses every body with a span called `bad`."""

    max_batch_spans = 1000
    max_batch_bytes: int | None = None

    def __init__(self, takes_encoded: bool) -> None:
        self.takes_encoded = takes_encoded
        self.given: list[type] = []
        self.bodies: list[str] = []

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        self.given.append(type(records))
        return " ".join(record.name for record in records).encode()

    def send(self, body: bytes, spans: int) -> Any:
        assert len(body.split()) == spans
        if b"bad" in body:
            raise Rejected("a bad span")
        self.bodies.append(body.decode())
        return Sent()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("takes_encoded", [True, False])
def test_a_refused_batch_is_halved_until_the_culprit_stands_alone(takes_encoded: bool) -> None:
    """The dead letter is a record, whole."""
    adapter = Picky(takes_encoded)
    bench = Bench(adapter, queue=SendingQueue(flush_interval=60))
    bench.add("a", "b", "bad", "c", "d")
    assert bench.flush()
    (letter,) = bench.letters.list()
    assert (adapter.bodies, letter.record.name, letter.record.resource is not None) == (["a b", "c d"], "bad", True)
    assert (bench.stats.exported, bench.stats.queued, bench.stats.dropped["rejected"]) == (4, 0, 1)
    expected = EncodedRecords if takes_encoded and functions is not None else list
    assert set(adapter.given) == {expected}
    bench.close()
