"""Roots: what begins a trace, under the caller's own ID, a generated or a random one, or continues one from elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec

from tracebridge.calls.core import INTERNAL, LAST_KIND, Closing
from tracebridge.calls.sharing import Sharing
from tracebridge.errors import (
    DuplicateSpanError,
    DuplicateTraceError,
    InvalidParameterError,
    TracebridgeError,
    misuse,
)
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.ids.random_ids import pop_span_id, shared_ids
from tracebridge.ids.schemes import RANDOM_SCHEME, WireId, shown_id
from tracebridge.otel.current import CURRENT, current_parent
from tracebridge.plugins.adapter import RUN_TAG
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.propagation.context import RANDOM, SAMPLED, RemoteParent, remote_parent
from tracebridge.records.values import Tally
from tracebridge.spans.live import LiveTrace, context_of, live_trace
from tracebridge.spans.noop import AnySpan
from tracebridge.spans.place import Place
from tracebridge.spans.span import MAX_NAME, OwnId, Span
from tracebridge.spans.unrecorded import UnrecordedSpan

REMOTE = "remote"  # the scheme of a trace whose root another process has
CUT_AWAY = "trace_id_cut_away"  # how IDs from elsewhere that cannot be sent on are counted
GENERATE = "generate_failed"  # how a generator's failures are counted
DEBUG_ID_ATTRIBUTE = "jaeger-debug-id"  # as Jaeger's own clients tag it
CORRELATION_ATTRIBUTE = "tracebridge.correlation_id"


class Roots(Sharing):
    """Begins traces; and what every new span has in common."""

    def _begin_trace(  # noqa: PLR0915 - the hot path stands in one piece
        self,
        place: Place,
        custom_id: str | TraceId | None,
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
        kind: Any,
        span_id: Any = None,
        shared: bool = False,
    ) -> AnySpan:
        """`start_trace`, for a caller at `place`."""
        if self._off:
            return self._started_when_off()
        try:
            if kind is not INTERNAL and (type(kind) is not int or not 0 <= kind <= LAST_KIND):
                kind = self._kind_of(kind)
            asked = type(parent) is str and parent == CURRENT
            near = current_parent(self) if asked else parent
            if asked and isinstance(near, Span) and near._cause is not None:
                near = context_of(near)  # its trace may have finished: the new one is to have its ID
            remote = None if near is None else self._continuable(remote_parent(near, self._ids))
            tally = Tally()
            generated, gives_way = None, False
            if custom_id is None and self._ids.generate is not None and not names_trace(remote):
                generated = custom_id = self._generated(name, attributes)
            trace = self._new_trace(custom_id, remote, tally)
            if self._head is not None and not self._decide_root(trace, remote, name, kind, attributes).recorded:
                parent_id = None if remote is None else remote.span_id
                return self._begin_unrecorded(trace, parent_id, name, kind, span_id, place, named=custom_id is not None)
            if tags is not None or experiment_id is not None or run_id is not None:
                self._label(trace, tags, experiment_id, run_id, tally)
            parent_id = None if remote is None else remote.span_id
            own_id = None if span_id is None else self._ids.span(span_id)
            raw_id, hex_id = shared_ids.span_id() if own_id is None else (own_id.wire, own_id.wire_span_id)
            told = None if remote is None else told_by(remote, trace.custom_id)
            plain = {} if attributes is None else self._reducer.fast_attributes(attributes)
            span = Span(
                self,
                trace,
                hex_id,
                raw_id,
                parent_id,
                None,
                name,
                trace.anchor_ns + self._ticks(),
                place,
                kind,
                span_type,
                plain if plain and not told else {},
                trace.origin,
                True,
            )
            if parent_id is not None:
                span._parent_raw, span._parent_is_remote, span._fast_path = bytes.fromhex(parent_id), not asked, False
            if tally.repaired or tally.truncated:
                span._counts, span._fast_path = tally, False
            if own_id is not None:
                self._own(span, own_id)
            if told:
                span._fill(told)
            if plain is None or (told and attributes is not None):
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
                self._set_up(
                    span, name, span_type, span._start_time_ns if start_time_ns is None else start_time_ns, links
                )
            accounts = self._accounts
            interrupting = accounts.is_inside()
            try:
                if not accounts.acquire(False):
                    accounts.wait_turn()
                known = self._table.traces.get(trace.hex_id) or self._table.traces.get(trace.custom_id or "")
                if known is not None:
                    gives_way = generated is not None and not self._ids.joins
                    known = self._same_trace(known, trace, gives_way, custom_id is not None, remote is not None)
                if own_id is not None:
                    self._refuse_known(span, known or trace)
                if self._off:
                    raise Closing
                trace = span._trace = self._table.add(trace) if known is None else known.joined_by(trace)
                trace.spans[span._span_id] = span
                trace.roots = (*trace.roots, span)
                trace.late_since = None
                accounts.started += 1
                accounts.open += 1
                if self._keeps_open and (data := self._started(span, trace)) is not None:
                    self._record_start(span, data, interrupting)
            except BaseException:
                accounts.let_go()
                raise
            accounts.release()
            self._on_first_trace()
            if gives_way:
                self._warn(GENERATE, "trace_ids.generate made the ID of a trace that is open; a random one is used.")
            return self._share(span) if shared or self._shares_all else span
        except TracebridgeError:
            raise
        except Closing:
            return self._started_when_off()
        except Exception:
            return self._not_started("start_trace", custom_id, span_id)

    def _label(self, trace: LiveTrace, tags: Any, experiment_id: Any, run_id: Any, tally: Tally) -> None:
        text = self._reducer.text
        if tags is not None:
            trace.tags = {key: text(value, tally) for key, value in self._reducer.attributes(tags, tally).items()}
        if run_id is not None:
            trace.tags.setdefault(RUN_TAG, text(run_id, tally))
        if experiment_id is not None:
            trace.experiment_id = text(experiment_id, tally)
            trace.fast_path = False  # each of its spans says so

    def _generated(self, name: Any, attributes: Any) -> str | TraceId | None:
        """Return what the generator makes; None, counted, when it fails or makes what can be no ID."""
        try:
            made = self._ids.generated(name, attributes)
        except BaseException as error:
            raise_interrupt(error)
            self._warn(
                GENERATE,
                f"trace_ids.generate made no ID for {self._reducer.show(name)!r}, a random one is used: "
                f"{type(error).__name__}: {self._reducer.show(error)}",
            )
            return None
        return made

    def _new_trace(self, custom_id: str | TraceId | None, remote: RemoteParent | None, tally: Tally) -> LiveTrace:
        if remote is not None:
            return self._continued_trace(custom_id, remote, tally)
        if custom_id is None:
            return live_trace(self._ids.random(), None, self._wall() - self._ticks())
        return self._live_trace(self._ids.wire(custom_id), custom_id, tally)

    def _continuable(self, remote: RemoteParent) -> RemoteParent:
        """Return a context from elsewhere; one that came in a header, whoever sent it, without IDs of which nothing would be left here."""
        if not remote.format or remote.trace_id is None or self._ids.fits(remote.trace_id):
            return remote
        self._warn(
            CUT_AWAY,
            f"the trace ID {remote.trace_id} came in a header and ends with 16 zeros, which trace_ids.max_bits: 64 leaves "
            "nothing of; a trace of its own is started.",
        )
        return msgspec.structs.replace(remote, trace_id=None, span_id=None, parent_id=None)

    def _continued_trace(self, custom_id: str | TraceId | None, remote: RemoteParent, tally: Tally) -> LiveTrace:
        """Return an entry for a trace that goes on here: under the remote ID, or a new one where that context names no trace.

        Raises InvalidParameterError when `trace_id` names another trace than the parent does.
        """
        wire = None if custom_id is None else self._ids.wire(custom_id)
        elsewhere = None if remote.trace_id is None else self._ids.cut(bytes.fromhex(remote.trace_id))
        if elsewhere is not None and wire is not None and elsewhere != wire.trace_id:
            raise misuse(
                InvalidParameterError,
                f"trace_id and parent name different traces ({wire.trace_id.hex()} and {elsewhere.hex()}); give one of them.",
            )
        if wire is None and remote.correlation_id is not None:
            said = self._derived(remote.correlation_id)
            if said is not None and elsewhere in {None, said.trace_id}:
                custom_id, wire = remote.correlation_id, said
        if wire is None and elsewhere is not None and elsewhere.hex() != remote.trace_id:
            custom_id, wire = remote.trace_id, WireId(elsewhere, "hex")  # what is cut off here can still be searched
        if wire is None:
            wire = self._ids.random() if elsewhere is None else WireId(elsewhere, RANDOM_SCHEME)
        trace = self._live_trace(wire, custom_id, tally)
        if remote.trace_id is None:  # the flags are the sender's, but whether the ID is random is ours to say
            remote = msgspec.structs.replace(remote, flags=remote.flags & SAMPLED | trace.flags & RANDOM)
        else:
            trace.outgoing_id = remote.trace_id
        trace.origin = remote
        trace.fast_path = remote.flags == SAMPLED and not (remote.trace_state or remote.debug)
        return trace

    def _derived(self, custom_id: str) -> WireId | None:
        """Return the wire ID of an ID that came in a header; None when it can be none."""
        try:
            return self._ids.wire(custom_id)
        except TracebridgeError:
            return None

    def _live_trace(self, wire: WireId, given: str | TraceId | None, tally: Tally) -> LiveTrace:
        trace = live_trace(wire, None, self._wall() - self._ticks())
        if given is not None:
            shown = self._reducer.text(given.text if type(given) is TraceId else given, tally)
            trace.custom_id = None if shown == trace.hex_id else shown
        trace.fast_path = wire.scheme is not REMOTE
        return trace

    def _same_trace(
        self, known: LiveTrace, new: LiveTrace, gives_way: bool, named: bool, has_parent: bool
    ) -> LiveTrace | None:
        """Return an open trace that has the new one's wire ID or text, None where the new one gives way; called with the lock held.

        Raises DuplicateTraceError as `_refuse_known_trace` does.

        Only a caller who named the ID is to hear of a clash: a generated one gives way to a random one, and a text that came in a
        header, and names another trace here, is left out.
        """
        if gives_way:
            new.identify(self._ids.random(), None)
            return None
        if not named and known.hex_id != new.hex_id:
            new.custom_id = None
            return None
        self._refuse_known_trace(known, new, has_parent, named)
        return known

    def _refuse_known_trace(self, known: LiveTrace, new: LiveTrace, has_parent: bool, named: bool) -> None:
        """Raise DuplicateTraceError unless a second root may become a segment of an open trace; called with the lock held.

        Two different texts that derive the same wire ID are refused, and one text that stands for two traces.
        """
        if known.hex_id != new.hex_id:
            raise misuse(
                DuplicateTraceError,
                f"trace_id {new.shown_id!r} ({new.scheme}) derives the wire ID {new.hex_id}, but names an open trace of "
                f"another one, {known.hex_id} ({known.scheme}); end that one first, or use another ID.",
            )
        if named and known.custom_id is not None and known.custom_id != new.custom_id:
            raise misuse(
                DuplicateTraceError,
                f"trace_id {new.shown_id!r} derives the wire ID {new.hex_id} that the open trace {known.custom_id!r} "
                "has; end that one first, or use another ID.",
            )
        if known.roots and not has_parent and not self._ids.joins:
            raise misuse(
                DuplicateTraceError,
                f"Trace with ID {new.shown_id} is open already, started at {known.roots[-1]._opened_at}; end it first, "
                "give another ID, or set trace_ids.on_duplicate: join.",
            )

    # ------------------------------------------------------------------ spans that are not recorded

    def _begin_unrecorded(
        self, trace: LiveTrace, parent_id: str | None, name: Any, kind: int, span_id: Any, place: Place, *, named: bool
    ) -> UnrecordedSpan:
        """Begin a trace that is not recorded. Raises DuplicateTraceError and DuplicateSpanError as for any other."""
        span = self._unrecorded(trace, parent_id, name, kind, span_id, place)
        accounts, table = self._accounts, self._table
        if not accounts.acquire(False):
            accounts.wait_turn()
        try:
            if self._off:
                raise Closing
            known = table.traces.get(trace.hex_id) or table.traces.get(trace.custom_id or "")
            if known is not None:
                known = self._same_trace(known, trace, False, named, parent_id is not None)
            if span_id is not None:
                self._refuse_known(span, known or trace)
            trace = span._trace = table.add(trace) if known is None else known.joined_by(trace)
            trace.spans[span._span_id] = span
            span._is_root = True
            trace.roots = (*trace.roots, span)
            trace.late_since = None
        finally:
            accounts.release()
        return span

    def _start_unrecorded(
        self, trace: LiveTrace, parent_id: Any, name: Any, kind: Any, span_id: Any, place: Place
    ) -> UnrecordedSpan:
        """Start a span in a trace that is not recorded. Raises DuplicateSpanError as for any other."""
        span = self._unrecorded(trace, parent_id, name, kind, span_id, place)
        if span_id is None and not trace.done:
            trace.spans[span._span_id] = span
            if not trace.done:
                return span
        with self._accounts.lock:  # the trace is ending just now, or has ended
            if self._off:
                raise Closing
            trace = span._trace = self._table.newest(trace)
            if span_id is not None:
                self._refuse_known(span, trace)
            if trace.done:
                self._table.add(trace)
            trace.spans[span._span_id] = span
        return span

    def _unrecorded(
        self, trace: LiveTrace, parent_id: Any, name: Any, kind: Any, span_id: Any, place: Place
    ) -> UnrecordedSpan:
        own_id = None if span_id is None else self._ids.span(span_id)
        try:
            raw_id, hex_id = pop_span_id() if own_id is None else (own_id.wire, own_id.wire_span_id)
        except IndexError:
            raw_id, hex_id = shared_ids.more_span_ids()
        name = name if type(name) is str else self._reducer.text(name, Tally())
        parent_id = parent_id if type(parent_id) is str else None
        now_ns = trace.anchor_ns + self._ticks()
        span = UnrecordedSpan(
            self, trace, hex_id, raw_id, parent_id, None, name, now_ns, place, kind, _origin=trace.origin
        )
        if own_id is not None:
            self._own(span, own_id)
        return span

    # ------------------------------------------------------------------ any new span

    def _set_up(self, span: Span, name: Any, span_type: Any, start_time_ns: Any, links: Any) -> None:
        """Take the arguments that most spans do not have, whatever they are."""
        reducer, tally = self._reducer, span._tally  # its creator has it alone
        span._name = reducer.text(name, tally)[:MAX_NAME]
        span._span_type = "UNKNOWN" if span_type is None else reducer.text(span_type, tally)[:MAX_NAME]
        span._start_time_ns = self._instant(start_time_ns, span._trace, tally)
        try:
            for link in () if links is None else links:
                span.add_link(link)
        except BaseException as error:  # not even a list
            raise_interrupt(error)
            span._dropped_links += 1

    def _own(self, span: Span, own_id: SpanId) -> None:
        """Note the caller's own text for a span's ID, where it says more than the ID does."""
        if own_id.text != span._span_id:
            span._own_id = OwnId(self._reducer.text(own_id.text, span._tally), own_id.matched)

    def _refuse_known(self, span: Span, trace: LiveTrace) -> None:
        """Raise DuplicateSpanError where the trace has a span of that ID; called with the lock held."""
        there = trace.spans.get(span._span_id)
        if there is None and span._span_id not in trace.ended and span._raw_id != span._parent_raw:
            return
        if there is not None:
            where = f"opened at {there._opened_at}"
        else:
            where = "which has ended" if span._span_id in trace.ended else "the parent"
        text = span._span_id if span._own_id is None else span._own_id.text
        raise misuse(
            DuplicateSpanError,
            f"span_id {shown_id(text)} ({span._span_id}) is that of another span of trace {trace.shown_id}, {where}; "
            "give another ID, or none.",
        )


def names_trace(remote: RemoteParent | None) -> bool:
    """Return whether a context from elsewhere says, in one way or another, which trace it is of."""
    return remote is not None and (remote.trace_id is not None or remote.correlation_id is not None)


def told_by(remote: RemoteParent, custom_id: str | None) -> dict[str, str]:
    """Return what a context from elsewhere has to say that a person may search for, as attributes of the span that continues it."""
    told = {}
    if remote.debug_id:
        told[DEBUG_ID_ATTRIBUTE] = remote.debug_id
    if remote.correlation_id is not None and remote.correlation_id != custom_id:
        told[CORRELATION_ATTRIBUTE] = remote.correlation_id
    return told
