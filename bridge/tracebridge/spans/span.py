"""The live span: what `start_trace` and `start_span` return.

A span belongs to its trace's table of open spans until it ends. Everything that can be set is a snapshot taken at the
call. No member raises because of data, and every member exists on every path.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, SupportsIndex

import msgspec

from tracebridge.errors import TraceFinishedError
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.entities import Link, SpanEvent, SpanStatus, SpanStatusCode, read_status, stack_trace
from tracebridge.records.fast_path import MOST_AT_ONCE
from tracebridge.records.mlflow_span import DESCRIPTION, LOG_LEVEL, MlflowMembers, SpanLogLevel, read_log_level
from tracebridge.records.record import EndCause, Event, Kind, StatusCode, Value
from tracebridge.records.record import Link as LinkRecord
from tracebridge.records.values import Tally

if TYPE_CHECKING:
    from tracebridge.calls.core import Core
    from tracebridge.propagation.context import RemoteParent
    from tracebridge.spans.live import LiveTrace

MAX_NAME = 1024  # characters of a span's name and of its type


class OwnId(NamedTuple):
    """The caller's own text for a span's ID, and the scheme that read it."""

    text: str
    scheme: str


Place = tuple[CodeType, int]
"""Where a span was opened: a code object and an instruction offset in it; the line is looked up only when shown."""

KEEP_ERROR: Any = object()
"""The default status of an end: OK for a clean span, but an ERROR recorded before stays."""


class Span(MlflowMembers, msgspec.Struct, eq=False, weakref=True):
    """One open (or ended) span. Safe to use from any thread.

    A msgspec struct because one is built in a fifth of the time of a class with `__slots__` (0.2 against 0.9 µs).
    """

    calls: Core
    trace: LiveTrace
    span_id: str
    """16 lower-case hex digits."""
    raw_id: bytes
    parent_id: str | None
    """16 lower-case hex digits, or None for a root."""
    parent_raw: bytes | None
    name: str
    start_time_ns: int
    """Nanoseconds since the Unix epoch."""
    place: Place
    kind: int = int(Kind.INTERNAL)
    span_type: str = "UNKNOWN"
    end_time_ns: int | None = None
    """Nanoseconds since the Unix epoch; None while the span is open."""
    cause: EndCause | None = None
    """Why it ended; None while it is open."""
    inputs: Any = None
    """The recorded inputs; None when not set."""
    outputs: Any = None
    """The recorded outputs; None when not set."""
    attributes_now: dict[str, Value] = {}
    harmless: bool = True
    """Nothing but plain values (`tracebridge.records.fast_path`), and no secret among them: the short way past the stages is open."""
    code: int = int(StatusCode.UNSET)
    status_message: str = ""
    event_records: list[Event] | None = None
    link_records: list[LinkRecord] | None = None
    counts: Tally | None = None
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    parent_is_remote: bool = False
    origin: RemoteParent | None = None
    """The context from elsewhere that this span descends from: its flags, trace state and baggage go on to whatever is called."""
    own_id: OwnId | None = None
    """What the caller gave as the span's ID, where it is not the ID itself."""

    # ------------------------------------------------------------------ reading

    @property
    def trace_id(self) -> str:
        """The caller's own trace ID, or 32 hex digits when none was given."""
        return self.trace.shown_id

    request_id = trace_id
    """MLflow 2's name for `trace_id`."""

    @property
    def wire_trace_id(self) -> str:
        """The 32 lower-case hex digits that back-ends show."""
        return self.trace.hex_id

    @property
    def custom_span_id(self) -> str | None:
        """The caller's own span ID, letter for letter; None when none was given, or it is `span_id` itself."""
        return None if self.own_id is None else self.own_id.text

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of the recorded attributes."""
        return self.attributes_now.copy()

    @property
    def status(self) -> SpanStatus:
        """The status recorded so far."""
        return SpanStatus(SpanStatusCode(StatusCode(self.code).name), self.status_message)

    @property
    def events(self) -> list[SpanEvent]:
        """The recorded events."""
        return [SpanEvent(event.name, event.time_ns, dict(event.attributes)) for event in self.event_records or ()]

    @property
    def links(self) -> list[Link]:
        """The recorded links."""
        return [
            Link(link.trace_id.hex(), link.span_id.hex(), dict(link.attributes), link.trace_state)
            for link in self.link_records or ()
        ]

    def get_attribute(self, key: str) -> Any:
        """Return one recorded attribute, or None."""
        return self.attributes_now.get(key) if issubclass(type(key), str) else None

    # ------------------------------------------------------------------ writing

    def set_inputs(self, inputs: Any) -> None:
        """Record what goes in; None means not set."""
        if inputs is not None and self._open():
            plain = self.calls.reducer.plain_payload(inputs)
            self.inputs = self.calls.reducer.payload(inputs, self.tally) if plain is None else plain
            if self.calls.keeps_open:
                self.calls.note(self, inputs=self.inputs)

    def set_outputs(self, outputs: Any) -> None:
        """Record what comes out; None means not set."""
        if outputs is not None and self._open():
            plain = self.calls.reducer.plain_payload(outputs)
            self.outputs = self.calls.reducer.payload(outputs, self.tally) if plain is None else plain
            if self.calls.keeps_open:
                self.calls.note(self, outputs=self.outputs)

    def set_attribute(self, key: str, value: Any) -> None:
        """Record one attribute; an earlier value of the same key is replaced."""
        try:
            given = {key: value}
        except BaseException as error:  # a key that no dict takes
            raise_interrupt(error)
            given = {self.calls.reducer.text(key, self.tally): value}
        self.set_attributes(given)

    def set_attributes(self, attributes: Mapping[str, Any] | None) -> None:
        """Record several attributes; earlier values of the same keys are replaced."""
        if attributes is not None and self._open():
            filled = self.fill(attributes)
            if self.calls.keeps_open:
                self.calls.note(self, attributes=filled)

    def set_status(self, status: SpanStatus | SpanStatusCode | str) -> None:
        """Record a status: "OK", "ERROR", "UNSET" or a SpanStatus. Anything else counts as misuse and as ERROR."""
        if self._open():
            self.take_status(status)
            if self.calls.keeps_open:
                self.calls.note(self, status_message=self.status_message)

    def set_span_type(self, span_type: str) -> None:
        """Record the span's type, such as `SpanType.LLM`."""
        if self._open():
            self.span_type = self.calls.reducer.text(span_type, self.tally)[:MAX_NAME]
            if self.calls.keeps_open:
                self.calls.note(self, span_type=self.span_type)

    def set_description(self, description: str) -> None:
        """Record what the span is about, as the attribute `mlflow.spanDescription`."""
        self.set_attribute(DESCRIPTION, description)

    def set_log_level(self, level: SpanLogLevel | int | str) -> None:
        """Record how severe it is, by name or number, as the attribute `mlflow.spanLogLevel`. Anything else counts as misuse and is left out."""
        found = read_log_level(level)
        if found is None:
            self.calls.refuse(
                "bad_log_level",
                f"unknown log level: {self.calls.told(level)}; it is left out. Give DEBUG, INFO, WARNING, ERROR or CRITICAL.",
            )
            return
        self.set_attribute(LOG_LEVEL, int(found))

    def add_event(self, event: SpanEvent) -> None:
        """Record an event (anything with MLflow's `name`, `timestamp` and `attributes`)."""
        if not self._open():
            return
        calls = self.calls
        records = self.event_records
        if records is None:
            with calls.accounts.lock:  # another thread may be adding a first one as well
                records = self.event_records
                if records is None:
                    records = self.event_records = []
        if len(records) >= calls.limits.event_count_limit:
            self.dropped_events += 1
            self.harmless = False
            return
        made = calls.plain_event(event) or calls.event_record(event, self.trace, self.tally)
        records.append(made)
        if calls.keeps_open:
            calls.note(self, events=(made,))

    def add_link(self, link: Link) -> None:
        """Record a link to another span (anything with MLflow's `trace_id`, `span_id` and `attributes`)."""
        if not self._open():
            return
        self.harmless = False
        records = self.link_records
        if records is None:
            with self.calls.accounts.lock:
                records = self.link_records
                if records is None:
                    records = self.link_records = []
        made = None
        if len(records) < self.calls.limits.link_count_limit:
            made = self.calls.link_record(link, self.tally)
        if made is None:
            self.dropped_links += 1
        else:
            records.append(made)
            if self.calls.keeps_open:
                self.calls.note(self, links=(made,))

    def record_exception(self, exception: BaseException | str) -> None:
        """Record an exception as an event and the status as ERROR."""
        if issubclass(type(exception), BaseException):
            kind = type(exception).__name__
            message = self.calls.reducer.text(exception, self.tally)
            attributes = {
                "exception.type": kind,
                "exception.message": message,
                "exception.stacktrace": stack_trace(exception),
            }
        else:
            kind, message = "", self.calls.reducer.text(exception, self.tally)
            attributes = {"exception.message": message}
        self.add_event(SpanEvent("exception", attributes=attributes))
        if self._open():
            self.code = int(StatusCode.ERROR)
            self.status_message = f"{kind}: {message}" if kind else message
            if self.calls.keeps_open:
                self.calls.note(self, status_message=self.status_message)

    def end(
        self,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
    ) -> None:
        """End the span, as `client.end_span` does. Ending the root completes the trace."""
        self.calls.end(self, outputs, attributes, status, end_time_ns)

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
        return f"Span(name={self.name!r}, trace_id={self.trace_id!r}, span_id={self.span_id!r})"

    # ------------------------------------------------------------------ for the core, not for applications

    @property
    def tally(self) -> Tally:
        """The counts of what had to be done to this span's values."""
        if self.counts is None:
            self.counts = Tally()
        self.harmless = False  # something about this span is out of the ordinary
        return self.counts

    @property
    def opened_at(self) -> str:
        """`file:line` of the call that opened the span."""
        code, offset = self.place
        known = _shown_places.get((id(code), offset))
        return known[1] if known is not None else _show_place(code, offset)

    def fill(self, attributes: Any) -> dict[str, Value]:
        """Add attributes, reduced, up to the limit of keys, and return what was added; what is over is counted."""
        reducer = self.calls.reducer
        limit = self.calls.limits.attribute_count_limit
        if type(attributes) is dict and len(attributes) > max(MOST_AT_ONCE, limit):
            attributes = self._first_of(attributes, max(MOST_AT_ONCE, limit))
        reduced = reducer.plain(attributes)
        if reduced is None:
            reduced = reducer.attributes(attributes, self.tally)
            self.harmless = False
        into = self.attributes_now
        if len(into) + len(reduced) <= limit:
            into.update(reduced)  # one step under the interpreter: other threads may be setting some as well
            return reduced
        added = {}
        for key, value in reduced.items():
            if key in into or len(into) < limit:
                added[key] = into[key] = value
            else:
                self.dropped_attributes += 1
                self.harmless = False
        return added

    def _first_of(self, attributes: dict[Any, Any], most: int) -> dict[Any, Any]:
        """Return the first so many attributes of an enormous mapping: judging each of ten thousand keys would cost milliseconds."""
        taken = attributes.copy()
        self.dropped_attributes += len(taken) - most
        self.harmless = False
        return dict(islice(taken.items(), most))

    def take_status(self, status: Any) -> None:
        """Record a status; one that means nothing is counted and recorded as ERROR with its text."""
        found = read_status(status)
        if found is None:
            found = (StatusCode.ERROR, f"unknown status {self.calls.reducer.show(status)}")
            self.code, self.status_message = int(found[0]), self.calls.reducer.text(found[1], self.tally)
            self.calls.refuse(
                "bad_status",
                f"unknown status: {self.calls.told(status)}; the span is recorded as ERROR. Give OK, ERROR or UNSET.",
            )
            return
        self.code = int(found[0])
        if found[0] is not StatusCode.ERROR:
            self.status_message = ""
            return
        self.status_message = self.calls.reducer.text(found[1], self.tally)

    def _open(self) -> bool:
        if self.cause is None:
            return True
        name = self.calls.reducer.show(self.name)
        self.calls.refuse(
            "change_after_end",
            f"span {name!r} was changed after its end; the change is not recorded.",
            TraceFinishedError,
        )
        return False


PLACES_REMEMBERED = 4096  # a program has few; a journal on disk asks for one with every start

_shown_places: dict[tuple[int, int], tuple[CodeType, str]] = {}
"""By identity, because the hash of a code object costs as much as looking the line up; the object itself keeps that from being reused."""


def _show_place(code: CodeType, offset: int) -> str:
    shown = code.co_filename
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            shown = f"{code.co_filename}:{line}"
            break
    if len(_shown_places) >= PLACES_REMEMBERED:
        _shown_places.clear()
    _shown_places[id(code), offset] = (code, shown)
    return shown


def member(given: Any, name: str) -> Any:
    """Return a member of something handed in, or None when it has none or will not tell."""
    try:
        return getattr(given, name, None)
    except BaseException as error:
        raise_interrupt(error)
        return None
