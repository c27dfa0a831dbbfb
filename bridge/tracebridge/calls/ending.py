"""Ending: spans leave the table, become records, pass the stages and go on the journal.

Order of one end: the span leaves the table (that decides who ended it), its record is built and encoded outside any lock,
and under one short lock it moves from *open* to *queued*. Data never makes an end raise: what goes wrong inside is
counted and logged, and the span arrives as well as it can be recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracebridge.calls.core import one_id
from tracebridge.calls.misuse import log
from tracebridge.calls.recording import later_fields
from tracebridge.calls.sharing import Sharing
from tracebridge.errors import TracebridgeError, TraceFinishedError, TraceNotFoundError, misuse
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.journal.base import encode_record
from tracebridge.records.entities import SpanStatus, SpanStatusCode
from tracebridge.records.record import EndCause, StatusCode
from tracebridge.records.values import Tally
from tracebridge.spans.live import ENDED_SPANS_REMEMBERED, LiveTrace
from tracebridge.spans.noop import NOOP_TRACE_ID
from tracebridge.spans.span import KEEP_ERROR, Span
from tracebridge.stages.stage import Encoded

NANOSECONDS = 1_000_000_000
_FINISHED_VALUE = EndCause.FINISHED.value  # a property of an enumeration's member costs two calls
_FINISHED, _UNSET, _OK = EndCause.FINISHED, int(StatusCode.UNSET), int(StatusCode.OK)


class Ending(Sharing):
    """`end_span`, `end_trace`, and the closing of spans that were never ended."""

    def end_span(
        self,
        trace_id: str | TraceId | None = None,
        span_id: str | SpanId | None = None,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
        *,
        request_id: str | TraceId | None = None,
    ) -> None:
        """End a span, merging `attributes` into its own. Ending the root completes the trace.

        Without `status` a clean span ends OK and one with an ERROR recorded keeps it. A span that is unknown or has
        ended is ignored and counted (`lifecycle.strict: true` raises TraceNotFoundError). Raises ValueError when both
        names of the trace ID are given.
        """
        if request_id is not None:
            trace_id = one_id(trace_id, request_id)
        trace = self._table.traces.get(trace_id) if trace_id.__class__ is str else None
        if trace is None:
            trace = self._find(trace_id)
        span = trace.spans.get(span_id) if trace is not None and span_id.__class__ is str else None
        if span is None:
            own_id = None if trace is None else self._read_span_id(span_id)
            span = None if trace is None or own_id is None else trace.spans.get(own_id.wire_span_id)
        if span is None:
            if self._exchange is None or not self._end_elsewhere(
                trace_id, span_id, outputs, attributes, status, end_time_ns
            ):
                self._unknown_end(trace_id, span_id)
        else:
            self._end(span, outputs, attributes, status, end_time_ns)

    def end_trace(
        self,
        trace_id: str | TraceId | None = None,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
        *,
        request_id: str | TraceId | None = None,
    ) -> None:
        """End the trace's root. Children still open may end normally within `lifecycle.late_children`.

        Raises TraceNotFoundError for an unknown trace, TraceFinishedError for one that has finished already (one that tracebridge
        closed itself is none: its end is counted as late), ValueError when both names of the ID are given.
        """
        key = trace_id if request_id is None else one_id(trace_id, request_id)
        if type(key) is str and key == NOOP_TRACE_ID:
            return  # what it comes from has been said, or tracing is disabled
        if self._closed:
            self._refuse_after_close("end_after_close", "a trace was ended after close(), which had ended it.")
            return
        if self._off:
            return
        trace = self._find(key)
        root = None if trace is None else trace.root
        if root is not None:
            self._end(root, outputs, attributes, status, end_time_ns)
        elif self._closed_root(key):
            self._accounts.note_late_end()
        elif (shared := self._shared_root(key)) is not None:
            self._end_shared(shared, outputs, attributes, status, end_time_ns)
        elif trace is not None or self._has_finished(key):
            raise misuse(TraceFinishedError, f"Trace with ID {self._reducer.show(key)} already finished.")
        else:
            raise misuse(TraceNotFoundError, f"Trace with ID {self._reducer.show(key)} not found.")

    def _end(  # noqa: PLR0915 - the hot path stands in one piece
        self,
        span: Span,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: Any = KEEP_ERROR,
        end_time_ns: Any = None,
        cause: EndCause = _FINISHED,
    ) -> None:
        """End a live span; the first end wins. `Span.end` and every end call come here."""
        trace, span_id, accounts = span._trace, span._span_id, self._accounts
        if accounts.is_inside():
            end_time_ns = trace.anchor_ns + self._ticks() if end_time_ns is None else end_time_ns
            accounts.aside(self._end, span, outputs, attributes, status, end_time_ns, cause)
            return
        decision = trace.decision
        if decision is not None and not decision.recorded:
            self._end_unrecorded(span, trace, cause)
            return
        trace.ended.young.add(span_id)  # before it leaves: it is a possible parent at any moment
        if trace.spans.pop(span_id, None) is None:
            self._unknown_end(trace.shown_id, span_id)
            return
        span._cause = cause  # changes by others are refused from here on, and what was under way is counted
        try:
            if attributes is not None:
                span._take_attributes(attributes)
            if outputs is not None:
                span._outputs = span._payload(outputs)
            if status is KEEP_ERROR or status is None:
                if span._code == _UNSET and cause is _FINISHED:
                    span._code = _OK
            else:
                span._take_status(status)
            if end_time_ns is None:
                span._end_time_ns = trace.anchor_ns + self._ticks()
            else:
                tally = Tally()
                span._end_time_ns = self._instant(end_time_ns, trace, tally)
                span._mark(tally)
        except TracebridgeError:  # `lifecycle.strict`: the span ends all the same
            trace.spans[span_id] = span
            self._end(span, end_time_ns=end_time_ns, cause=cause)
            raise
        except Exception:
            self._broken("end_span")
            span._end_time_ns = trace.anchor_ns + self._ticks()
        attributes_now = span._attributes
        if span._attributes_change:  # looked at after them, because it is set first
            attributes_now = attributes_now.copy()  # in one step: other threads may be setting some
        inputs, outputs_now, events = span._inputs, span._outputs, span._events
        is_root = span._is_root
        if (
            span._fast_path  # looked at last, because it is set first (`Span.mark`)
            and cause is _FINISHED
            and trace.fast_path
            and self._stages.fast_path
            and not (is_root and trace.tags)
        ):
            # the fields of SpanRecord up to the last that the common span has; the others are at their defaults
            fields = [
                trace.trace_id,
                span._raw_id,
                span._parent_raw,
                span._name,
                span._start_time_ns,
                span._end_time_ns,
                span._kind,
                span._code,
                attributes_now,
                span._span_type,
                trace.custom_id,
            ]
            if (
                inputs is not None
                or outputs_now is not None
                or events is not None
                or (is_root and trace.custom_id is not None)
            ):
                fields += (_FINISHED_VALUE, "", *later_fields(span, trace, inputs, outputs_now, events))
            try:
                data: Encoded | None = encode_record(fields)
            except Exception:  # text that UTF-8 cannot carry, most likely
                data = self._encoded(span, trace, cause)
        else:
            data = self._encoded(span, trace, cause)
        if decision is not None:
            data = self._as_decided(span, trace, decision, data)
        queued = type(data) is bytes
        try:
            if not accounts.acquire(False):
                accounts.wait_turn()
            if queued:
                self._journal.append(data, span)  # type: ignore[arg-type]  # it is bytes
            else:
                group = self._not_queued(span, data)
            accounts.open -= 1  # after it, because an append may wait for room, and readers look meanwhile
            if is_root or not trace.spans or cause is not _FINISHED:
                self._retire(span, trace)
        except BaseException:
            accounts.let_go()
            raise
        accounts.release()
        if not queued:
            self._after_stages(data, group)
        if (
            (is_root and trace.late_since is not None)
            or self._journal.commits
            or len(trace.ended.young) > ENDED_SPANS_REMEMBERED
        ):
            self._after_end(trace, is_root=is_root)

    def _end_unrecorded(self, span: Span, trace: LiveTrace, cause: EndCause) -> None:
        """End a span of a trace that is not recorded: it is counted, and that is all."""
        if trace.spans.pop(span._span_id, None) is None:
            self._unknown_end(trace.shown_id, span._span_id)
            return
        span._cause = cause
        span._end_time_ns = trace.anchor_ns + self._ticks()
        accounts = self._accounts
        try:
            if not accounts.acquire(False):
                accounts.wait_turn()
            accounts.started += 1
            accounts.left_out += 1
            accounts.sampled[trace.decision.reason] += 1  # type: ignore[union-attr]  # that is why we are here
            if span._is_root or not trace.spans:
                self._retire(span, trace)
        except BaseException:
            accounts.let_go()
            raise
        accounts.release()
        if span._is_root and trace.late_since is not None:
            self._on_late_children(trace)

    def _after_end(self, trace: LiveTrace, *, is_root: bool) -> None:
        """Do what few ends are followed by."""
        if len(trace.ended.young) > ENDED_SPANS_REMEMBERED:
            with self._accounts.mutex:
                if len(trace.ended.young) > ENDED_SPANS_REMEMBERED:  # another thread may have been first
                    trace.ended.age()
        if self._journal.commits:
            self._journal.commit()
        if is_root and trace.late_since is not None:
            self._on_late_children(trace)

    def _retire(self, span: Span, trace: LiveTrace) -> None:
        """Note what an end means for its trace; called with the lock held."""
        if span._cause is not _FINISHED:
            self._table.note_closed(span)
        if span in trace.roots:
            at = trace.roots.index(span)
            trace.roots = trace.roots[:at] + trace.roots[at + 1 :]
            trace.last_root = span._span_id, span._raw_id
            trace.late_since = None if trace.roots else self._ticks()
        if not trace.spans:
            trace.late_since = None
            self._table.remove(trace)

    def _closed_root(self, trace_id: Any) -> bool:
        """Return whether it was we who ended the root of a trace."""
        trace = self._closed_trace(trace_id)
        return trace is not None and trace.last_root is not None and trace.last_root[0] in self._table.closed_spans

    def _unknown_end(self, trace_id: Any, span_id: Any) -> None:
        """Count the end of a span that is not open; raise when the settings are strict."""
        if type(trace_id) is str and trace_id == NOOP_TRACE_ID:
            return
        if type(span_id) is str and span_id in self._table.closed_spans:
            self._accounts.note_late_end()
            return
        show = self._reducer.show
        self._refuse(
            "end_of_unknown_span",
            f"Span with ID '{show(span_id)}' of trace {show(trace_id)} not found or already ended.",
            TraceNotFoundError,
        )

    # ------------------------------------------------------------------ spans never ended

    def _close_overdue(self) -> float | None:
        """Close what has been open, or held, for too long; return seconds until the next look, None when nothing is."""
        now_s = self._ticks() / NANOSECONDS
        waits = [max(MIN_LOOK_S, self._lifecycle.max_open / 10)] if self._table.traces else []
        if (soon := self._decide_due()) is not None:
            waits.append(soon)
        for trace in self._table.all():
            late_since = trace.late_since
            if late_since is not None:
                left = late_since / NANOSECONDS + self._lifecycle.late_children - now_s
                if left <= 0:
                    self._close_spans(trace, EndCause.ABANDONED)
                else:
                    waits.append(left)
            self._look_for_leaks(trace)
        return min(waits, default=None)

    def _close_spans(self, trace: LiveTrace, cause: EndCause) -> int:
        """End every open span of a trace for a reason of ours; return how many there were."""
        spans = list(trace.spans.copy().values())
        for span in spans:
            self._end(span, cause=cause)
        return len(spans)

    def _look_for_leaks(self, trace: LiveTrace) -> None:
        oldest_start = trace.anchor_ns + self._ticks() - int(self._lifecycle.max_open * NANOSECONDS)
        closing = self._lifecycle.on_leak == "close"
        for span in trace.spans.copy().values():
            if span._start_time_ns < oldest_start and span._span_id not in self._table.told_leaks:
                self._table.told_leaks.add(span._span_id)
                log.warning(
                    "span %r of trace %s, opened at %s, has been open for over %gs; %s",
                    span._name,
                    trace.shown_id,
                    span._opened_at,
                    self._lifecycle.max_open,
                    "closing it" if closing else "end it, or set lifecycle.on_leak: close",
                )
                if closing:
                    self._end(span, cause=EndCause.LEAKED)


MIN_LOOK_S = 1.0  # the janitor never looks for leaks more often
