"""Into a list: for tests, and for applications that look at their own traces."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import DeliveryOptions
from tracebridge.reading.search import Page, Query
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.store import StoreAdapter, StoreOptions

MAX_BATCH_SPANS = 10_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[SpanRecord]).decode


@dataclass(frozen=True, kw_only=True)
class MemoryOptions(DeliveryOptions):
    """Options of the `memory` adapter: none but how spans are grouped."""


class MemoryAdapter:
    """Keeps every record in order of arrival in `records`, and can be read back like the store."""

    Options: ClassVar[type[MemoryOptions]] = MemoryOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: MemoryOptions, context: Context) -> None:  # noqa: ARG002 - the contract's signature
        self.records: list[SpanRecord] = []
        self._lock = threading.Lock()
        self._context = context
        self._index: StoreAdapter | None = None
        self._indexed = 0

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return the records as MessagePack."""
        return _encode(list(records))

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Append the records."""
        with self._lock:
            self.records.extend(_decode(body))
        return Sent()

    def close(self) -> None:
        """Keep `records` for whoever still looks at them."""
        with self._lock:
            if self._index is not None:
                self._index.close()
            self._index, self._indexed = None, 0

    def _store(self) -> StoreAdapter:
        """Return a store in memory that has every record so far: reading is the store's business, written once."""
        with self._lock:
            if self._index is None:
                self._index = StoreAdapter(StoreOptions(path=":memory:"), self._context)
            fresh = self.records[self._indexed :]
            if fresh:
                self._index.send(self._index.encode(fresh), len(fresh))
                self._indexed += len(fresh)
            return self._index

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order."""
        return self._store().get(trace_id)

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces that carry this custom ID, newest first."""
        return self._store().find(custom_trace_id)

    def search(self, query: Query) -> Page:
        """Return one page of traces that match."""
        return self._store().search(query)

    def link(self, trace_id: bytes) -> str | None:  # noqa: ARG002 - the contract's signature
        """Return None: memory has no UI."""
        return None

    def set_tag(self, trace_id: bytes, key: str, value: str) -> bool:
        """Set a tag on the trace's root."""
        return self._store().set_tag(trace_id, key, value)

    def delete_tag(self, trace_id: bytes, key: str) -> bool:
        """Delete a tag from the trace's root."""
        return self._store().delete_tag(trace_id, key)

    def delete(self, trace_ids: Sequence[bytes]) -> int:
        """Delete whole traces."""
        return self._store().delete(trace_ids)
