"""The adapter contract: the only file that an adapter's author must read.

An adapter is one destination. It turns finished records into bytes (`encode`) and hands the bytes over (`send`).
That is all: batching, queueing, in-flight limits, retry timing, bisection of a rejected batch, dead letters and
counting belong to delivery, which is written once. An adapter owns no thread, no queue, no timer and no sleep.

**Who calls.** The client builds the adapter at start with its options and a `Context`; building does no network.
Delivery calls `encode` and then `send` from its worker threads, one batch at a time per worker (one worker unless
`sending_queue.max_in_flight` is raised, so `encode` must be pure and `send` safe to call from several threads then).
`close` is called once, after the last `send`.

**Who retries.** Delivery does, and decides by what `send` raises:

| what happens | `send` raises | delivery does |
|---|---|---|
| refused, reset, timed out; HTTP 429, 502, 503, 504; gRPC's retryable codes | `Retryable(after_s=…)` | backs off with jitter, at least Retry-After; the destination pauses, others go on |
| HTTP 500 from a Zipkin or Thrift port, any other 5xx: failing, or this data is wrong | `Ambiguous(message)` | halves; while one half is taken the other is halved again, and a span that is refused alone again and again (four times) while others are taken becomes a dead letter; when neither is taken both wait, as after a 503, overtaken by what comes after them, and are not halved again before something has been taken |
| a third party's exporter says FAILURE, not why | `Retryable(tries=3)` | tries so often, then dead letter |
| HTTP 400, INVALID_ARGUMENT; HTTP 500 from OTLP | `Rejected(message)` | bisects; single bad spans become dead letters |
| HTTP 413, "larger than max" | `TooLarge` | splits; a single span becomes a dead letter |
| 401, 403, 404, 405, 415, TLS failure, an HTML page | `Misconfigured(message)` | one loud line, tries again slowly; the backlog waits |
| partial success | returns `Sent(rejected=n, message=…)` | counts n as dropped, logs the message once |
| anything else raised | | as `Ambiguous`, traceback in the log once |

Messages must not carry secrets: name the endpoint without its user info, never a header.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:  # reading a configuration needs this module, and no record
    from tracebridge.reading.search import Page, Query
    from tracebridge.reading.sought import Near, Sought
    from tracebridge.records.record import Resource, SpanRecord

DEFAULT_TRACE_ID_ATTRIBUTE = "tracebridge.trace_id"
DEFAULT_EXPERIMENT = "0"
"""The experiment that every MLflow server is born with."""
RUN_TAG = "mlflow.sourceRun"
"""The tag by which a root says to which run of MLflow's it belongs."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What `send` returns when the destination took the body.

    `confirmed=False`: no answer exists (UDP), so the spans are counted as *sent*, not *exported*. `rejected` is the
    number of spans that the destination says it did not take (OTLP partial success), `message` its reason. `doubt` says what speaks
    against it, though the answer was a success (a health port says 200 to everything); delivery believes the answer, `doctor` does not.
    """

    confirmed: bool = True
    rejected: int = 0
    message: str = ""
    doubt: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the bodies that a batch becomes: a message of Kafka's, a datagram, a batch of one process.

    Every part is settled on its own: what was taken is not sent again because another part failed, and `max_batch_bytes` holds for each.
    """

    body: bytes
    records: Sequence[SpanRecord]
    """The records in it, the same objects that `encode` was given."""
    key: bytes | None = None
    """What the destination sorts by, such as a message's key; None where it sorts by nothing."""


Answer = Sent | BaseException
"""What became of one part: `Sent`, or the error that `send` would have raised for it."""


def _no_resource() -> Resource:
    from tracebridge.records.record import Resource

    return Resource()


@dataclass(frozen=True, slots=True)
class Context:
    """What the client tells an adapter about itself when it builds it."""

    name: str
    """The adapter's key in the configuration: `zipkin` or `otlp_http/main`."""
    resource: Resource = field(default_factory=_no_resource)
    """The client's own resource (records carry theirs; this one is for adapters that need it up front)."""
    trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE
    """The attribute under which the caller's own trace ID travels (`trace_ids.attribute`)."""


class Needs(NamedTuple):
    """What an adapter imports that does not come with it."""

    modules: tuple[str, ...]
    """Their names, such as `grpc`; `tracebridge validate` looks whether they are there."""
    requirement: str
    """What brings them, as pip takes it: `tracebridge[grpc]`."""


class Adapter(Protocol):
    """One destination. Built from its own frozen options; owns no thread, queue, timer or retry.

    An adapter that needs packages of an extra says so in `needs: ClassVar[Needs]`, and raises ConfigError when it is built without them.
    """

    Options: ClassVar[type[Any]]
    """The adapter's options: a frozen dataclass built of `tracebridge.plugins.options` types."""

    max_batch_spans: int
    """The most spans in one body; delivery never passes more."""
    max_batch_bytes: int | None
    """The most bytes of an encoded, uncompressed body, or None; delivery splits before it sends."""

    def __init__(self, options: Any, context: Context) -> None:
        """Build from an instance of `Options`. No network, no thread.

        What `send` needs is imported here, not there: when a process forks while a worker imports a module, the child waits for
        ever for that import to end.
        """
        ...

    def encode(self, records: Sequence[SpanRecord]) -> bytes | Sequence[Part]:
        """Return the body for these records (never empty), or several parts that hold each of them once.

        Pure: no I/O, no state that outlives the call. Parts are for destinations whose bodies cannot hold just any spans together: a
        Jaeger batch has one process, a Kafka message one trace.
        """
        ...

    def send(self, body: bytes, spans: int) -> Sent:
        """Hand over one body of `spans` spans. Blocks at most the adapter's own timeout.

        Raises `Retryable`, `Ambiguous`, `Rejected`, `TooLarge` or `Misconfigured` (see the table above).
        """
        ...

    def close(self) -> None:
        """Release connections and files. Called once; must not raise for a destination that is failing."""
        ...


