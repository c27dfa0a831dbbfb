"""The embedded default: SQLite, readable with nothing but this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tracebridge.plugins.adapter import Bounds, Context, Looked, Pruned, Sent
from tracebridge.plugins.options import DeliveryOptions, Duration, FilePath, SendingQueue, Size, option
from tracebridge_adapters.sqlite import SCHEMA_VERSION

if TYPE_CHECKING:
    from tracebridge.reading.search import Page, Query
    from tracebridge.reading.sought import Near, Sought
    from tracebridge.records.record import SpanRecord

MAX_BATCH_SPANS = 5_000


@dataclass(frozen=True, kw_only=True)
class Retention:
    """When the store forgets. Several may be given; whichever comes first counts."""

    max_age: Duration = option(0.0, help="Delete traces that are older than this; 0 keeps them.", minimum=0)
    max_traces: int = option(0, help="Keep at most this many traces; 0 keeps all.", minimum=0)
    max_bytes: Size | None = option(
        None,
        help="Keep the file within this size, the oldest traces going first; 0 bounds nothing. By default 1GiB, for files that version 0.2.0 or a later one "
        "made; one of before keeps everything until this is set.",
        minimum=0,
        examples=["500MiB"],
    )


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
    data_versions: ClassVar[range] = range(1, SCHEMA_VERSION + 1)
    """The versions of its tables that are read; the last is written."""
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: StoreOptions, context: Context) -> None:
        from tracebridge_adapters.sqlite.database import StoreDatabase, encode

        retention = options.retention
        self._encode = encode
        self._bounds = Bounds(retention.max_age, retention.max_traces, retention.max_bytes)
        self._database = StoreDatabase(options.path, context.name, self._bounds)
        self._trace_id_attribute = context.trace_id_attribute

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
        return self._database.search(query.with_own_ids(self._trace_id_attribute))

    def stream(self, query: Query, looked: Callable[[Looked], None]) -> Iterator[list[SpanRecord]]:
        """Yield traces that match as they are found, newest first; `looked` is told how far the search is."""
        return self._database.stream(query.with_own_ids(self._trace_id_attribute), looked)

    def near(self, sought: Sought, limit: int) -> list[Near]:
        """Return at most so many traces that a text may mean: by half of an ID, a span's ID, part of an ID."""
        return self._database.near(sought, limit)

    def similar(self, text: str, limit: int) -> list[Near]:
        """Return at most so many recent traces whose custom ID is like a text."""
        return self._database.similar(text, limit)

    def first(self, trace_id: bytes, limit: int) -> tuple[list[SpanRecord], int]:
        """Return at most so many of a trace's spans, those that started first, and how many it has."""
        return self._database.first(trace_id, limit)

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

    def info(self) -> dict[str, Any]:
        """Return what is to be known of the file: traces, spans, times, bytes, bounds, what was forgotten."""
        return self._database.info()

    def prune(self, bounds: Bounds | None = None) -> Pruned:
        """Delete the oldest traces until the file is within these bounds, by default `retention`; give the space back."""
        return self._database.prune(self._bounds if bounds is None else bounds)

    def vacuum(self) -> tuple[int, int]:
        """Write the file anew without holes; return its bytes before and after."""
        return self._database.vacuum()
