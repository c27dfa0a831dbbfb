"""Starting and ending: the four calls on the hot path, and what a start or an end means for its trace.

Order of one end: the span leaves the table (that decides who ended it), its record is built and passes the stages, and
under one short lock it moves from *open* to *queued*. Data never makes a call raise: what goes wrong inside is counted
and logged, and the span arrives as well as it can be recorded.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tracebridge.accounts import Accounts
from tracebridge.clock import Clock
from tracebridge.context import current_span
from tracebridge.entities import Link, SpanStatus, SpanStatusCode
from tracebridge.errors import (
    DuplicateTraceError,
    InvalidParameterError,
    TraceFinishedError,
    TraceNotFoundError,
    TracebridgeError,
    misuse,
)
from tracebridge.ids.parent import RemoteParent, is_span_id, remote_parent
from tracebridge.ids.random_ids import shared_ids
from tracebridge.ids.schemes import WireId, derive
from tracebridge.journal.base import Journal, encode_record
from tracebridge.live import LiveTable, LiveTrace
from tracebridge.record import EndCause, Kind, SpanRecord, StatusCode
from tracebridge.record import Link as LinkRecord
from tracebridge.settings.model import LifecycleSettings, LimitsSettings, TraceIdSettings
from tracebridge.span import KEEP_ERROR, NOOP_TRACE_ID, AnySpan, NoopSpan, Place, Span
from tracebridge.stages import Stage, run_stages
from tracebridge.values import Reducer, Tally

NANOSECONDS = 1_000_000_000

_log = logging.getLogger("tracebridge")
_NOOP = NoopSpan()


class Calls:
    """The start and end calls over one table of open spans. `Client` is this plus reading and wiring."""

    accounts: Accounts
    reducer: Reducer
    limits: LimitsSettings
    _ids: TraceIdSettings
    _lifecycle: LifecycleSettings
    _journal: Journal
    _stages: Sequence[Stage]
    _clock: Clock
    _table: LiveTable
    _off: bool

    def start_trace(
        self,
        name: str,
        span_type: str = "UNKNOWN",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        experiment_id: str | None = None,
        start_time_ns: int | None = None,
        run_id: str | None = None,
        links: Sequence[Link] | None = None,
        *,
        trace_id: str | None = None,
        request_id: str | None = None,
        parent: Any = None,
        kind: Kind = Kind.INTERNAL,
    ) -> AnySpan:
        """Start a trace and return its live root span.

        `trace_id` (or its MLflow 2 name `request_id`) is the caller's own ID: any non-empty string up to 512
        characters; without it a random 128-bit ID is made. `parent` continues a remote context (a span, or anything
        with `trace_id` and `span_id`); the root is a true root otherwise. Times are Unix nanoseconds, default now.

        Raises DuplicateTraceError when the ID is open already (unless `trace_ids.on_duplicate: join`),
        InvalidParameterError for an ID that no scheme can take, ValueError when both names of the ID are given.
        """
        custom_id = one_id(trace_id, request_id)
        return self._guarded_root(
            custom_id, parent, name, span_type, inputs, attributes, tags, experiment_id, start_time_ns, run_id, links, kind, _place(sys._getframe(1))
        )  # fmt: skip

    def start_span(
        self,
        name: str,
        trace_id: str | None = None,
        parent_id: str | None = None,
        span_type: str = "UNKNOWN",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        start_time_ns: int | None = None,
        links: Sequence[Link] | None = None,
        *,
        request_id: str | None = None,
        kind: Kind = Kind.INTERNAL,
    ) -> AnySpan:
        """Start a child span and return it. The current span does not change.

        `parent_id` left out means the current span of that trace, else its root. IDs of a trace that this client never
        saw make a span under a remote parent: this is how IDs passed to another process work.

        Raises InvalidParameterError for an empty `parent_id` or a missing trace ID, TraceNotFoundError for an unknown
        parent of a known trace, ValueError when both names of the trace ID are given.
        """
        if request_id is not None:
            trace_id = one_id(trace_id, request_id)
        frame = sys._getframe(1)
        return self._guarded_child(
            name, trace_id, parent_id, span_type, inputs, attributes, start_time_ns, links, kind, (frame.f_code, frame.f_lasti)
        )  # fmt: skip

    def end_span(
        self,
        trace_id: str | None = None,
        span_id: str | None = None,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
        *,
        request_id: str | None = None,
    ) -> None:
        """End a span, merging `attributes` into its own. Ending the root completes the trace.

        Without `status` a clean span ends OK and one with an ERROR recorded keeps it. A span that is unknown or has
        ended is ignored and counted (`lifecycle.strict: true` raises TraceNotFoundError).
        """
        if request_id is not None:
            trace_id = one_id(trace_id, request_id)
        trace = self._table.traces.get(trace_id)  # type: ignore[arg-type] # None and odd types are simply not found
        if trace is None:
            trace = self._find(trace_id)
        span = trace.spans.get(span_id) if trace is not None else None  # type: ignore[arg-type]
        if span is None:
            self._unknown_end(trace_id, span_id)
        else:
            self.end(span, outputs, attributes, status, end_time_ns)

    def end_trace(
        self,
        trace_id: str | None = None,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
        *,
        request_id: str | None = None,
    ) -> None:
        """End the trace's root. Children still open may end normally within `lifecycle.late_children`.

        Raises TraceNotFoundError for an unknown trace, TraceFinishedError for one that has finished already,
        ValueError when both names of the ID are given.
        """
        key = one_id(trace_id, request_id)
        if key == NOOP_TRACE_ID or self._off:
            self.accounts.note_misuse("end_after_close" if self._off else "end_of_noop")
            return
        trace = self._table.traces.get(key) if key is not None else None  # type: ignore[arg-type]
        trace = trace or self._find(key)
        if trace is not None and trace.roots:
            self.end(trace.roots[-1], outputs, attributes, status, end_time_ns)
        elif trace is not None or key in self._table.finished:
            raise misuse(TraceFinishedError, f"Trace with ID {key} already finished.")
        else:
            raise misuse(TraceNotFoundError, f"Trace with ID {key} not found.")

    def end(
        self,
        span: Span,
        outputs: Any,
        attributes: Mapping[str, Any] | None,
        status: Any,
        end_time_ns: Any,
        cause: EndCause = EndCause.FINISHED,
    ) -> None:
        """End a live span; the first end wins. `Span.end` and every end call come here."""
        trace = span._trace
        if trace.spans.pop(span.span_id, None) is not span:
            self._unknown_end(trace.shown_id, span.span_id)
            return
        try:
            if attributes is not None:
                span.merge(self.reducer.attributes(attributes, span.tally))
            if outputs is not None:
                span._outputs = self.reducer.payload(outputs, span.tally)
            if status is KEEP_ERROR or status is None:
                if span._status is StatusCode.UNSET and cause is EndCause.FINISHED:
                    span._status = StatusCode.OK
            else:
                span.take_status(status)
            if end_time_ns is None:
                span.end_time_ns = trace.anchor_ns + self._clock.ticks_ns()
            else:
                span.end_time_ns = self.instant(end_time_ns, trace, span.tally)
        except Exception:
            self._broken("end_span")
        span.cause = cause
        if span.end_time_ns is None:
            span.end_time_ns = self._clock.wall_ns()
        self._finish(span, trace, cause)

    # ------------------------------------------------------------------ starting

    def _guarded_root(self, *arguments: Any) -> AnySpan:
        """`_start_root`, with the promise that only misuse raises."""
        if self._off:
            return self._refuse("start_after_close")
        try:
            return self._start_root(*arguments)
        except TracebridgeError:
            raise
        except Exception:
            return self._broken("start_trace")

    def _guarded_child(self, *arguments: Any) -> AnySpan:
        """`_start_child`, with the promise that only misuse raises."""
        if self._off:
            return self._refuse("start_after_close")
        try:
            return self._start_child(*arguments)
        except TracebridgeError:
            raise
        except Exception:
            return self._broken("start_span")

    def _start_root(
        self,
        custom_id: str | None,
        parent: Any,
        name: Any,
        span_type: Any,
        inputs: Any,
        attributes: Any,
        tags: Any,
        experiment_id: Any,
        start_time_ns: Any,
        run_id: Any,
        links: Any,
        kind: int,
        place: Place,
    ) -> Span:
        remote = None if parent is None else remote_parent(parent)
        tally = Tally()
        trace = self._new_trace(custom_id, remote, tally)
        if tags:
            trace.tags = {key: self.reducer.text(value, tally) for key, value in self.reducer.attributes(tags, tally).items()}
        if run_id is not None:
            trace.tags.setdefault("mlflow.sourceRun", self.reducer.text(run_id, tally))
        if experiment_id is not None:
            trace.experiment_id = self.reducer.text(experiment_id, tally)
        parent_id = None if remote is None else remote.span_id.hex()
        span = self._new_span(trace, parent_id, name, span_type, inputs, attributes, start_time_ns, links, kind, place, tally)
        span._parent_is_remote = remote is not None
        with self.accounts.lock:
            known = self._table.traces.get(trace.hex_id) or self._table.traces.get(trace.shown_id)
            if known is not None:
                trace = span._trace = self._join(known, trace, span)
            else:
                self._table.add(trace)
            trace.spans[span.span_id] = span
            trace.roots.append(span)
            trace.late_since = None
            self.accounts.started += 1
            self.accounts.open += 1
        self._on_first_trace()
        return span

    def _new_trace(self, custom_id: str | None, remote: RemoteParent | None, tally: Tally) -> LiveTrace:
        if custom_id is not None:
            wire = derive(custom_id, self._ids.scheme)
            shown = self.reducer.text(custom_id, tally)
            custom_id = None if shown == wire.trace_id.hex() else shown
        else:
            wire = WireId(shared_ids.trace_id() if remote is None else remote.trace_id, "random")
        if remote is not None and remote.trace_id != wire.trace_id:
            raise misuse(
                InvalidParameterError,
                f"trace_id and parent name different traces ({wire.trace_id.hex()} and {remote.trace_id.hex()}); give one of them.",
            )
        trace = LiveTrace(wire, custom_id, self._clock.wall_ns() - self._clock.ticks_ns())
        if remote is not None:
            trace.trace_state, trace.flags, trace.debug = remote.trace_state, remote.flags, remote.debug
        return trace

    def _join(self, known: LiveTrace, new: LiveTrace, span: Span) -> LiveTrace:
        """Decide what a second root of an open trace means; called with the lock held."""
        same_text = known.custom_id == new.custom_id
        if not same_text and known.custom_id is not None and new.custom_id is not None:
            raise misuse(
                DuplicateTraceError,
                f"trace_id {new.custom_id!r} derives the wire ID {new.hex_id} that the open trace {known.custom_id!r} has; "
                "end that one first, or use another ID.",
            )
        if span.parent_id is not None or self._ids.on_duplicate == "join" or not known.roots:
            known.tags.update(new.tags)
            return known
        raise misuse(
            DuplicateTraceError,
            f"Trace with ID {new.shown_id} is open already, started at {known.roots[-1].opened_at}; end it first, give "
            "another ID, or set trace_ids.on_duplicate: join.",
        )

    def _start_child(
        self,
        name: Any,
        trace_id: Any,
        parent_id: Any,
        span_type: Any,
        inputs: Any,
        attributes: Any,
        start_time_ns: Any,
        links: Any,
        kind: int,
        place: Place,
    ) -> AnySpan:
        trace = self._table.traces.get(trace_id)
        if trace is None:
            if trace_id == NOOP_TRACE_ID:
                return _NOOP
            trace = self._find(trace_id) or self._remote_trace(trace_id, parent_id)
        if parent_id is None:
            parent_id = self._default_parent(trace)
        elif parent_id not in trace.spans and parent_id not in trace.ended:
            self._check_parent(trace, parent_id)
        span = self._new_span(trace, parent_id, name, span_type, inputs, attributes, start_time_ns, links, kind, place, None)
        accounts = self.accounts
        with accounts.lock:
            if trace.done or not trace.spans:
                self._table.add(trace)
            trace.spans[span.span_id] = span
            accounts.started += 1
            accounts.open += 1
        return span

    def _new_span(
        self,
        trace: LiveTrace,
        parent_id: str | None,
        name: Any,
        span_type: Any,
        inputs: Any,
        attributes: Any,
        start_time_ns: Any,
        links: Any,
        kind: int,
        place: Place,
        tally: Tally | None,
    ) -> Span:
        reducer = self.reducer
        if start_time_ns is None:
            start_time_ns = trace.anchor_ns + self._clock.ticks_ns()
        elif type(start_time_ns) is not int:
            tally = tally or Tally()
            start_time_ns = self.instant(start_time_ns, trace, tally)
        if type(name) is not str or not name.isascii() or len(name) > MAX_NAME:
            tally = tally or Tally()
            name = reducer.text(name, tally)
        if type(span_type) is not str:
            span_type = reducer.text("UNKNOWN" if span_type is None else span_type, tally or Tally())
        span = Span(self, trace, shared_ids.span_id(), parent_id, name, start_time_ns, kind, span_type, place)
        span._tally = tally
        if attributes is not None:
            span.merge(reducer.attributes(attributes, span.tally))
        if inputs is not None:
            span._inputs = reducer.payload(inputs, span.tally)
        if links is not None:
            for link in links:
                span.add_link(link)
        return span

    def _default_parent(self, trace: LiveTrace) -> str:
        """The current span of that trace, else its root, else (for a remote trace) any span that is open."""
        span = current_span(self, trace)
        if span is not None:
            return span.span_id
        if trace.roots:
            return trace.roots[-1].span_id
        raise misuse(
            InvalidParameterError,
            f"start_span() must be called with an explicit parent_id: the root of trace {trace.shown_id} is not open here.",
        )

    def _check_parent(self, trace: LiveTrace, parent_id: Any) -> None:
        """Raise for a parent that the trace never had; a remote trace has parents elsewhere."""
        if parent_id == "":
            raise misuse(
                InvalidParameterError,
                "start_span() must be called with an explicit parent_id. If you haven't started any span yet, use "
                "start_trace() to start a new trace and root span, or leave parent_id out.",
            )
        if not (trace.scheme == REMOTE and is_span_id(parent_id)):
            raise misuse(TraceNotFoundError, f"Parent span with ID '{parent_id}' not found.")

    def _remote_trace(self, trace_id: Any, parent_id: Any) -> LiveTrace:
        """Make an entry for a trace that another process has, from the IDs that it passed here."""
        if not trace_id:
            span = current_span(self, None) if trace_id is None else None
            if span is not None:
                return span._trace
            raise misuse(InvalidParameterError, "Trace ID must be provided to start a span.")
        if parent_id == "":
            self._check_parent(LiveTrace(WireId(bytes(16), ""), None, 0), parent_id)
        if trace_id in self._table.finished or not is_span_id(parent_id):
            what = f"Parent span with ID '{parent_id}' not found." if parent_id else f"Trace with ID {trace_id} not found."
            raise misuse(TraceNotFoundError, what)
        wire = derive(trace_id, self._ids.scheme)
        custom_id = None if trace_id == wire.trace_id.hex() else self.reducer.text(trace_id, Tally())
        trace = LiveTrace(WireId(wire.trace_id, REMOTE), custom_id, self._clock.wall_ns() - self._clock.ticks_ns())
        with self.accounts.lock:
            known = self._table.traces.get(trace.hex_id)
            if known is not None:
                return known
            trace.done = True  # addressable from its first span on
        self._on_first_trace()
        return trace

    # ------------------------------------------------------------------ ending

    def _finish(self, span: Span, trace: LiveTrace, cause: EndCause) -> None:
        """Turn an ended span into a record and move it from open to queued."""
        is_root = span in trace.roots if trace.roots else False
        try:
            record = self._record(span, trace, cause, is_root or span.parent_id is None)
            kept = run_stages(self._stages, record)
            data = None if kept is None else encode_record(kept)
        except Exception:
            self._broken("end_span")
            data = encode_record(self._bare_record(span, trace))
        accounts = self.accounts
        with accounts.lock:
            accounts.open -= 1
            if data is None:
                for account in accounts.adapters.values():
                    account.dropped["sampled"] += 1
            else:
                self._journal.append(data)
            trace.ended.add(span.span_id)
            if cause is not EndCause.FINISHED:
                self._table.closed_spans.add(span.span_id)
            if is_root:
                trace.roots.remove(span)
            if not trace.spans:
                self._table.remove(trace)
            elif is_root and not trace.roots:
                trace.late_since = self._clock.ticks_ns()
        if is_root and trace.late_since is not None:
            self._on_late_children(trace)

    def _record(self, span: Span, trace: LiveTrace, cause: EndCause, is_root: bool) -> SpanRecord:
        tally = span._tally
        return SpanRecord(
            trace.trace_id,
            bytes.fromhex(span.span_id),
            None if span.parent_id is None else bytes.fromhex(span.parent_id),
            span.name,
            span.start_time_ns,
            span.end_time_ns or 0,
            span.kind,
            span._status,
            span._status_message,
            span._attributes.copy(),  # another thread may still hold the span
            span._inputs,
            span._outputs,
            span.span_type,
            span._events or [],
            span._links or [],
            trace.tags if is_root else {},
            trace.custom_id,
            trace.scheme if is_root and trace.custom_id is not None else None,
            trace.trace_state,
            trace.flags,
            span._parent_is_remote or (trace.scheme == REMOTE and span.parent_id not in trace.ended and span.parent_id not in trace.spans),
            trace.debug,
            False,
            cause,
            "" if cause is EndCause.FINISHED else span.opened_at,
            span._dropped_attributes,
            span._dropped_events,
            span._dropped_links,
            tally.truncated if tally is not None else 0,
            0,
            tally.repaired if tally is not None else 0,
            trace.experiment_id if is_root else "",
        )  # fmt: skip

    def _bare_record(self, span: Span, trace: LiveTrace) -> SpanRecord:
        """What is certain about a span, for the case that the rest of it broke something."""
        parent_id = None if span.parent_id is None else bytes.fromhex(span.parent_id)
        return SpanRecord(
            trace.trace_id,
            bytes.fromhex(span.span_id),
            parent_id,
            span.name,
            span.start_time_ns,
            span.end_time_ns or span.start_time_ns,
            status=span._status,
            custom_trace_id=trace.custom_id,
            repaired=1,
        )

    def _unknown_end(self, trace_id: Any, span_id: Any) -> None:
        """Count the end of a span that is not open; raise when the settings are strict."""
        if trace_id == NOOP_TRACE_ID:
            return
        late = isinstance(span_id, str) and span_id in self._table.closed_spans
        with self.accounts.lock:
            if late:
                self.accounts.late_ends += 1
            else:
                self.accounts.misuse["end_of_unknown_span"] += 1
        if self._lifecycle.strict and not late:
            raise misuse(TraceNotFoundError, f"Span with ID '{span_id}' of trace {trace_id} not found or already ended.")

    def close_overdue(self) -> float | None:
        """Close what has been open for too long; return seconds until the next look, None when nothing is open."""
        now = self._clock.ticks_ns()
        wait = None
        for trace in self._table.all():
            if trace.late_since is not None:
                left = trace.late_since / NANOSECONDS + self._lifecycle.late_children - now / NANOSECONDS
                if left <= 0:
                    self.close_spans(trace, EndCause.ABANDONED)
                else:
                    wait = left if wait is None else min(wait, left)
            self._look_for_leaks(trace, now)
        if self._table.traces:
            check = max(1.0, self._lifecycle.max_open / 10)
            wait = check if wait is None else min(wait, check)
        return wait

    def close_spans(self, trace: LiveTrace, cause: EndCause) -> int:
        """End every open span of a trace for a reason of ours; return how many."""
        spans = list(trace.spans.values())
        for span in spans:
            self.end(span, None, None, KEEP_ERROR, None, cause)
        return len(spans)

    def _look_for_leaks(self, trace: LiveTrace, now_ticks: int) -> None:
        oldest_start = trace.anchor_ns + now_ticks - int(self._lifecycle.max_open * NANOSECONDS)
        for span in list(trace.spans.values()):
            if span.start_time_ns < oldest_start and span.span_id not in self._leaks_told:
                self._leaks_told.add(span.span_id)
                closing = self._lifecycle.on_leak == "close"
                what = "closing it" if closing else "end it, or set lifecycle.on_leak: close"
                _log.warning("span %r of trace %s, opened at %s, has been open for over %gs; %s",
                    span.name, trace.shown_id, span.opened_at, self._lifecycle.max_open, what)  # fmt: skip
                if closing:
                    self.end(span, None, None, KEEP_ERROR, None, EndCause.LEAKED)

    # ------------------------------------------------------------------ shared by both

    def _find(self, key: Any) -> LiveTrace | None:
        """Look a trace up by another spelling of its ID than the table has."""
        if not isinstance(key, str) or not key or key == NOOP_TRACE_ID:
            return None
        try:
            wire = derive(key, self._ids.scheme)
        except TracebridgeError:
            return None
        return self._table.traces.get(wire.trace_id.hex())

    def instant(self, given: Any, trace: LiveTrace, tally: Tally) -> int:
        """Return a time in Unix nanoseconds: what was given when it can be one, else now (marked)."""
        if given is None:
            return trace.anchor_ns + self._clock.ticks_ns()
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            try:
                time_ns = int(given)
            except (ValueError, OverflowError):
                time_ns = -1
            if 0 <= time_ns < 2**63:
                return time_ns
        tally.repaired += 1
        return trace.anchor_ns + self._clock.ticks_ns()

    def link_record(self, link: Any, tally: Tally) -> LinkRecord | None:
        """Return a link with wire IDs, or None when its IDs are none."""
        span_id = getattr(link, "span_id", None)
        trace_id = getattr(link, "trace_id", None)
        if not is_span_id(span_id) or not isinstance(trace_id, str):
            return None
        try:
            wire = derive(trace_id, self._ids.scheme)
        except TracebridgeError:
            return None
        attributes = self.reducer.attributes(getattr(link, "attributes", None) or {}, tally)
        trace_state = self.reducer.text(getattr(link, "trace_state", "") or "", tally)
        return LinkRecord(wire.trace_id, bytes.fromhex(span_id), trace_state, attributes)

    def warn_misuse(self, what: str, message: str) -> None:
        """Count a misuse and say the first of its kind."""
        if what not in self.accounts.misuse:
            _log.warning("%s", message)
        self.accounts.note_misuse(what)

    def _refuse(self, what: str) -> NoopSpan:
        if what:
            self.accounts.note_misuse(what)
        return _NOOP

    def _broken(self, where: str) -> NoopSpan:
        """A bug of ours must not become the caller's: log the first, count all, hand out the no-op span."""
        if "internal_error" not in self.accounts.misuse:
            _log.exception("%s failed inside; tracing goes on", where)
        return self._refuse("internal_error")

    _leaks_told: set[str]

    def _on_first_trace(self) -> None:
        """Start the workers, once; `Client` fills this in."""

    def _on_late_children(self, trace: LiveTrace) -> None:
        """A root ended with children open; `Client` fills this in."""


REMOTE = "remote"  # the scheme of a trace whose root another process has
MAX_NAME = 1024  # characters of a span's name


def one_id(trace_id: str | None, request_id: str | None) -> str | None:
    """Return whichever of the two names of one thing was given."""
    if trace_id is not None and request_id is not None:
        raise ValueError("give trace_id or request_id, not both: they are two names of the same ID")
    return request_id if trace_id is None else trace_id


def _place(frame: Any) -> Place:
    return frame.f_code, frame.f_lasti
