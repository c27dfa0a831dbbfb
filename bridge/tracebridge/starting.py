"""Starting: traces and spans, whose parent may be here, elsewhere, or the current span.

`start_span` under an open parent is the hot path and stands in one piece; whatever is rare (a remote trace, an odd name, a
parent that has ended) leaves it early.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tracebridge.context import current_span
from tracebridge.core import NOOP, one_id
from tracebridge.entities import Link
from tracebridge.errors import (
    DuplicateTraceError,
    InvalidParameterError,
    TracebridgeError,
    TraceNotFoundError,
    misuse,
)
from tracebridge.ids.parent import RANDOM, SAMPLED, RemoteParent, is_span_id, remote_parent
from tracebridge.ids.random_ids import pop_span_id, shared_ids
from tracebridge.ids.schemes import WireId, derive
from tracebridge.live import RANDOM_SCHEME, LiveTrace
from tracebridge.otel_context import CURRENT, current_parent
from tracebridge.record import Kind
from tracebridge.recording import Recording
from tracebridge.span import MAX_NAME, NOOP_TRACE_ID, AnySpan, Place, Span
from tracebridge.values import Tally

REMOTE = "remote"  # the scheme of a trace whose root another process has
INTERNAL = int(Kind.INTERNAL)


class Starting(Recording):
    """`start_trace` and `start_span`."""

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
        kind: int = INTERNAL,
    ) -> AnySpan:
        """Start a trace and return its live root span.

        `trace_id` (or its MLflow 2 name `request_id`) is the caller's own ID: any non-empty string up to 512
        characters; without it a random 128-bit ID is made. `parent` continues a remote context (a span, or anything
        with `trace_id` and `span_id`) or, as "current", the span that is current here, OpenTelemetry's or ours; the root is a true
        root otherwise. Times are Unix nanoseconds, default now.

        Raises DuplicateTraceError when the ID is open already (unless `trace_ids.on_duplicate: join`),
        InvalidParameterError for an ID that no scheme can take, ValueError when both names of the ID are given.
        """
        frame = sys._getframe(1)
        return self.begin_trace(
            (frame.f_code, frame.f_lasti), one_id(trace_id, request_id), parent, name, span_type, inputs, attributes,
            tags, experiment_id, start_time_ns, run_id, links, kind,
        )  # fmt: skip

    def start_span(
        self,
        name: str,
        trace_id: Any = None,  # str; what is none is misuse and told so
        parent_id: Any = None,  # str
        span_type: str = "UNKNOWN",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        start_time_ns: int | None = None,
        links: Sequence[Link] | None = None,
        *,
        request_id: str | None = None,
        kind: int = INTERNAL,
        _place: Place | None = None,  # where the caller's caller stands, for the context managers
    ) -> AnySpan:
        """Start a child span and return it. The current span does not change.

        `parent_id` left out means the current span of that trace, else its root. IDs of a trace that this client never
        saw make a span under a remote parent: this is how IDs passed to another process work.

        Raises InvalidParameterError for an empty `parent_id` or a missing trace ID, TraceNotFoundError for an unknown
        parent of a known trace, ValueError when both names of the trace ID are given.
        """
        if request_id is not None:
            trace_id = one_id(trace_id, request_id)
        if self._off:
            return self._refuse("start_after_close")
        try:
            trace = self._table.traces.get(trace_id)
            if trace is None:
                if trace_id == NOOP_TRACE_ID:
                    return NOOP
                trace = self.find(trace_id) or self._remote_trace(trace_id, parent_id)
            parent = trace.spans.get(parent_id)
            if parent is not None:
                parent_raw = parent.raw_id
            else:
                parent_id, parent_raw = self._parent_not_open(trace, parent_id)
            if _place is None:
                frame = sys._getframe(1)
                _place = (frame.f_code, frame.f_lasti)
            try:
                raw_id, span_id = pop_span_id()
            except IndexError:
                raw_id, span_id = shared_ids.more_span_ids()
            span = Span(
                self,
                trace,
                span_id,
                raw_id,
                parent_id,
                parent_raw,
                name,
                trace.anchor_ns + self._ticks() if start_time_ns is None else start_time_ns,
                _place,
                kind,
                span_type,
                origin=trace.origin if parent is None else parent.origin,
            )
            if attributes is not None:
                plain = self.reducer.plain(attributes)
                if plain is not None and len(plain) <= self._most_attributes:
                    span.attributes_now = plain
                else:
                    span.fill(attributes)
            if (
                inputs is not None
                or links is not None
                or start_time_ns is not None
                or type(name) is not str
                or type(span_type) is not str
                or len(name) > MAX_NAME
                or len(span_type) > MAX_NAME
            ):
                self._set_up(span, name, span_type, inputs, start_time_ns, links)
            if trace.scheme is REMOTE:
                span.parent_is_remote = parent is None and parent_id not in trace.ended
            accounts = self.accounts
            fresh = trace.done
            data = self.started(span, trace) if self.keeps_open else None
            with accounts.mutex:
                if trace.done:
                    self._table.add(trace)
                trace.spans[span_id] = span
                accounts.started += 1
                accounts.open += 1
                if data is not None:
                    self._journal.started(span, data)
            if fresh:
                self._on_first_trace()
            return span
        except TracebridgeError:
            raise
        except Exception:
            return self._broken("start_span")

    def _set_up(self, span: Span, name: Any, span_type: Any, inputs: Any, start_time_ns: Any, links: Any) -> None:
        """Take the arguments that most spans do not have, whatever they are."""
        reducer, tally = self.reducer, span.tally
        span.name = reducer.text(name, tally)[:MAX_NAME]
        span.span_type = "UNKNOWN" if span_type is None else reducer.text(span_type, tally)[:MAX_NAME]
        span.start_time_ns = self.instant(start_time_ns, span.trace, tally)
        if inputs is not None:
            span.set_inputs(inputs)
        for link in links or ():
            span.add_link(link)

    def _parent_not_open(self, trace: LiveTrace, parent_id: Any) -> tuple[str, bytes]:
        """Return the parent's ID when it is not an open span: left out, ended, or elsewhere.

        Raises InvalidParameterError for an empty ID or where there is no default, TraceNotFoundError for a stranger's.
        """
        if parent_id is None:
            span = current_span(self, trace) or (trace.roots[-1] if trace.roots else None)
            if span is not None:
                return span.span_id, span.raw_id
            raise misuse(
                InvalidParameterError,
                "start_span() must be called with an explicit parent_id: the root of trace "
                f"{trace.shown_id} is not open here.",
            )
        if parent_id == "":
            raise misuse(InvalidParameterError, EMPTY_PARENT)
        if parent_id in trace.ended or (trace.scheme is REMOTE and is_span_id(parent_id)):
            return parent_id, bytes.fromhex(parent_id)
        raise misuse(TraceNotFoundError, f"Parent span with ID '{parent_id}' not found.")

    def _remote_trace(self, trace_id: Any, parent_id: Any) -> LiveTrace:
        """Return an entry for a trace that another process has, from the IDs that it passed here."""
        if trace_id is None and (span := current_span(self, None)) is not None:
            return span.trace
        if not trace_id:
            raise misuse(InvalidParameterError, "Trace ID must be provided to start a span.")
        if parent_id == "":
            raise misuse(InvalidParameterError, EMPTY_PARENT)
        if trace_id in self._table.finished or not is_span_id(parent_id):
            wanted = f"Parent span with ID '{parent_id}'" if parent_id else f"Trace with ID {trace_id}"
            raise misuse(TraceNotFoundError, f"{wanted} not found.")
        wire = derive(trace_id, self._ids.scheme)
        trace = self._live_trace(WireId(wire.trace_id, REMOTE), trace_id, Tally())
        with self.accounts.mutex:
            known = self._table.traces.get(trace.hex_id)
        return known or trace  # `done` until its first span makes it addressable

    def adopts(self, parent: RemoteParent) -> bool:
        """Return whether a trace that is open here has this span of OpenTelemetry's in it, which may now be a parent there."""
        trace = None if parent.trace_id is None else self._table.traces.get(parent.trace_id)
        if trace is None or parent.span_id is None:
            return False
        with self.accounts.mutex:
            trace.ended.add(parent.span_id)
        return True

    # ------------------------------------------------------------------ a trace

    def begin_trace(
        self,
        place: Place,
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
    ) -> AnySpan:
        """`start_trace`, for a caller at `place`."""
        if self._off:
            return self._refuse("start_after_close")
        try:
            asked = isinstance(parent, str) and parent == CURRENT
            near = current_parent(self) if asked else parent
            remote = None if near is None else remote_parent(near)
            tally = Tally()
            trace = self._new_trace(custom_id, remote, tally)
            self._label(trace, tags, experiment_id, run_id, tally)
            parent_id = None if remote is None else remote.span_id
            try:
                raw_id, span_id = pop_span_id()
            except IndexError:
                raw_id, span_id = shared_ids.more_span_ids()
            span = Span(
                self,
                trace,
                span_id,
                raw_id,
                parent_id,
                None if parent_id is None else bytes.fromhex(parent_id),
                name,
                trace.anchor_ns + self._ticks(),
                place,
                kind,
                span_type,
            )
            span.counts = tally
            span.parent_is_remote = parent_id is not None and not asked
            span.origin = trace.origin
            if remote is not None and (told := told_by(remote, trace.custom_id)):
                span.fill(told)
            if attributes is not None:
                span.fill(attributes)
            self._set_up(
                span, name, span_type, inputs, span.start_time_ns if start_time_ns is None else start_time_ns, links
            )
            with self.accounts.mutex:
                known = self._table.traces.get(trace.hex_id) or self._table.traces.get(trace.shown_id)
                if known is not None:
                    trace = span.trace = self._join(known, trace, remote is not None, custom_id is not None)
                else:
                    self._table.add(trace)
                trace.spans[span.span_id] = span
                trace.roots.append(span)
                trace.late_since = None
                self.accounts.started += 1
                self.accounts.open += 1
                if self.keeps_open and (data := self.started(span, trace)) is not None:
                    self._journal.started(span, data)
            self._on_first_trace()
            return span
        except TracebridgeError:
            raise
        except Exception:
            return self._broken("start_trace")

    def _label(self, trace: LiveTrace, tags: Any, experiment_id: Any, run_id: Any, tally: Tally) -> None:
        text = self.reducer.text
        if tags is not None:
            trace.tags = {key: text(value, tally) for key, value in self.reducer.attributes(tags, tally).items()}
        if run_id is not None:
            trace.tags.setdefault(RUN_TAG, text(run_id, tally))
        if experiment_id is not None:
            trace.experiment_id = text(experiment_id, tally)

    def _new_trace(self, custom_id: str | None, remote: RemoteParent | None, tally: Tally) -> LiveTrace:
        if remote is not None:
            return self._continued_trace(custom_id, remote, tally)
        wire = (
            WireId(shared_ids.trace_id(), RANDOM_SCHEME) if custom_id is None else derive(custom_id, self._ids.scheme)
        )
        return self._live_trace(wire, custom_id, tally)

    def _continued_trace(self, custom_id: str | None, remote: RemoteParent, tally: Tally) -> LiveTrace:
        """Return an entry for a trace that goes on here: under the remote ID, or a new one where that context names no trace.

        Raises InvalidParameterError when `trace_id` names another trace than the parent does.
        """
        wire = None if custom_id is None else derive(custom_id, self._ids.scheme)
        if remote.trace_id is not None and wire is not None and remote.trace_id != wire.trace_id.hex():
            raise misuse(
                InvalidParameterError,
                f"trace_id and parent name different traces ({wire.trace_id.hex()} and {remote.trace_id}); give one of them.",
            )
        if wire is None and remote.correlation_id is not None:
            said = self._derived(remote.correlation_id)
            if said is not None and remote.trace_id in {None, said.trace_id.hex()}:
                custom_id, wire = remote.correlation_id, said
        if wire is None:
            known = None if remote.trace_id is None else bytes.fromhex(remote.trace_id)
            wire = WireId(known or shared_ids.trace_id(), RANDOM_SCHEME)
        trace = self._live_trace(wire, custom_id, tally)
        if remote.trace_id is None:  # the flags are the sender's, but whether the ID is random is ours to say
            remote = msgspec.structs.replace(remote, flags=remote.flags & SAMPLED | trace.flags & RANDOM)
        trace.origin = remote
        trace.plain = remote.flags == SAMPLED and not (remote.trace_state or remote.debug)
        return trace

    def _derived(self, custom_id: str) -> WireId | None:
        """Return the wire ID of an ID that came in a header; None when it can be none."""
        try:
            return derive(custom_id, self._ids.scheme)
        except TracebridgeError:
            return None

    def _live_trace(self, wire: WireId, given: str | None, tally: Tally) -> LiveTrace:
        shown = None if given is None else self.reducer.text(given, tally)
        custom_id = None if shown == wire.trace_id.hex() else shown
        trace = LiveTrace(wire, custom_id, self._wall() - self._ticks())
        trace.plain = wire.scheme is not REMOTE
        return trace

    def _join(self, known: LiveTrace, new: LiveTrace, has_parent: bool, named: bool) -> LiveTrace:
        """Return the open trace that a second root becomes a segment of; called with the lock held.

        Raises DuplicateTraceError when that is not wanted, or when two different texts derived the same wire ID.
        """
        if named and known.custom_id is not None and known.custom_id != new.custom_id:
            raise misuse(
                DuplicateTraceError,
                f"trace_id {new.custom_id!r} derives the wire ID {new.hex_id} that the open trace {known.custom_id!r} "
                "has; end that one first, or use another ID.",
            )
        if has_parent or self._ids.on_duplicate == "join" or not known.roots:
            known.tags = {**known.tags, **new.tags}
            known.origin = new.origin or known.origin
            known.plain = known.plain and new.plain
            return known
        raise misuse(
            DuplicateTraceError,
            f"Trace with ID {new.shown_id} is open already, started at {known.roots[-1].opened_at}; end it first, give "
            "another ID, or set trace_ids.on_duplicate: join.",
        )


def told_by(remote: RemoteParent, custom_id: str | None) -> dict[str, str]:
    """Return what a context from elsewhere has to say that a person may search for, as attributes of the span that continues it."""
    told = {}
    if remote.debug_id:
        told[DEBUG_ID_ATTRIBUTE] = remote.debug_id
    if remote.correlation_id is not None and remote.correlation_id != custom_id:
        told[CORRELATION_ATTRIBUTE] = remote.correlation_id
    return told


DEBUG_ID_ATTRIBUTE = "jaeger-debug-id"  # as Jaeger's own clients tag it
CORRELATION_ATTRIBUTE = "tracebridge.correlation_id"
RUN_TAG = "mlflow.sourceRun"  # where MLflow keeps the run that a trace belongs to
EMPTY_PARENT = (
    "start_span() must be called with an explicit parent_id. If you haven't started any span yet, use start_trace() to "
    "start a new trace and root span, or leave parent_id out."
)
