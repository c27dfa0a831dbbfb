"""The embedded default: SQLite, readable with nothing but this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import DeliveryOptions, Duration, FilePath, SendingQueue, option

if TYPE_CHECKING:
    from tracebridge.reading.search import Page, Query
    from tracebridge.records.record import SpanRecord

MAX_BATCH_SPANS = 5_000


@dataclass(frozen=True, kw_only=True)
class Retention:
    """When the store forgets. Both may be given; whichever comes first counts."""

    max_age: Duration = option(0.0, help="Forget traces older than this; 0 keeps them.", minimum=0)
    max_traces: int = option(0, help="Keep at most this many traces; 0 keeps all.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class StoreOptions(DeliveryOptions):
    """Options of the `store` adapter."""

    path: FilePath = option("./tracebridge.db", help="The SQLite file; `:memory:` for none.")
    retention: Retention = option(factory=Retention, help="When the store forgets.")
    sending_queue: SendingQueue = option(
        factory=lambda: SendingQueue(flush_interval=0.2), help="How spans are grouped into transactions."
    )


class StoreAdapter:
    """Writes spans into SQLite and reads them back. Safe from several threads and processes."""

    Options: ClassVar[type[StoreOptions]] = StoreOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: StoreOptions, context: Context) -> None:
        from tracebridge_adapters.store_database import StoreDatabase, encode

        retention = options.retention
        self._encode = encode
        self._database = StoreDatabase(
            options.path, context.name, max_age_s=retention.max_age, max_traces=retention.max_traces
        )

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return the records as MessagePack, which is also what lies in the file."""
        return self._encode(records)

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Write the spans in one transaction.

        Raises Retryable when the file is busy or the disk full, Misconfigured when it cannot be opened or is not a database.
        """
        self._database.write(body)
        return Sent()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, roots first."""
        return self._database.get(trace_id)

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces that carry this custom ID, newest first."""
        return self._database.find(custom_trace_id)

    def search(self, query: Query) -> Page:
        """Return one page of traces whose root (and, for attributes, any span) matches."""
        return self._database.search(query)

    def link(self, trace_id: bytes) -> str | None:  # noqa: ARG002 - the contract's signature
        """Return None: the store has no UI of its own; `tracebridge show` draws its traces."""
        return None

    def set_tag(self, trace_id: bytes, key: str, value: str) -> bool:
        """Set a tag on the trace's root; False when the trace is unknown."""
        return self._database.set_tag(trace_id, key, value)

    def delete_tag(self, trace_id: bytes, key: str) -> bool:
        """Delete a tag from the trace's root; False when the trace or the tag is unknown."""
        return self._database.delete_tag(trace_id, key)

    def delete(self, trace_ids: Sequence[bytes]) -> int:
        """Delete whole traces; return how many there were."""
        return self._database.delete(trace_ids)
