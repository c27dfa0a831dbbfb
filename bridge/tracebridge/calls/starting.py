"""Starting: traces and spans, whose parent may be here, elsewhere, or the current span.

`start_span` under an open parent is the hot path and stands in one piece; whatever is rare (a remote trace, an odd name, a
parent that has ended) leaves it early.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from tracebridge.calls.core import INTERNAL, LAST_KIND, NOOP, Closing, one_id
from tracebridge.calls.roots import REMOTE, Roots
from tracebridge.errors import (
    InvalidParameterError,
    TracebridgeError,
    TraceNotFoundError,
    misuse,
)
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.ids.random_ids import pop_span_id, shared_ids
from tracebridge.ids.schemes import WireId
from tracebridge.ids.wire import names_span, span_bytes
from tracebridge.otel.current import CURRENT, current_parent
from tracebridge.propagation.context import RemoteParent, ids_of
from tracebridge.records.entities import Link
from tracebridge.records.values import Tally
from tracebridge.spans.context import current_span
from tracebridge.spans.live import LiveTrace
from tracebridge.spans.noop import NOOP_TRACE_ID, AnySpan
from tracebridge.spans.place import Place
from tracebridge.spans.span import MAX_NAME, Span


class Starting(Roots):
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
        trace_id: str | TraceId | None = None,
        request_id: str | TraceId | None = None,
        parent: Any = None,
        kind: str | int | Enum | None = INTERNAL,
        span_id: str | SpanId | None = None,
        shared: bool = False,
    ) -> AnySpan:
        """Start a trace and return its live root span.

        `kind` is a name such as "client" in any case, a member of an enumeration by its name (OpenTelemetry's `SpanKind`), or OTLP's number
        (`tracebridge.records.record.Kind`); None is INTERNAL, and so is anything else, which is counted as `misuse["bad_kind"]` and said once.
        `trace_id` (or its MLflow 2 name `request_id`) is the caller's own ID: any non-empty string up to 512
        characters, or a `TraceId` that says its scheme; without it `trace_ids.generate` makes one, or it is random, of
        128 bits. `span_id` is the root's own ID likewise, of 64 bits. `parent` continues a remote context (a span, or anything
        with `trace_id` and `span_id`) or, as "current", the span that is current here, OpenTelemetry's or ours; the root is a true
        root otherwise. Times are Unix nanoseconds, default now. With `shared` any process may change and end the root (`open_spans`).

        Raises DuplicateTraceError when the ID is open already (unless `trace_ids.on_duplicate: join`) and
        DuplicateSpanError when the trace has such a span, InvalidParameterError for an ID that the scheme cannot take,
        ValueError when both names of the ID are given.
        """
        frame = sys._getframe(1)
        return self._begin_trace(
            (frame.f_code, frame.f_lasti), one_id(trace_id, request_id), parent, name, span_type, inputs, attributes,
            tags, experiment_id, start_time_ns, run_id, links, kind, span_id, shared,
        )  # fmt: skip

    def start_span(  # noqa: PLR0915 - the hot path stands in one piece
        self,
        name: str,
        trace_id: Any = None,  # str or TraceId; anything else is misuse and told so
        parent_id: Any = None,  # str or SpanId
        span_type: str = "UNKNOWN",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        start_time_ns: int | None = None,
        links: Sequence[Link] | None = None,
        *,
        parent: AnySpan | RemoteParent | str | None = None,
        request_id: str | TraceId | None = None,
        kind: str | int | Enum | None = INTERNAL,
        span_id: str | SpanId | None = None,
        shared: bool = False,
        _place: Place | None = None,  # where the caller's caller stands, for the context managers
    ) -> AnySpan:
        """Start a child span and return it. The current span does not change.

        `parent_id` left out means the current span of that trace, else its root. IDs of a trace that this client never
        saw make a span under a remote parent: this is how IDs passed to another process work. `parent` takes the place of both IDs:
        a span, what `extract` returned, or "current": the innermost current span, OpenTelemetry's or ours, and where there is
        none the span that the IDs name, or a trace of its own without them. `span_id` is the caller's own ID for the new
        span: text, or a `SpanId` that says its scheme; random otherwise. With `shared` any process may change and end it (`open_spans`).

        Raises InvalidParameterError for an empty `parent_id`, a missing trace ID, a `parent` of a wrong type or an ID that its scheme
        cannot take, TraceNotFoundError for an unknown parent of a known trace, DuplicateSpanError for a `span_id` that the trace
        has, ValueError when both names of the trace ID are given.
        """
        if request_id is not None:
            trace_id = one_id(trace_id, request_id)
        if parent is not None:
            frame = sys._getframe(1)
            place = _place or (frame.f_code, frame.f_lasti)
            return self._start_under(
                parent, place, trace_id, parent_id, name, span_type, inputs, attributes, start_time_ns, links, kind, span_id, shared
            )  # fmt: skip
        if self._off:
            return self._started_when_off()
        try:
            trace = trace_id if trace_id.__class__ is LiveTrace else self._table.traces.get(trace_id)
            if trace is None:
                if trace_id == NOOP_TRACE_ID:
                    return NOOP
                trace = self._find(trace_id) or self._remote_trace(trace_id, parent_id)
            if trace.decision is not None and not trace.decision.recorded:
                frame = sys._getframe(1)
                return self._start_unrecorded(
                    trace, parent_id, name, kind, span_id, _place or (frame.f_code, frame.f_lasti)
                )
            parent = trace.spans.get(parent_id)
            if parent is not None:
                parent_raw = parent._raw_id
            else:
                parent_id, parent_raw = self._parent_not_open(trace, parent_id)
                parent = trace.spans.get(parent_id)
            if _place is None:
                frame = sys._getframe(1)
                _place = (frame.f_code, frame.f_lasti)
            if kind is not INTERNAL and (type(kind) is not int or not 0 <= kind <= LAST_KIND):
                kind = self._kind_of(kind)
            own_id = None if span_id is None else self._ids.span(span_id)
            try:
                raw_id, hex_id = pop_span_id() if own_id is None else (own_id.wire, own_id.wire_span_id)
            except IndexError:
                raw_id, hex_id = shared_ids.more_span_ids()
            plain = {} if attributes is None else self._reducer.fast_attributes(attributes)
            span = Span(
                self,
                trace,
                hex_id,
                raw_id,
                parent_id,
                parent_raw,
                name,
                trace.anchor_ns + self._ticks() if start_time_ns is None else start_time_ns,
                _place,
                kind,
                span_type,
                {} if plain is None else plain,
                trace.origin if parent is None else parent._origin,
            )
            if plain is None:
                span._fill(attributes)
            if inputs is not None:
                span._inputs = span._payload(inputs)
            if (
                links is not None
                or start_time_ns is not None
                or type(name) is not str
                or type(span_type) is not str
                or len(name) > MAX_NAME
                or len(span_type) > MAX_NAME
            ):
                self._set_up(span, name, span_type, start_time_ns, links)
            if own_id is not None:
                self._own(span, own_id)
            if trace.scheme is REMOTE:
                span._parent_is_remote = parent is None and parent_id not in trace.ended
            accounts = self._accounts
            fresh = trace.done
            data = self._started(span, trace) if self._keeps_open else None
            interrupting = data is not None and accounts.is_inside()
            try:
                if not accounts.acquire(False):
                    accounts.wait_turn()
                if trace.done or own_id is not None:
                    trace = self._taking_in(trace, span, own_id)
                trace.spans[hex_id] = span
                accounts.started += 1
                accounts.open += 1
                if data is not None:
                    self._record_start(span, data, interrupting)
            except BaseException:
                accounts.let_go()
                raise
            accounts.release()
            if fresh:
                self._on_first_trace()
            return self._share(span) if shared or self._shares_all else span
        except TracebridgeError:
            raise
        except Closing:
            return self._started_when_off()
        except Exception:
            return self._not_started("start_span", trace_id, parent_id, span_id)

    def _taking_in(self, trace: LiveTrace, span: Span, own_id: SpanId | None) -> LiveTrace:
        """Return the open trace that a new span is to be in. Raises Closing, and DuplicateSpanError for an ID that the trace has; called with the lock held."""
        if trace.done:
            if self._off:
                raise Closing
            trace = span._trace = self._table.newest(trace)
        if own_id is not None:
            self._refuse_known(span, trace)
        return self._table.add(trace) if trace.done else trace

    def _start_under(
        self,
        parent: Any,
        place: Place,
        trace_id: Any,
        parent_id: Any,
        name: Any,
        span_type: Any,
        inputs: Any,
        attributes: Any,
        start_time_ns: Any,
        links: Any,
        kind: Any,
        span_id: Any,
        shared: bool,
    ) -> AnySpan:
        """`start_span` under what `parent` says: a span that this client can address by its IDs, or a segment of a trace from elsewhere."""
        asked = type(parent) is str and parent == CURRENT
        near = current_parent(self) if asked else parent
        elsewhere = isinstance(near, RemoteParent) and not (asked and self._adopts(near))
        if elsewhere or (near is None and trace_id is None):
            return self._begin_trace(
                place, None, parent, name, span_type, inputs, attributes, None, None, start_time_ns, None, links, kind, span_id, shared
            )  # fmt: skip
        if asked and isinstance(near, Span):
            trace_id, parent_id = near._trace, near._span_id  # not its ID: it may have finished, or be finishing
        elif near is not None:
            trace_id, parent_id = ids_of(near)
        return self.start_span(
            name, trace_id, parent_id, span_type, inputs, attributes, start_time_ns, links, kind=kind, span_id=span_id, shared=shared, _place=place
        )  # fmt: skip

    def _parent_not_open(self, trace: LiveTrace, parent_id: Any) -> tuple[str, bytes]:
        """Return the parent's ID when it is not an open span: left out, ended, or elsewhere.

        Raises InvalidParameterError for an empty ID or where a default is missing, TraceNotFoundError for a stranger's.
        """
        if parent_id is None:
            span = current_span(self, trace) or trace.root
            if span is not None:
                return span._span_id, span._raw_id
            if trace.last_root is not None:
                return trace.last_root
            if (shared := self._shared_root(trace.hex_id)) is not None:
                return shared._span_id, shared._raw_id
            raise misuse(
                InvalidParameterError,
                f"start_span() must be called with an explicit parent_id: the root of trace {trace.shown_id} was not opened here.",
            )
        if parent_id == "":
            raise misuse(InvalidParameterError, EMPTY_PARENT)
        if parent_id in trace.ended or (trace.scheme is REMOTE and names_span(parent_id)):
            raw_id = span_bytes(parent_id)
            return raw_id.hex(), raw_id
        here = current_span(self, trace)
        if here is not None and here._span_id == parent_id:  # so many have ended since that it is forgotten
            return here._span_id, here._raw_id
        own_id = self._read_span_id(parent_id)
        if own_id is not None and (
            own_id.wire_span_id in trace.spans
            or own_id.wire_span_id in trace.ended
            or any(record.span_id == own_id.wire for record in self._open_elsewhere(trace.trace_id))
        ):
            return own_id.wire_span_id, own_id.wire
        raise misuse(TraceNotFoundError, f"Parent span with ID '{parent_id}' not found.")

    def _remote_trace(self, trace_id: Any, parent_id: Any) -> LiveTrace:
        """Return an entry for a trace that is not open here: that another process has and passed the IDs of, or that we closed."""
        if trace_id is None and (span := current_span(self, None)) is not None:
            return span._trace
        if not trace_id:
            raise misuse(InvalidParameterError, "Trace ID must be provided to start a span.")
        if parent_id == "":
            raise misuse(InvalidParameterError, EMPTY_PARENT)
        if (closed := self._closed_trace(trace_id)) is not None:
            return closed  # its caller thinks that it is open
        if self._has_finished(trace_id) or not (names_span(parent_id) or self._may_be_shared(parent_id)):
            wanted = f"Parent span with ID '{parent_id}'" if parent_id else f"Trace with ID {trace_id}"
            raise misuse(TraceNotFoundError, f"{wanted} not found.")
        wire = (self._ids.meanings(trace_id) or [self._ids.wire(trace_id)])[0]
        trace = self._live_trace(WireId(wire.trace_id, REMOTE), trace_id, Tally())
        if self._head is not None:
            self._decide_by_id(trace, wire.scheme)
        with self._accounts.mutex:
            known = self._table.traces.get(trace.hex_id)
        return known or trace  # `done` until its first span makes it addressable

    def _may_be_shared(self, parent_id: Any) -> bool:
        """Return whether a parent that is no wire ID may be at the engine: the trace's root, or a span under the caller's own ID."""
        return self._exchange is not None and (parent_id is None or self._read_span_id(parent_id) is not None)

    def _adopts(self, parent: RemoteParent) -> bool:
        """Return whether a trace that is open here has this span of OpenTelemetry's in it, which may now be a parent there."""
        trace = None if parent.trace_id is None else self._table.traces.get(parent.trace_id)
        if trace is None or parent.span_id is None:
            return False
        with self._accounts.mutex:
            trace.ended.add(parent.span_id)
        return True


EMPTY_PARENT = (
    "start_span() must be called with an explicit parent_id. If you haven't started any span yet, use start_trace() to "
    "start a new trace and root span, or leave parent_id out."
)
