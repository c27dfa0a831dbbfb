"""The live span: what `start_trace` and `start_span` return.

A span belongs to its trace's table of open spans until it ends. Everything that can be set is a snapshot taken at the
call. No member raises because of data, and every member exists on every path.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, SupportsIndex

import msgspec

from tracebridge.errors import TraceFinishedError
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.entities import Link, SpanEvent, SpanStatus, SpanStatusCode, read_status, stack_trace
from tracebridge.records.fast_path import MOST_AT_ONCE
from tracebridge.records.mlflow_span import DESCRIPTION, LOG_LEVEL, MlflowMembers, SpanLogLevel, read_log_level
from tracebridge.records.record import EndCause, Event, Kind, StatusCode, Value
from tracebridge.records.record import Link as LinkRecord
from tracebridge.records.values import Tally, copied
from tracebridge.spans.call_site import CallSite, shown

if TYPE_CHECKING:
    from tracebridge.calls.core import Core
    from tracebridge.propagation.context import RemoteParent
    from tracebridge.spans.live import LiveTrace

MAX_NAME = 1024  # characters of a span's name and of its type


class OwnId(NamedTuple):
    """The caller's own text for a span's ID, and the scheme that read it."""

    text: str
    scheme: str


KEEP_ERROR: Any = object()
"""The default status of an end: OK for a clean span, but an ERROR recorded before stays."""


class Span(MlflowMembers, msgspec.Struct, eq=False, weakref=True):
    """One open (or ended) span. Safe to use from any thread.

    A msgspec struct because one is built in a fifth of the time of a class with `__slots__` (0.2 against 0.9 µs).
    """

    _calls: Core
    _trace: LiveTrace
    _span_id: str
    _raw_id: bytes
    _parent_id: str | None
    _parent_raw: bytes | None
    _name: str
    _start_time_ns: int
    _call_site: CallSite
    _kind: int = int(Kind.INTERNAL)
    _span_type: str = "UNKNOWN"
    _end_time_ns: int | None = None
    _cause: EndCause | None = None
    _inputs: Any = None
    _outputs: Any = None
    _attributes: dict[str, Value] = {}
    _fast_path: bool = True
    """Nothing but plain values (`tracebridge.records.fast_path`), and no secret among them: the short way past the stages is open."""
    _code: int = int(StatusCode.UNSET)
    _status_message: str = ""
    _events: list[Event] | None = None
    _links: list[LinkRecord] | None = None
    _counts: Tally | None = None
    _dropped_attributes: int = 0
    _dropped_events: int = 0
    _dropped_links: int = 0
    _parent_is_remote: bool = False
    _origin: RemoteParent | None = None
    """The context from elsewhere that this span descends from: its flags, trace state and baggage go on to whatever is called."""
    _own_id: OwnId | None = None
    """What the caller gave as the span's ID, where it is not the ID itself."""

    # ------------------------------------------------------------------ reading

    @property
    def span_id(self) -> str:
        """16 lower-case hex digits."""
        return self._span_id

    @property
    def parent_id(self) -> str | None:
        """16 lower-case hex digits, or None for a root."""
        return self._parent_id

    @property
    def name(self) -> str:
        """The span's name."""
        return self._name

    @property
    def start_time_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return self._start_time_ns

    @property
    def end_time_ns(self) -> int | None:
        """Nanoseconds since the Unix epoch; None while the span is open."""
        return self._end_time_ns

    @property
    def kind(self) -> int:
        """A `Kind`."""
        return self._kind

    @property
    def span_type(self) -> str:
        """MLflow's span type."""
        return self._span_type

    @property
    def cause(self) -> EndCause | None:
        """Why it ended; None while it is open."""
        return self._cause

    @property
    def inputs(self) -> Any:
        """A copy of the recorded inputs; None when not set."""
        return copied(self._inputs)

    @property
    def outputs(self) -> Any:
        """A copy of the recorded outputs; None when not set."""
        return copied(self._outputs)

    @property
    def trace_id(self) -> str:
        """The caller's own trace ID, or 32 hex digits when none was given."""
        return self._trace.shown_id

    request_id = trace_id
    """MLflow 2's name for `trace_id`."""

    @property
    def wire_trace_id(self) -> str:
        """The 32 lower-case hex digits that back-ends show."""
        return self._trace.hex_id

    @property
    def custom_span_id(self) -> str | None:
        """The caller's own span ID, letter for letter; None when none was given, or it is `span_id` itself."""
        return None if self._own_id is None else self._own_id.text

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of the recorded attributes."""
        return {key: copied(value) for key, value in self._attributes.copy().items()}

    @property
    def status(self) -> SpanStatus:
        """The status recorded so far."""
        return SpanStatus(SpanStatusCode(StatusCode(self._code).name), self._status_message)

    @property
    def events(self) -> list[SpanEvent]:
        """The recorded events."""
        return [SpanEvent(event.name, event.time_ns, dict(event.attributes)) for event in self._events or ()]

    @property
    def links(self) -> list[Link]:
        """The recorded links."""
        return [
            Link(link.trace_id.hex(), link.span_id.hex(), dict(link.attributes), link.trace_state)
            for link in self._links or ()
        ]

    def get_attribute(self, key: str) -> Any:
        """Return one recorded attribute, or None."""
        return self._attributes.get(key) if issubclass(type(key), str) else None

    # ------------------------------------------------------------------ writing

    def set_inputs(self, inputs: Any) -> None:
        """Record what goes in; None means not set."""
        if inputs is not None and self._open():
            plain = self._calls._reducer.plain_payload(inputs)
            self._inputs = self._calls._reducer.payload(inputs, self._tally) if plain is None else plain
            if self._calls._keeps_open:
                self._calls._note(self, inputs=self._inputs)

    def set_outputs(self, outputs: Any) -> None:
        """Record what comes out; None means not set."""
        if outputs is not None and self._open():
            plain = self._calls._reducer.plain_payload(outputs)
            self._outputs = self._calls._reducer.payload(outputs, self._tally) if plain is None else plain
            if self._calls._keeps_open:
                self._calls._note(self, outputs=self._outputs)

    def set_attribute(self, key: str, value: Any) -> None:
        """Record one attribute; an earlier value of the same key is replaced."""
        try:
            given = {key: value}
        except BaseException as error:  # a key that no dict takes
            raise_interrupt(error)
            given = {self._calls._reducer.text(key, self._tally): value}
        self.set_attributes(given)

    def set_attributes(self, attributes: Mapping[str, Any] | None) -> None:
        """Record several attributes; earlier values of the same keys are replaced."""
        if attributes is not None and self._open():
            filled = self._fill(attributes)
            if self._calls._keeps_open:
                self._calls._note(self, attributes=filled)

    def set_status(self, status: SpanStatus | SpanStatusCode | str) -> None:
        """Record a status: "OK", "ERROR", "UNSET" or a SpanStatus. Anything else counts as misuse and as ERROR."""
        if self._open():
            self._take_status(status)
            if self._calls._keeps_open:
                self._calls._note(self, status_message=self._status_message)

    def set_span_type(self, span_type: str) -> None:
        """Record the span's type, such as `SpanType.LLM`."""
        if self._open():
            self._span_type = self._calls._reducer.text(span_type, self._tally)[:MAX_NAME]
            if self._calls._keeps_open:
                self._calls._note(self, span_type=self._span_type)

    def set_description(self, description: str) -> None:
        """Record what the span is about, as the attribute `mlflow.spanDescription`."""
        self.set_attribute(DESCRIPTION, description)

    def set_log_level(self, level: SpanLogLevel | int | str) -> None:
        """Record how severe it is, by name or number, as the attribute `mlflow.spanLogLevel`. Anything else counts as misuse and is left out."""
        found = read_log_level(level)
        if found is None:
            self._calls._refuse(
                "bad_log_level",
                f"unknown log level: {self._calls._told(level)}; it is left out. Give DEBUG, INFO, WARNING, ERROR or CRITICAL.",
            )
            return
        self.set_attribute(LOG_LEVEL, int(found))

    def add_event(self, event: SpanEvent) -> None:
        """Record an event (anything with MLflow's `name`, `timestamp` and `attributes`)."""
        if not self._open():
            return
        calls = self._calls
        records = self._events
        if records is None:
            with calls._accounts.lock:  # another thread may be adding a first one as well
                records = self._events
                if records is None:
                    records = self._events = []
        if len(records) >= calls._limits.event_count_limit:
            self._dropped_events += 1
            self._fast_path = False
            return
        made = calls._plain_event(event) or calls._event_record(event, self._trace, self._tally)
        records.append(made)
        if calls._keeps_open:
            calls._note(self, events=(made,))

    def add_link(self, link: Link) -> None:
        """Record a link to another span (anything with MLflow's `trace_id`, `span_id` and `attributes`)."""
        if not self._open():
            return
        self._fast_path = False
        records = self._links
        if records is None:
            with self._calls._accounts.lock:
                records = self._links
                if records is None:
                    records = self._links = []
        made = None
        if len(records) < self._calls._limits.link_count_limit:
            made = self._calls._link_record(link, self._tally)
        if made is None:
            self._dropped_links += 1
        else:
            records.append(made)
            if self._calls._keeps_open:
                self._calls._note(self, links=(made,))

    def record_exception(self, exception: BaseException | str) -> None:
        """Record an exception as an event and the status as ERROR."""
        if issubclass(type(exception), BaseException):
            kind = type(exception).__name__
            message = self._calls._reducer.text(exception, self._tally)
            attributes = {
                "exception.type": kind,
                "exception.message": message,
                "exception.stacktrace": stack_trace(exception),
            }
        else:
            kind, message = "", self._calls._reducer.text(exception, self._tally)
            attributes = {"exception.message": message}
        self.add_event(SpanEvent("exception", attributes=attributes))
        if self._open():
            self._code = int(StatusCode.ERROR)
            self._status_message = f"{kind}: {message}" if kind else message
            if self._calls._keeps_open:
                self._calls._note(self, status_message=self._status_message)

    def end(
        self,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
    ) -> None:
        """End the span, as `client.end_span` does. Ending the root completes the trace."""
        self._calls._end(self, outputs, attributes, status, end_time_ns)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "a span cannot be pickled, because it is open in this process only; pass span.trace_id and span.span_id, or the headers that "
            "client.inject(span, headers) fills, and start spans below it there with parent=client.extract(headers)"
        )

    def __copy__(self) -> Span:
        return self

    def __deepcopy__(self, memo: Any) -> Span:
        """Stay the same span in a copy of what holds it, such as a framework's state."""
        return self

    def __repr__(self) -> str:
        return f"Span(name={self._name!r}, trace_id={self.trace_id!r}, span_id={self._span_id!r})"

    # ------------------------------------------------------------------ for the core, not for applications

    @property
    def _tally(self) -> Tally:
        """The counts of what had to be done to this span's values."""
        if self._counts is None:
            self._counts = Tally()
        self._fast_path = False  # something about this span is out of the ordinary
        return self._counts

    @property
    def _opened_at(self) -> str:
        """`file:line` of the call that opened the span."""
        return shown(self._call_site)

    def _fill(self, attributes: Any) -> dict[str, Value]:
        """Add attributes, reduced, up to the limit of keys, and return what was added; what is over is counted."""
        reducer = self._calls._reducer
        limit = self._calls._limits.attribute_count_limit
        if type(attributes) is dict and len(attributes) > max(MOST_AT_ONCE, limit):
            attributes = self._first_of(attributes, max(MOST_AT_ONCE, limit))
        reduced = reducer.plain(attributes)
        if reduced is None:
            reduced = reducer.attributes(attributes, self._tally)
            self._fast_path = False
        into = self._attributes
        if len(into) + len(reduced) <= limit:
            into.update(reduced)  # one step under the interpreter: other threads may be setting some as well
            return reduced
        added = {}
        for key, value in reduced.items():
            if key in into or len(into) < limit:
                added[key] = into[key] = value
            else:
                self._dropped_attributes += 1
                self._fast_path = False
        return added

    def _first_of(self, attributes: dict[Any, Any], most: int) -> dict[Any, Any]:
        """Return the first so many attributes of an enormous mapping: judging each of ten thousand keys would cost milliseconds."""
        taken = attributes.copy()
        self._dropped_attributes += len(taken) - most
        self._fast_path = False
        return dict(islice(taken.items(), most))

    def _take_status(self, status: Any) -> None:
        """Record a status; one that means nothing is counted and recorded as ERROR with its text."""
        found = read_status(status)
        if found is None:
            found = (StatusCode.ERROR, f"unknown status {self._calls._reducer.show(status)}")
            self._code, self._status_message = int(found[0]), self._calls._reducer.text(found[1], self._tally)
            self._calls._refuse(
                "bad_status",
                f"unknown status: {self._calls._told(status)}; the span is recorded as ERROR. Give OK, ERROR or UNSET.",
            )
            return
        self._code = int(found[0])
        if found[0] is not StatusCode.ERROR:
            self._status_message = ""
            return
        self._status_message = self._calls._reducer.text(found[1], self._tally)

    def _open(self) -> bool:
        if self._cause is None:
            return True
        name = self._calls._reducer.show(self._name)
        self._calls._refuse(
            "change_after_end",
            f"span {name!r} was changed after its end; the change is not recorded.",
            TraceFinishedError,
        )
        return False
