"""What `sampling:` would make of finished traces: counted, not carried out."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from tracebridge.records.record import Resource, SpanRecord
from tracebridge.sampling.decision import Decision
from tracebridge.sampling.head import Head, Root
from tracebridge.sampling.tail import Tail
from tracebridge.settings.sampling import SamplingSettings


class Outcome(NamedTuple):
    """What becomes of some traces, and what decides so."""

    delivered: bool
    by: str
    """A key of `sampling`: `ratio`, `rules[0]`, `keep.errors`."""


class _Trace(msgspec.Struct):
    decision: Decision
    by: str
    spans: int = 0
    wanted: str = ""


class Trial:
    """Takes the spans of any traces, in any order."""

    def __init__(self, settings: SamplingSettings, resource: Resource) -> None:
        self._head = Head(settings)
        self._tail = None if settings.keep is None else Tail(settings.keep)
        self._resource = resource
        self._traces: dict[bytes, _Trace] = {}

    def take(self, record: SpanRecord) -> None:
        """Take one span."""
        trace = self._traces.get(record.trace_id)
        is_root = record.parent_id is None or record.parent_is_remote
        if trace is None or is_root:
            service = (record.resource or self._resource).service_name
            root = Root(record.name, record.kind, record.attributes, service) if is_root else None
            decided = _Trace(self._head.thinned(record, root, waits=False), self._head.decides(root))
            if trace is not None:
                decided.spans, decided.wanted = trace.spans, trace.wanted
            trace = self._traces[record.trace_id] = decided
        trace.spans += 1
        if self._tail is not None and not trace.wanted:
            trace.wanted = self._tail.wants(record)

    def outcomes(self) -> tuple[Counter[Outcome], Counter[Outcome]]:
        """Return how many traces and how many spans each outcome has."""
        traces: Counter[Outcome] = Counter()
        spans: Counter[Outcome] = Counter()
        for trace in self._traces.values():
            by = f"keep.{trace.wanted}" if trace.wanted else trace.by
            outcome = Outcome(bool(trace.wanted) or trace.decision.delivered, by)
            traces[outcome] += 1
            spans[outcome] += trace.spans
        return traces, spans
