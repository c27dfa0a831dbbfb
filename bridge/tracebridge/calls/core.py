"""What starting, ending and reading share: the state of one client, and the few helpers that all three need."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any

from tracebridge.calls.misuse import Misuse, log
from tracebridge.errors import InvalidParameterError, TracebridgeError, misuse
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.ids.identity import Identity
from tracebridge.ids.wire import names_span, span_bytes
from tracebridge.journal.base import Journal
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.propagation.propagator import Propagator
from tracebridge.records.entities import SpanEvent, read_kind
from tracebridge.records.record import Event, Kind, Link, SpanRecord
from tracebridge.records.values import Tally
from tracebridge.sampling.head import Head
from tracebridge.settings.model import LimitsSettings
from tracebridge.spans.live import LiveTable, LiveTrace
from tracebridge.spans.noop import NOOP_TRACE_ID, NoopSpan
from tracebridge.spans.span import Span, member
from tracebridge.stages.stage import Stages

if TYPE_CHECKING:
    from tracebridge.wiring import Parts

NOOP = NoopSpan()


class Closing(Exception):
    """The client was closed since a start began: raised where the lock is held, for where it is not."""


AFTER_CLOSE = "start_after_close"
SPAN_LOCKS = 16  # so that threads which set attributes seldom meet
INTERNAL, LAST_KIND = int(Kind.INTERNAL), int(max(Kind))


class Core(Misuse):
    """The state behind the calls; `Client` fills it in."""

    __slots__ = ("_native",)  # C finds it at the same place in every client

    _parts: Parts
    """What is needed now and then, behind one attribute: of an instance with thirty or more, CPython 3.11 looks each up in a dictionary."""
    _ids: Identity
    """This client's schemes, width and generator of IDs."""
    _journal: Journal
    _stages: Stages
    _wall: Callable[[], int]
    _ticks: Callable[[], int]
    _table: LiveTable
    _native: object | None
    """What the calls' short way in C needs to know (`tracebridge.calls.shortcuts`); None where all goes the Python way."""
    _off: bool
    """Whether starts make no-op spans: the client is closed, or tracing is disabled."""
    _closed: bool
    _head: Head | None
    """Decides about traces at their start; None without `sampling`."""
    _propagator: Propagator
    _most_attributes: int
    _span_locks: tuple[RLock, ...]
    """Open spans share them (`Span._lock`). They are held for a few instructions of ours, never while code of the application runs."""
    _shares_current: bool
    """Whether what is current here is OpenTelemetry's current span too."""
    _shares_all: bool
    """Whether every span is given to the engine of shared spans."""
    _keeps_open: bool
    """Whether the journal wants to know of open spans and what is set on them."""

    @property
    def _limits(self) -> LimitsSettings:
        return self._settings.limits

    @property
    def _drops_unsampled(self) -> bool:
        """Whether spans are dropped (and counted) where whoever called us decided that the trace is not sampled."""
        return self._settings.propagation.unsampled == "drop"

    def _on_first_trace(self) -> None:
        """Start the workers, once."""
        raise NotImplementedError

    def _end(self, span: Span, outputs: Any, attributes: Any, status: Any, end_time_ns: Any) -> None:
        """End a live span (`tracebridge.calls.ending`)."""
        raise NotImplementedError

    def _note(self, span: Span, **fields: Any) -> None:
        """Tell a journal on disk what was set on an open span (`tracebridge.calls.recording`)."""
        raise NotImplementedError

    def _on_late_children(self, trace: LiveTrace) -> None:
        """A root has ended with children open."""
        raise NotImplementedError

    def _unknown_end(self, trace_id: Any, span_id: Any) -> None:
        """Count the end of a span that is not open (`tracebridge.calls.ending`)."""
        raise NotImplementedError

    def _ingest(self, records: Sequence[SpanRecord]) -> None:
        """Take finished records made elsewhere (`tracebridge.calls.ingesting`)."""
        raise NotImplementedError

    def _find(self, key: Any) -> LiveTrace | None:
        """Return an open trace by any spelling of its ID, or None."""
        if issubclass(type(key), str):
            key = str.__str__(key)
            trace = self._table.traces.get(key)
            if trace is not None or not key or key == NOOP_TRACE_ID:
                return trace
        elif type(key) is not TraceId:
            return None
        traces = (self._table.traces.get(wire.trace_id.hex()) for wire in self._ids.meanings(key))
        return next((trace for trace in traces if trace is not None), None)

    def _has_finished(self, key: Any) -> bool:
        """Return whether a trace of that ID was open here and has finished, as far as is remembered."""
        if type(key) is TraceId:
            key = self._ids.wire(key).trace_id.hex()
        return issubclass(type(key), str) and str.__str__(key) in self._table.finished

    def _closed_trace(self, key: Any) -> LiveTrace | None:
        """Return a trace by any spelling of its ID when we ended a span of it ourselves, as far as is remembered."""
        closed = self._table.closed
        if not closed or not issubclass(type(key), (str, TraceId)):
            return None
        traces = (closed.get(wire.trace_id.hex()) for wire in self._ids.meanings(key))
        return next((trace for trace in traces if trace is not None), None)

    def _read_span_id(self, key: Any) -> SpanId | None:
        """Return what a caller addresses a span by, read; None for what can be no span ID."""
        try:
            return self._ids.span(key)
        except TracebridgeError:
            return None

    def _instant(self, given: Any, trace: LiveTrace, tally: Tally) -> int:
        """Return a time in Unix nanoseconds: what was given when it can be one, else now (marked)."""
        if given is not None:
            kind = type(given)
            try:
                time_ns = -1 if kind is bool else int(given) if kind is float else int(operator.index(given))
            except BaseException as error:  # NaN, infinity, and whatever is not a number
                raise_interrupt(error)
                time_ns = -1
            if 0 <= time_ns < 2**63:
                return time_ns
            tally.repaired += 1
        return trace.anchor_ns + self._ticks()

    def _plain_event(self, given: Any) -> Event | None:
        """Return the record of an event that is one of ours, of plain values; None for any other: `event_record` takes it."""
        if type(given) is not SpanEvent:
            return None
        name, time_ns = given.name, given.timestamp
        attributes = self._reducer.fast_attributes(given.attributes)
        if attributes is None or type(name) is not str or type(time_ns) is not int or not 0 <= time_ns < 2**63:
            return None
        if len(name) > self._limits.attribute_value_length_limit or not name.isascii():
            return None
        return Event(name, time_ns, attributes)

    def _event_record(self, given: Any, trace: LiveTrace, tally: Tally) -> Event:
        """Return the record of an event, whatever it is."""
        reducer = self._reducer
        time_ns, name, attributes = member(given, "timestamp"), member(given, "name"), member(given, "attributes")
        return Event(
            reducer.text(given if name is None else name, tally),
            self._instant(time_ns, trace, tally),
            {} if attributes is None else reducer.attributes(attributes, tally),
        )

    def _link_record(self, link: Any, tally: Tally) -> Link | None:
        """Return a link with wire IDs, or None when its IDs are none."""
        span_id, trace_id = member(link, "span_id"), member(link, "trace_id")
        if not names_span(span_id) or not issubclass(type(trace_id), (str, TraceId)):
            return None
        meant = self._ids.meanings(trace_id)
        if not meant:
            return None
        given, state = member(link, "attributes"), member(link, "trace_state")
        attributes = {} if given is None else self._reducer.attributes(given, tally)
        trace_state = "" if state is None else self._reducer.text(state, tally)
        return Link(meant[0].trace_id, span_bytes(span_id), trace_state, attributes)

    def _kind_of(self, given: Any) -> int:
        """Return the number of a span's kind; what means none is misuse, and INTERNAL."""
        kind = read_kind(given)
        if kind is not None:
            return kind
        self._refuse(
            "bad_kind",
            f"unknown kind: {self._told(given)}; the span is recorded as INTERNAL. Give a name such as "
            '"client", a member of an enumeration that has such names, or a number of OTLP from 0 to 5.',
        )
        return INTERNAL

    def _started_when_off(self) -> NoopSpan:
        """Hand out the no-op span: tracing is disabled, or the client is closed, which is misuse."""
        if self._closed:
            self._refuse_after_close(AFTER_CLOSE, "a span was started after close(); it is not recorded.")
        return NOOP

    def _not_started(self, where: str, *ids: Any) -> NoopSpan:
        """Answer for a start that failed inside. Raises InvalidParameterError when an ID is at fault, which no dict can look up."""
        for given in ids:
            if given is not None and not _is_an_id(given):
                raise misuse(InvalidParameterError, f"{where}() was given {self._told(given)} as an ID; give text.")
        return self._broken(where)

    def _broken(self, where: str) -> NoopSpan:
        """A bug of ours must not become the caller's: log the first, count all, hand out the no-op span."""
        if self._accounts.note_misuse("internal_error"):
            log.exception("%s failed inside; tracing goes on", where)
        return NOOP


def _is_an_id(given: Any) -> bool:
    """Return whether a value can be looked up as an ID; a class derived from `str` may refuse to be hashed."""
    try:
        hash(given)
    except Exception:
        return False
    return issubclass(type(given), (str, TraceId, SpanId))


def one_id(trace_id: str | TraceId | None, request_id: str | TraceId | None) -> str | TraceId | None:
    """Return whichever of the two names of one thing was given; raises ValueError when both were."""
    if trace_id is not None and request_id is not None:
        raise ValueError("give trace_id or request_id, not both: they are two names of the same ID")
    return request_id if trace_id is None else trace_id
