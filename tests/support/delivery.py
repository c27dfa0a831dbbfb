"""Delivery on a bench: a destination that does what a test says, and one worker over a journal of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.worker import Delivery
from tracebridge.journal.accounts import Accounts, AdapterAccount
from tracebridge.journal.base import encode_record
from tracebridge.journal.memory import MemoryJournal
from tracebridge.plugins.adapter import Sent
from tracebridge.plugins.options import DeliveryOptions, RetryOnFailure, SendingQueue
from tracebridge.records.record import Resource, SpanRecord

QUICK = RetryOnFailure(initial_interval=0.005, max_interval=0.01)


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so; the test goes on after a minute all the same, and says what it is instead."""
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.005)


class Scripted:
    """A destination that does what a test says, request by request."""

    Options: ClassVar[type[Any]] = DeliveryOptions
    max_batch_spans = 1000
    max_batch_bytes: int | None = None

    def __init__(self, send: Callable[[int, list[str]], Sent] = lambda number, names: Sent()) -> None:
        self.requests: list[list[str]] = []
        self.script = send
        self.closed = False
        self.unencodable: set[str] = set()

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        if self.unencodable & {record.name for record in records}:
            raise TypeError("cannot say this")
        assert all(record.resource is not None for record in records)
        return ",".join(map(self.name_of, records)).encode()

    @staticmethod
    def name_of(record: SpanRecord) -> str:
        """How a record is called in a body."""
        return record.name

    def send(self, body: bytes, spans: int) -> Sent:
        names = body.decode().split(",")
        assert len(names) == spans
        self.requests.append(names)
        return self.script(len(self.requests), names)

    def close(self) -> None:
        self.closed = True


class Bench:
    """One delivery over a journal of its own."""

    def __init__(self, adapter: Any, *, queue: SendingQueue | None = None, retry: RetryOnFailure = QUICK) -> None:
        self.accounts = Accounts()
        self.accounts.adapters["x"] = AdapterAccount()
        self.journal = MemoryJournal(self.accounts, max_bytes=10**6)
        self.letters = DeadLetters()
        options = DeliveryOptions(sending_queue=queue or SendingQueue(flush_interval=0), retry_on_failure=retry)
        cursor = self.journal.cursor("x")
        self.delivery = Delivery(
            "x", adapter, options, cursor, self.accounts, self.letters, Resource({"service.name": "s"})
        )
        self.delivery.start()

    def add(self, *names: str) -> None:
        """Queue records, all before the worker sees the first."""
        with self.accounts.lock:
            for name in names:
                self.journal.append(encode_record(SpanRecord(bytes(16), bytes(8), None, name, 1, 2)))

    def flush(self, timeout_s: float = 60) -> bool:
        """Wait until all is settled."""
        with self.accounts.lock:
            end = self.journal.end
            self.delivery.request_flush(end)
            self.accounts.lock.notify_all()
            return self.accounts.lock.wait_for(lambda: self.delivery.flushed(end), timeout_s)

    def close(self, timeout_s: float = 30) -> int:
        """Close and return how many were left."""
        with self.accounts.lock:
            self.delivery.request_close(time.monotonic() + timeout_s)
            self.accounts.lock.notify_all()
        return self.delivery.join()

    @property
    def stats(self) -> Any:
        """The adapter's columns."""
        with self.accounts.lock:
            return self.delivery.stats(time.monotonic())
