"""Sampling in the calls: a trace's decision where it begins, and what it means for each of its spans."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tracebridge.calls.recording import Recording
from tracebridge.journal.base import decode_record
from tracebridge.propagation.context import SAMPLED, RemoteParent
from tracebridge.sampling.decision import Decision
from tracebridge.sampling.head import Root
from tracebridge.sampling.short_records import with_ending
from tracebridge.spans.live import LiveTrace
from tracebridge.spans.span import Span
from tracebridge.stages.holding import Held, SampledOut
from tracebridge.stages.stage import Encoded


class Deciding(Recording):
    """What `sampling:` does to traces and spans. Without it `_head` is None, and nothing here is called."""

    def _decide_root(
        self, trace: LiveTrace, remote: RemoteParent | None, name: Any, kind: int, attributes: Any
    ) -> Decision:
        """Decide about a trace that begins, or goes on, here; what `inject` writes says so from now on."""
        assert self._head is not None  # noqa: S101 - whoever calls has looked
        known = self._table.traces.get(trace.hex_id)
        if known is not None and known.decision is not None:  # another root of a trace that is open
            decision = known.decision
        else:
            root = Root(name, kind, attributes, self._parts.resource.service_name) if self._head.looks else HERE
            if remote is None:
                decision = self._head.begun(trace.trace_id, trace.scheme, trace.custom_id, trace.flags, root)
            else:
                decision = self._head.continued(remote, trace.trace_id, trace.scheme, trace.custom_id, root)
        trace.origin = context_for(trace.origin, decision)
        trace.fast_path = not trace.origin.debug  # flags and trace state are put behind the common record
        trace.decision = decision
        return decision

    def _decide_by_id(self, trace: LiveTrace, scheme: str) -> None:
        """Decide about a trace whose root another process has: without headers its ID is all we know of it."""
        assert self._head is not None  # noqa: S101 - whoever calls has looked
        trace.decision = self._head.begun(trace.trace_id, scheme, trace.custom_id, 0, None)
        trace.origin = trace.decision.context

    def _as_decided(self, span: Span, trace: LiveTrace, decision: Decision, made: Encoded | None) -> Encoded | None:
        """Return what the stages made of a finished span as its trace's decision has it: held while there is none."""
        if type(made) is not bytes:
            return made
        tail = self._tail
        if decision.undecided and tail is not None:
            wanted = tail.wanted(span._name, span._code, span._end_time_ns - span._start_time_ns, span._attributes)  # type: ignore[operator]  # it has ended
            is_last = trace.roots == (span,) if trace.roots else not trace.spans
            if self._keeps_open:  # another process may have to decide
                made = with_ending(made, decision.ending) or made
            return Held(made, trace.trace_id, is_last, tail.settings.wait, wanted, decision)
        data = with_ending(made, decision.ending) or made
        if decision.delivered and not decision.kept and self._says is None:
            return data
        return self._as_known(data, decision)

    def _as_known(self, data: bytes, decision: Decision) -> Encoded:
        """Return a span of a trace that is decided about."""
        if not (decision.kept or decision.delivered):
            return SampledOut(decision.reason)
        if decision.kept:
            with self._accounts.mutex:
                self._accounts.kept[decision.kept] += 1
        return self._final(data, decision, decision.kept)

    def _thinned(self, made: Encoded) -> Encoded:
        """Return what becomes of a record that was made elsewhere: as its trace's decision has it, held while there is none."""
        if self._head is None or type(made) is not bytes:
            return made
        record, tail = decode_record(made), self._tail
        key = record.trace_id
        trace = self._table.traces.get(key.hex())
        decision = None if trace is None else trace.decision
        is_root = decision is None and (record.parent_id is None or record.parent_is_remote)
        if decision is None and tail is not None:
            decision = tail.recent(key)
        if decision is None:
            resource = record.resource or self._parts.resource
            root = Root(record.name, record.kind, record.attributes, resource.service_name)
            decision = self._head.thinned(record, root if is_root else None, waits=tail is not None)
        if not decision.undecided or tail is None:
            return self._as_known(made, decision)
        return Held(made, key, is_root, tail.settings.wait, tail.wants(record), decision)


HERE = Root(None, 0, None, "")  # a root that nothing is asked about


def context_for(origin: RemoteParent | None, decision: Decision) -> RemoteParent:
    """Return the context that goes on to whatever is called: what came from elsewhere, with our decision in it."""
    ours = decision.context
    if origin is None:
        return ours
    told = origin.datadog
    if told is not None and (origin.flags ^ ours.flags) & SAMPLED:
        told = told._replace(priority="")  # how the sender decided says nothing about how we did
    return replace(origin, flags=ours.flags, trace_state=ours.trace_state, deferred=False, datadog=told)
