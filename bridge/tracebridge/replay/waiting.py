"""Spans that wait for the rest of their trace, to be shown as a tree."""

from __future__ import annotations

from tracebridge.records.record import SpanRecord

SETTLED_S = 0.5  # how long after its root a trace waits for stragglers
RESTED_S = 5.0  # how long a trace without a root is silent before it is given out
MOST_TRACES = 1_000  # that wait at once; the oldest is given out early
MOST_SPANS = 10_000  # of one trace


class _Trace:
    __slots__ = ("due_at", "spans")

    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []
        self.due_at = 0.0


class Waiting:
    """Traces that are not complete. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._traces: dict[bytes, _Trace] = {}

    def add(self, record: SpanRecord, now: float) -> None:
        """Take one span."""
        trace = self._traces.setdefault(record.trace_id, _Trace())
        trace.spans.append(record)
        rooted = trace.spans[0].is_root or record.is_root
        if record.is_root and trace.spans[0] is not record:  # the root stands first, whenever it comes
            trace.spans.insert(0, trace.spans.pop())
        trace.due_at = now if len(trace.spans) >= MOST_SPANS else now + (SETTLED_S if rooted else RESTED_S)

    def complete(self, now: float) -> list[list[SpanRecord]]:
        """Return, and forget, the traces that are complete or have waited long enough."""
        due = [key for key, trace in self._traces.items() if trace.due_at <= now]
        over = len(self._traces) - len(due) - MOST_TRACES
        if over > 0:
            due += [key for key in self._traces if key not in due][:over]
        return [self._traces.pop(key).spans for key in due]

    def rest(self) -> list[list[SpanRecord]]:
        """Return, and forget, everything."""
        left = [trace.spans for trace in self._traces.values()]
        self._traces.clear()
        return left
