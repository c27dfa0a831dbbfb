"""Live spans to records: what goes on the journal when a span is opened, changed and ended."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from tracebridge.calls.queueing import Queueing
from tracebridge.journal.base import encode_record
from tracebridge.propagation.context import SAMPLED
from tracebridge.records.record import EndCause, Event, SpanRecord, StatusCode, Value
from tracebridge.records.values import Tally
from tracebridge.spans.live import LiveTrace
from tracebridge.spans.span import Span
from tracebridge.stages.stage import Encoded

_FINISHED = EndCause.FINISHED
_ERROR = int(StatusCode.ERROR)
_UNFINISHED = EndCause.UNFINISHED.value


def later_fields(
    span: Span, trace: LiveTrace, inputs: Value, outputs: Value, events: list[Event] | None
) -> tuple[Any, ...]:
    """Return the fields of SpanRecord from `status_message` on, as far as a span of plain values may have any."""
    upto_events = ("", inputs, outputs, () if events is None else tuple(events))
    if span._parent_raw is None and trace.custom_id is not None:
        return (*upto_events, (), {}, trace.scheme)
    return upto_events


class Recording(Queueing):
    """Records of live spans, through the stages and encoded."""

    def _started(self, span: Span, trace: LiveTrace) -> bytes | None:
        """Return a span as a journal on disk keeps it while it is open; None when a stage drops it."""
        attributes_now = span._attributes.copy()  # of a root others may have got hold already
        inputs, outputs, events = span._inputs, span._outputs, span._events
        if not (span._fast_path and trace.fast_path and self._stages.fast_path):
            return self._encoded_open(span, trace)
        try:
            # the fields of SpanRecord up to `opened_at`
            fields = [
                trace.trace_id, span._raw_id, span._parent_raw, span._name, span._start_time_ns, span._start_time_ns, span._kind, span._code,
                attributes_now, span._span_type, trace.custom_id, _UNFINISHED, span._opened_at,
            ]  # fmt: skip
            if span._parent_raw is None and trace.tags:
                return self._encoded_open(span, trace)
            if inputs is not None or span._parent_raw is None:
                fields += later_fields(span, trace, inputs, outputs, events)
            return encode_record(fields)
        except Exception:  # text that UTF-8 cannot carry, most likely
            return self._encoded_open(span, trace)

    def _encoded_open(self, span: Span, trace: LiveTrace) -> bytes | None:
        made = self._encoded(span, trace, EndCause.UNFINISHED)
        return made if isinstance(made, bytes) else None

    def _note(self, span: Span, **fields: Any) -> None:
        """Tell a journal on disk what was set on an open span: a record with nothing but that."""
        trace = span._trace
        if self._accounts.is_inside():
            self._accounts.aside(partial(self._note, span, **fields))
            return
        if span._span_id not in trace.spans:
            return  # it is being set up, and its start record will say all
        try:
            record = SpanRecord(
                trace.trace_id,
                span._raw_id,
                None,
                "",
                span._start_time_ns,
                trace.anchor_ns + self._ticks(),
                end_cause=_UNFINISHED,
                **fields,
            )
            try:
                data = self._stages.encode(record)
            except (UnicodeEncodeError, TypeError):
                data = self._stages.encode(self._repaired(record))
        except Exception:
            self._broken("set")
            return
        if isinstance(data, bytes):
            with self._accounts.mutex:
                self._journal.changed(span, data)

    def _record_start(self, span: Span, data: bytes, interrupting: bool) -> None:
        """Tell a journal on disk of an open span; a moment later when we are in the middle of another call. Called with the lock held."""
        if interrupting:
            self._accounts.aside(self._record_start_late, span, data)
        else:
            self._journal.started(span, data)

    def _record_start_late(self, span: Span, data: bytes) -> None:
        with self._accounts.mutex:
            if span._span_id in span._trace.spans:
                self._journal.started(span, data)

    def _encoded(self, span: Span, trace: LiveTrace, cause: EndCause) -> Encoded | None:
        """Return the span as the journal keeps it, or why it is not queued; None when whoever called us decided so for the trace."""
        if (
            trace.decision is None
            and span._origin is not None
            and not span._origin.flags & SAMPLED
            and self._drops_unsampled
        ):
            return None
        try:
            return self._stages.encode(self._snapshot(span, trace, cause))
        except Exception:  # lone surrogates; a value that only claims to be a plain one
            return self._encoded_repaired(span, trace, cause)

    def _encoded_repaired(self, span: Span, trace: LiveTrace, cause: EndCause) -> Encoded:
        """Encode a span some of whose values the encoder cannot take, whole and marked."""
        try:
            return self._stages.encode(self._repaired(self._snapshot(span, trace, cause)))
        except Exception:
            self._broken("end_span")
            return encode_record(self._bare_record(span, trace))

    def _repaired(self, record: SpanRecord) -> SpanRecord:
        tally = Tally()
        tally.repaired = record.repaired
        text, attributes = self._reducer.text, self._reducer.attributes
        whole = replace(
            record,
            name=text(record.name, tally),
            span_type=text(record.span_type, tally),
            status_message=text(record.status_message, tally),
            attributes=attributes(record.attributes, tally),
            events=tuple([replace(event, attributes=attributes(event.attributes, tally)) for event in record.events]),
            tags=attributes(record.tags, tally),
            opened_at=text(record.opened_at, tally),
        )
        return replace(whole, repaired=max(1, tally.repaired), truncated=record.truncated + tally.truncated)

    def _snapshot(self, span: Span, trace: LiveTrace, cause: EndCause) -> SpanRecord:
        """Return a record that shares no part with the caller: stages and the encoder take their time over it."""
        with span._lock:
            return self._record(span, trace, cause)

    def _record(self, span: Span, trace: LiveTrace, cause: EndCause) -> SpanRecord:
        tally, origin = span._counts, span._origin
        is_root = span._parent_id is None or span._is_root
        return SpanRecord(
            trace_id=trace.trace_id,
            span_id=span._raw_id,
            parent_id=span._parent_raw,
            name=span._name,
            start_time_ns=span._start_time_ns,
            end_time_ns=span._end_time_ns or 0,
            kind=span._kind,
            status=span._code,
            status_message=span._status_message if span._code == _ERROR else "",
            attributes=span._attributes.copy(),
            inputs=span.inputs,  # copies
            outputs=span.outputs,
            span_type=span._span_type,
            events=tuple(span._events or ()),
            links=tuple(span._links or ()),
            tags=trace.tags if is_root else {},
            custom_trace_id=trace.custom_id,
            id_scheme=trace.scheme if is_root and trace.custom_id is not None else None,
            trace_state="" if origin is None else origin.trace_state,
            flags=SAMPLED if origin is None else origin.flags,
            parent_is_remote=span._parent_is_remote,
            debug=origin is not None and origin.debug,
            end_cause=cause.value,
            opened_at="" if cause is _FINISHED else span._opened_at,
            dropped_attributes=span._dropped_attributes,
            dropped_events=span._dropped_events,
            dropped_links=span._dropped_links,
            truncated=tally.truncated if tally is not None else 0,
            repaired=tally.repaired if tally is not None else 0,
            experiment_id=trace.experiment_id,
            custom_span_id=span.custom_span_id,
            span_id_scheme=None if span._own_id is None else span._own_id.scheme,
        )

    def _bare_record(self, span: Span, trace: LiveTrace) -> SpanRecord:
        """What is certain about a span, for the case that the rest of it broke something."""
        return SpanRecord(
            trace.trace_id,
            span._raw_id,
            span._parent_raw,
            str(span._name).encode("utf-8", "backslashreplace").decode(),
            span._start_time_ns,
            span._end_time_ns or span._start_time_ns,
            status=span._code,
            repaired=1,
        )
