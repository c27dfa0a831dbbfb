"""Shared spans: started here for every process, changed and ended here whoever started them.

A shared span is a `Span` that stands in no table of this process. Its changes and its end go to the engine (`tracebridge.sharing`), which decides who ended it;
the record comes back here, merged, and goes the way of every record that was made elsewhere: `ingest`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from msgspec.structs import replace

from tracebridge.calls.core import Core
from tracebridge.calls.deciding import Deciding
from tracebridge.errors import DuplicateSpanError, TracebridgeError, TraceFinishedError, TraceNotFoundError, misuse
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.ids.schemes import RANDOM_SCHEME, WireId, shown_id
from tracebridge.plugins.open_spans import SpanKey
from tracebridge.propagation.context import SAMPLED, RemoteParent
from tracebridge.records.record import EndCause, SpanRecord, StatusCode
from tracebridge.records.values import Tally
from tracebridge.sharing.exchange import Exchange
from tracebridge.sharing.guard import Unavailable
from tracebridge.spans.live import LiveTrace, live_trace
from tracebridge.spans.noop import AnySpan
from tracebridge.spans.span import KEEP_ERROR, OwnId, Span

_OPEN = EndCause.UNFINISHED


class SharedCalls:
    """What a shared span asks of its client: what any span asks, but for its changes and its end."""

    _keeps_open = True

    def __init__(self, client: Sharing) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _note(self, span: Span, **fields: Any) -> None:
        self._client._change_shared(span, **fields)

    def _end(
        self,
        span: Span,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: Any = KEEP_ERROR,
        end_time_ns: Any = None,
    ) -> None:
        self._client._end_shared(span, outputs, attributes, status, end_time_ns)


class Sharing(Deciding):
    """`shared_span`, and what the other calls do with spans that are open elsewhere."""

    _exchange: Exchange | None
    """The way to the engine; None without `open_spans.engine`."""
    _shares_all: bool
    _shared_calls: Core

    def shared_span(self, trace_id: str | TraceId, span_id: str | SpanId | None = None) -> AnySpan:
        """Return a span that any process started with `shared=True`, to set things on it, or end it, from here.

        `trace_id` and `span_id` are the caller's own IDs or wire IDs; without `span_id` it is the trace's open root. What has been recorded of it so far
        can be read from it. One that the engine does not know (any more) is returned all the same: its end is recorded, as *orphaned*, unless
        somebody has ended it; what is set on it is counted as `misuse["change_of_unknown_span"]`.

        Raises TraceNotFoundError where `span_id` is left out and the trace has no open root, InvalidParameterError for an ID that its scheme cannot take.
        """
        if self._off:
            return self._started_when_off()
        live = self._find(trace_id)
        if live is not None:
            here = live.root if span_id is None else live.spans.get(self._ids.span(span_id).wire_span_id)
            if here is not None:
                return here
        wires = [live.trace_id] if live is not None else [wire.trace_id for wire in self._ids.meanings(trace_id)]
        wires = wires or [self._ids.wire(trace_id).trace_id]
        own_id = None if span_id is None else self._ids.span(span_id)
        for wire in wires:
            records = self._open_elsewhere(wire)
            found = _root(records) if own_id is None else next((r for r in records if r.span_id == own_id.wire), None)
            if found is not None:
                return self._handle(found)
        if own_id is None:
            raise misuse(TraceNotFoundError, f"Trace with ID {self._reducer.show(trace_id)} has no open root.")
        shown = trace_id.text if type(trace_id) is TraceId else str(trace_id)
        custom = None if shown == wires[0].hex() else self._reducer.text(shown, Tally())
        return self._handle(SpanRecord(wires[0], own_id.wire, None, "", self._wall(), 0, custom_trace_id=custom))

    # ------------------------------------------------------------------ what the other calls ask

    def _share(self, span: AnySpan) -> AnySpan:
        """Give a span that has just been started to the engine. It stays as it is where that has no engine, or gets no answer."""
        exchange = self._exchange
        if not isinstance(span, Span) or span._calls is not self:
            return span
        if exchange is None:
            self._warn(
                "not_shared",
                "a span was started with shared=True, and open_spans.engine names no engine; it stays in this process.",
            )
            return span
        if self._accounts.is_inside():  # in the middle of another call of ours, which nothing may hold up
            return span
        trace = span._trace
        is_root = span._is_root
        try:
            try:
                data = self._stages.encode(self._open_record(span, trace))
            except (UnicodeEncodeError, TypeError):
                data = self._stages.encode(self._repaired(self._open_record(span, trace)))
            is_new = exchange.start(_key(span), data, is_root=is_root) if isinstance(data, bytes) else None
        except Exception:
            self._broken("start")
            return span
        if is_new is None:
            return span
        if not is_new:
            self._withdraw(span, trace)
            text = span._span_id if span._own_id is None else span._own_id.text
            raise misuse(
                DuplicateSpanError,
                f"span_id {shown_id(text)} is that of a shared span of trace {trace.shown_id}, open or ended; give another ID, "
                "or take that one: shared_span(trace_id, span_id).",
            )
        self._table.given.add(span._span_id)
        span._calls = self._shared_calls
        with self._accounts.mutex:
            if self._withdraw(span, trace):
                self._accounts.started += 1
                self._accounts.shared += 1
        exchange.start_looking()
        return span

    def _withdraw(self, span: Span, trace: LiveTrace) -> bool:
        """Take a span that is the engine's out of this process's books; return False where the client's end was faster."""
        with self._accounts.mutex:
            if trace.spans.pop(span._span_id, None) is None:
                return False
            self._accounts.started -= 1
            self._accounts.open -= 1
            self._journal.forget(span)
            trace.ended.add(span._span_id)  # it may be a parent here as before
            trace.roots = tuple([root for root in trace.roots if root is not span])
            if not trace.spans:
                self._table.remove(trace)
        return True

    def _open_record(self, span: Span, trace: LiveTrace) -> SpanRecord:
        return replace(
            self._snapshot(span, trace, _OPEN), resource=self._parts.resource, end_time_ns=span._start_time_ns
        )

    def _change_shared(self, span: Span, **fields: Any) -> None:
        """Tell the engine what was set on a shared span."""
        exchange, trace = self._exchange, span._trace
        if self._closed or exchange is None:
            self._refuse_after_close(
                "change_after_close", "a shared span was changed after close(); the change is not recorded."
            )
            return
        if self._accounts.is_inside():
            self._accounts.aside(partial(self._change_shared, span, **fields))
            return
        if "status_message" in fields:
            fields["status"] = span._code
        try:
            now_ns = trace.anchor_ns + self._ticks()
            data = self._encoded_change(
                SpanRecord(
                    trace.trace_id,
                    span._raw_id,
                    None,
                    "",
                    now_ns,
                    now_ns,
                    end_cause=_OPEN.value,
                    **fields,
                    **_counts(span),
                )
            )
            was = exchange.change(_key(span), data) if data is not None else "open"
        except Exception:
            self._broken("set")
            return
        name = self._reducer.show(span._name)
        if was == "ended":
            self._refuse(
                "change_after_end",
                f"span {name!r} was changed after its end; the change is not recorded.",
                TraceFinishedError,
            )
        elif was == "unknown":
            self._refuse(
                "change_of_unknown_span",
                f"shared span {span._span_id} of trace {trace.shown_id} was changed, and the engine does not know it; the change is not recorded.",
                TraceNotFoundError,
            )

    def _end_shared(
        self, span: Span, outputs: Any, attributes: Any, status: Any, end_time_ns: Any, *, even_unknown: bool = True
    ) -> None:
        """End a shared span: the first end wins, whoever calls it."""
        exchange, trace = self._exchange, span._trace
        if self._closed or exchange is None:
            self._refuse_after_close(
                "end_after_close", "a shared span was ended after close(); the engine keeps it open."
            )
            return
        if self._accounts.is_inside():
            end_time_ns = trace.anchor_ns + self._ticks() if end_time_ns is None else end_time_ns
            self._accounts.aside(
                partial(self._end_shared, span, outputs, attributes, status, end_time_ns, even_unknown=even_unknown)
            )
            return
        if span._cause is not None or not self._ended_shared(
            span, exchange, outputs, attributes, status, end_time_ns, even_unknown
        ):
            span._cause = EndCause.FINISHED
            self._unknown_end(trace.shown_id, span._span_id)

    def _ended_shared(
        self,
        span: Span,
        exchange: Exchange,
        outputs: Any,
        attributes: Any,
        status: Any,
        end_time_ns: Any,
        even_unknown: bool,
    ) -> bool:
        """Return whether it was this call that ended the span."""
        trace, tally = span._trace, Tally()
        has_status = status is not KEEP_ERROR and status is not None
        ended_ns, code, message = trace.anchor_ns + self._ticks(), int(StatusCode.UNSET), ""
        added: dict[str, Any] = {}
        taken = error = None
        try:
            ended_ns = self._instant(end_time_ns, trace, tally)
            if has_status:
                try:
                    span._take_status(status)
                except TracebridgeError as refused:  # `lifecycle.strict`: the span ends all the same
                    error = refused
                code, message = span._code, span._status_message
            if attributes is not None:
                added = span._take_attributes(attributes)
            if outputs is not None:
                taken = span._outputs = span._payload(outputs)
            span._mark(tally)
        except Exception:
            self._broken("end_span")
        try:
            data = self._encoded_change(
                SpanRecord(
                    trace.trace_id, span._raw_id, span._parent_raw, span._name, ended_ns, ended_ns, status=code, status_message=message, attributes=added,
                    outputs=taken, custom_trace_id=trace.custom_id, resource=self._parts.resource, end_cause=_OPEN.value,
                    custom_span_id=span.custom_span_id, **_counts(span),
                )
            )  # fmt: skip
            won = data is None or exchange.end(_key(span), data, has_status=has_status, even_unknown=even_unknown)
        except Exception:
            self._broken("end_span")
            return True
        if won:
            span._cause, span._end_time_ns = EndCause.FINISHED, ended_ns
            if not has_status and span._code == StatusCode.UNSET:
                span._code = int(StatusCode.OK)
        if error is not None:
            raise error
        return won

    def _encoded_change(self, record: SpanRecord) -> bytes | None:
        """Return what was set as the journal would keep it, past the stages; None where one of them drops it."""
        try:
            data = self._stages.encode(record)
        except (UnicodeEncodeError, TypeError):
            data = self._stages.encode(self._repaired(record))
        return data if isinstance(data, bytes) else None

    def _end_elsewhere(
        self, trace_id: Any, span_id: Any, outputs: Any, attributes: Any, status: Any, end_time_ns: Any
    ) -> bool:
        """End a span that is not open here; return whether the engine is the one to ask about it."""
        own_id = self._read_span_id(span_id)
        if self._exchange is None or self._off or own_id is None:
            return False
        wires = self._wires(trace_id)
        if not wires:
            return False
        given = own_id.wire_span_id in self._table.given
        known_here = False
        for wire in wires:
            hex_id, table = wire.hex(), self._table
            trace = table.traces.get(hex_id)
            ended_here = trace is not None and own_id.wire_span_id in trace.ended
            if not given and (ended_here or hex_id in table.finished or hex_id in table.closed):
                return False  # it was a span of this process alone
            known_here = known_here or trace is not None or hex_id in table.left
        text = trace_id.text if type(trace_id) is TraceId else str(trace_id)
        for wire in wires:
            last = wire is wires[-1]
            custom = None if text == wire.hex() else self._reducer.text(text, Tally())
            span = self._handle(SpanRecord(wire, own_id.wire, None, "", 0, 0, custom_trace_id=custom))
            if last or any(record.span_id == own_id.wire for record in self._open_elsewhere(wire)):
                self._end_shared(span, outputs, attributes, status, end_time_ns, even_unknown=given or not known_here)
                break
        return True

    def _wires(self, trace_id: Any) -> list[bytes]:
        """Return the wire IDs that a trace ID may mean."""
        if (live := self._find(trace_id)) is not None:
            return [live.trace_id]
        if not issubclass(type(trace_id), (str, TraceId)) or not trace_id:
            return []
        return [wire.trace_id for wire in self._ids.meanings(trace_id)]

    def _open_elsewhere(self, wire: bytes | None) -> list[SpanRecord]:
        """Return spans that are open at the engine: of a trace, or with None the roots of all."""
        return [] if self._exchange is None or self._off else self._exchange.open(wire)

    def _shared_root(self, trace_id: Any) -> Span | None:
        """Return the open root of a trace at the engine."""
        if self._exchange is None:
            return None
        for wire in self._wires(trace_id):
            if (record := _root(self._open_elsewhere(wire))) is not None:
                return self._handle(record)
        return None

    def _handle(self, record: SpanRecord) -> Span:
        """Return a shared span as this process can set things on it and end it."""
        scheme = record.id_scheme or RANDOM_SCHEME
        trace = live_trace(WireId(record.trace_id, scheme), record.custom_trace_id, self._wall() - self._ticks())
        trace.tags, trace.experiment_id = dict(record.tags), record.experiment_id
        parent_id = None if record.parent_id is None else record.parent_id.hex()
        if not record.flags & SAMPLED or record.trace_state or record.debug:
            trace.origin = RemoteParent(
                trace.outgoing_id,
                parent_id,
                record.flags,
                record.trace_state,
                record.custom_trace_id,
                debug=record.debug,
            )
        frame = sys._getframe()
        return Span(
            self._shared_calls, trace, record.span_id.hex(), record.span_id, parent_id, record.parent_id,
            record.name, record.start_time_ns, (frame.f_code, frame.f_lasti), record.kind, record.span_type,
            _inputs=record.inputs, _outputs=record.outputs, _attributes=dict(record.attributes), _code=record.status,
            _status_message=record.status_message if record.status == StatusCode.ERROR else "",
            _events=list(record.events) or None, _links=list(record.links) or None, _parent_is_remote=record.parent_is_remote,
            _origin=trace.origin,
            _own_id=None if record.custom_span_id is None else OwnId(record.custom_span_id, record.span_id_scheme or ""),
        )  # fmt: skip

    def _take_in(self, record: SpanRecord) -> bool:
        """Deliver a shared span that ended; return False where this client has ended, and cannot."""
        if self._accounts.closed:
            return False
        if not record.flags & SAMPLED and self._drops_unsampled:
            with self._accounts.mutex:
                self._not_queued(object(), None)
                self._accounts.ingested += 1
            return True
        again = (
            self._stages.redact(record).redacted - record.redacted
        )  # what was masked is masked, and counted, once more
        if record.resource == self._parts.resource:
            record = replace(record, resource=None)
        self._ingest((replace(record, redacted=max(0, record.redacted - again)) if again else record,))
        return True

    def _look_elsewhere(self) -> int | None:
        """Deliver what has ended at the engine, without waiting for the next look; return how many spans, None where it does not answer."""
        try:
            return 0 if self._exchange is None else self._exchange.look()
        except Unavailable:
            return None

    def _shared_calls_of(self) -> Core:
        """Return what shared spans of this client call."""
        return cast(Core, SharedCalls(self))


def _key(span: Span) -> SpanKey:
    return SpanKey(span._trace.trace_id, span._raw_id)


def _counts(span: Span) -> dict[str, Any]:
    """Return what is counted about a span's values since it was last told, and begin anew."""
    with span._lock:
        tally = span._counts or Tally()
        told = {
            "truncated": tally.truncated,
            "repaired": tally.repaired,
            "dropped_attributes": span._dropped_attributes,
            "dropped_events": span._dropped_events,
            "dropped_links": span._dropped_links,
        }
        span._counts = None
        span._dropped_attributes = span._dropped_events = span._dropped_links = 0
    return told


def _root(records: list[SpanRecord]) -> SpanRecord | None:
    """Return the root among the open spans of a trace: the newest without a parent, else the newest whose parent came in from elsewhere."""
    for is_root in (lambda r: r.parent_id is None, lambda r: r.parent_is_remote):
        found = [record for record in records if is_root(record)]
        if found:
            return found[-1]
    return None