@runtime_checkable
class PartsAdapter(Protocol):
    """An adapter that hands over several parts at once, such as a producer that keeps many messages on their way.

    One without it is given its parts one after the other, by `send`.
    """

    def send_parts(self, parts: Sequence[Part]) -> Sequence[Answer]:
        """Hand over parts and return what became of each, in their order. Blocks at most the adapter's own timeout.

        A part that was not taken has an exception of the table above as its answer; only such parts are sent again, split or given up.
        An exception that is raised is the answer for all of them.
        """
        ...


@runtime_checkable
class TraceReader(Protocol):
    """A destination that can be read back. Called from the application's threads, not delivery's.

    An adapter is one itself; or, where that depends on its options, it declares `reader: TraceReader | None`.
    """

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order; empty when the trace is unknown. `trace_id` is 16 bytes."""
        ...

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs (16 bytes each) of the traces that carry this custom ID, newest first."""
        ...

    def search(self, query: Query) -> Page:
        """Return one page of traces that match; see `tracebridge.reading.search`."""
        ...

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of the trace in the destination's own UI, or None."""
        ...


@runtime_checkable
class HealthCheck(Protocol):
    """A destination that says more of itself when it is asked than when it is sent spans: `doctor` asks."""

    def health_problem(self) -> str:
        """Return what the destination says is wrong with it; empty when it is well or does not say. Blocks at most the timeout."""
        ...


def may_be_read(kind: type[Any]) -> bool:
    """Return whether adapters of a class can be read back: all of them, or those whose options say so."""
    return issubclass(kind, TraceReader) or _annotates(kind, "reader")


def reader_of(adapter: Any) -> TraceReader | None:
    """Return what reads an adapter's destination back: the adapter itself, its `reader`, or None."""
    if isinstance(adapter, TraceReader):
        return adapter
    reader = getattr(adapter, "reader", None)
    return reader if isinstance(reader, TraceReader) else None


@runtime_checkable
class TraceEditor(Protocol):
    """A readable destination whose finished traces can still be changed (the embedded store, MLflow)."""

    def set_tag(self, trace_id: bytes, key: str, value: str) -> bool:
        """Set a tag on the trace's root; False when the trace is unknown."""
        ...

    def delete_tag(self, trace_id: bytes, key: str) -> bool:
        """Delete a tag from the trace's root; False when the trace or the tag is unknown."""
        ...

    def delete(self, trace_ids: Sequence[bytes]) -> int:
        """Delete whole traces; return how many there were."""
        ...


def takes_encoded(adapter: Any) -> bool:
    """Return whether `encode` may be given a sequence that decodes a record whenever it is looked at, and is no list.

    Adapters say so by `takes_encoded = True`: those of ours that seldom look, because they encode the journal's bytes themselves.
    """
    return bool(getattr(adapter, "takes_encoded", False))


class Looked(NamedTuple):
    """How far a search is that looks through traces one after the other, newest first."""

    traces: int
    """Looked at so far."""
    start_ns: int
    """Start of the last of them."""


@runtime_checkable
class StreamingReader(Protocol):
    """A readable destination that gives what it finds as it finds it, so that a long search can be watched and ended."""

    def stream(self, query: Query, looked: Callable[[Looked], None]) -> Iterator[list[SpanRecord]]:
        """Yield matching traces, newest first, without end of pages; tell `looked` now and then how far the search is."""
        ...


@runtime_checkable
class FindingReader(Protocol):
    """A readable destination that knows traces by less than a whole ID; others are asked for whole IDs only."""

    def near(self, sought: Sought, limit: int) -> list[Near]:
        """Return at most so many traces that a text may mean: by half of an ID, a span's ID, part of an ID."""
        ...

    def similar(self, text: str, limit: int) -> list[Near]:
        """Return at most so many recent traces whose own ID is like a text."""
        ...


@runtime_checkable
class PartialReader(Protocol):
    """A readable destination that can give part of a trace, which may have a million spans."""

    def first(self, trace_id: bytes, limit: int) -> tuple[list[SpanRecord], int]:
        """Return at most so many spans of a trace, those that started first, and how many it has."""
        ...


class Bounds(NamedTuple):
    """What bounds a store; whichever comes first counts, and 0 bounds nothing."""

    max_age_s: float = 0.0
    max_traces: int = 0
    max_bytes: int | None = None
    """None for what the file was made with."""


class Pruned(NamedTuple):
    """What was deleted to keep within bounds."""

    traces: int
    spans: int


@runtime_checkable
class StoreKeeper(Protocol):
    """A destination whose own file can be looked after: `tracebridge store`."""

    def info(self) -> dict[str, Any]:
        """Return what is to be known of the file, as plain values."""
        ...

    def prune(self, bounds: Bounds | None = None) -> Pruned:
        """Delete the oldest traces until the file is within these bounds (by default its own), and give the space back."""
        ...

    def vacuum(self) -> tuple[int, int]:
        """Write the file anew without holes; return its bytes before and after."""
        ...


def _annotates(kind: type[Any], name: str) -> bool:
    """Return whether a class itself annotates a name. From Python 3.14 on, annotations are evaluated when they are asked for, which may fail."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return name in annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF)
    return name in getattr(kind, "__annotations__", ())
