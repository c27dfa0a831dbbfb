"""The table of open traces and spans: the only mutable state of a client.

A span is open exactly while it is in its trace's `spans`; removing it is what ends it, so a race between two enders is
decided by one `dict.pop`. A trace is in the table while it has open spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracebridge.ids.schemes import RANDOM_SCHEME, WireId
from tracebridge.propagation.context import RANDOM, SAMPLED, RemoteParent
from tracebridge.spans.recent import RecentKeys
from tracebridge.spans.span import Span

if TYPE_CHECKING:
    from tracebridge.sampling.decision import Decision

FINISHED_TRACES_REMEMBERED = 10_000  # to tell "already finished" from "not found"
ENDED_SPANS_REMEMBERED = 65_536  # per open trace, as possible parents of new spans
CLOSED_SPANS_REMEMBERED = 10_000  # spans that we ended ourselves, to recognise a late real end
LEAKS_REMEMBERED = 10_000  # spans already reported as leaked
GIVEN_REMEMBERED = 10_000  # spans that this process shared
CLOSED_TRACES_REMEMBERED = 1_000  # and their traces, which the caller may think are open


def _ended() -> RecentKeys:
    return RecentKeys(ENDED_SPANS_REMEMBERED)


class LiveTrace(msgspec.Struct, eq=False):
    """One open trace: its IDs, its open spans, and what its root will carry. A struct for the reason that `Span` is one."""

    trace_id: bytes
    hex_id: str
    outgoing_id: str
    """What other processes are told: longer than `hex_id` where `max_bits` cut an ID that came from elsewhere."""
    scheme: str
    flags: int
    """W3C trace flags of what starts here; a span with an `origin` has that one's."""
    custom_id: str | None
    anchor_ns: int
    """Wall clock minus ticks at the trace's start: ticks plus this is a time of the trace."""
    spans: dict[str, Span] = {}
    """The open spans by span ID."""
    ended: RecentKeys = msgspec.field(default_factory=_ended)
    """IDs of spans that have ended while the trace goes on: they can still be parents."""
    roots: tuple[Span, ...] = ()
    """Open roots, oldest first: one, or several segments with `on_duplicate: join`; none for a remote trace. Replaced under the lock, never
    changed: others look without it."""
    last_root: tuple[str, bytes] | None = None
    """The ID of the root that ended last, as hex and as bytes."""
    tags: dict[str, str] = {}
    origin: RemoteParent | None = None
    """The newest context from elsewhere that a segment of this trace continues; with sampling, what was decided too."""
    experiment_id: str = ""
    late_since: int | None = None
    """Ticks (ns) at which the last root ended while children were open."""
    fast_path: bool = True
    """No trace state, odd flags or debug request from elsewhere, and no experiment: the common record says all."""
    decision: Decision | None = None
    """What sampling decided about it; None without sampling."""
    done: bool = True
    """Not in the table: before its first span and after its last one."""

    def identify(self, wire: WireId, custom_id: str | None) -> None:
        """Give the trace other IDs; only before it is in the table."""
        new = live_trace(wire, custom_id, self.anchor_ns)
        self.trace_id, self.hex_id, self.outgoing_id = new.trace_id, new.hex_id, new.outgoing_id
        self.scheme, self.flags, self.custom_id = new.scheme, new.flags, custom_id

    def joined_by(self, other: LiveTrace) -> LiveTrace:
        """Take what another root says of the trace, and return this trace."""
        self.tags = {**self.tags, **other.tags}
        if other.origin is not None:
            self.origin, self.outgoing_id = other.origin, other.outgoing_id
        self.fast_path = self.fast_path and other.fast_path
        if self.decision is None:
            self.decision = other.decision
        return self

    @property
    def root(self) -> Span | None:
        """The open root that came last."""
        roots = self.roots
        return roots[-1] if roots else None

    @property
    def shown_id(self) -> str:
        """What the caller gave, or 32 hex digits."""
        return self.custom_id or self.hex_id


def live_trace(wire: WireId, custom_id: str | None, anchor_ns: int) -> LiveTrace:
    """Return an entry for a trace that begins here."""
    trace_id, scheme = wire
    hex_id = trace_id.hex()
    flags = SAMPLED | RANDOM if scheme == RANDOM_SCHEME else SAMPLED
    return LiveTrace(trace_id, hex_id, hex_id, scheme, flags, custom_id, anchor_ns)


def context_of(span: Span) -> RemoteParent:
    """Return the context of an open span, as other processes are told it."""
    trace, origin = span._trace, span._origin
    if origin is None:
        return RemoteParent(trace.outgoing_id, span._span_id, trace.flags, "", trace.custom_id, span._parent_id)
    return msgspec.structs.replace(
        origin,
        trace_id=trace.outgoing_id,
        span_id=span._span_id,
        correlation_id=trace.custom_id,
        parent_id=span._parent_id,
    )


class LiveTable:
    """Open traces under every form of their ID. Changed under `Accounts.lock`; single look-ups need no lock."""

    def __init__(self) -> None:
        self.traces: dict[str, LiveTrace] = {}
        """By custom ID and by wire hex: the same trace twice when it has both."""
        self.finished = RecentKeys(FINISHED_TRACES_REMEMBERED)
        self.left = RecentKeys(FINISHED_TRACES_REMEMBERED)
        """Traces of which spans, but no root, have ended here: they go on elsewhere."""
        self.closed_spans = RecentKeys(CLOSED_SPANS_REMEMBERED)
        self.told_leaks = RecentKeys(LEAKS_REMEMBERED)
        self.given = RecentKeys(GIVEN_REMEMBERED)
        """IDs of spans that this process has shared: it knows of their ends nothing."""
        self.closed: dict[str, LiveTrace] = {}
        """By wire hex: traces of which we ended a span ourselves, in the order of the first. Their callers do not know, and may go on."""

    def add(self, trace: LiveTrace) -> LiveTrace:
        """Make a trace addressable, and return it."""
        trace.done = False
        if self.closed and self.closed.get(trace.hex_id) is not trace:
            self.closed.pop(trace.hex_id, None)  # the ID is another trace's now
        self.traces[trace.hex_id] = trace
        if trace.custom_id is not None:
            self.traces[trace.custom_id] = trace
        return trace

    def newest(self, trace: LiveTrace) -> LiveTrace:
        """Return the open trace of that ID where another thread has begun one since this one ended, else this one."""
        return self.traces.get(trace.hex_id, trace)

    def remove(self, trace: LiveTrace) -> None:
        """Forget a trace that has no open spans left, but remember that it was; one whose root is elsewhere has not finished."""
        trace.done = True
        remembered = self.left if trace.last_root is None else self.finished
        keys = (trace.hex_id,) if trace.custom_id is None else (trace.hex_id, trace.custom_id)
        for key in keys:
            if self.traces.get(key) is trace:
                remembered.add(key)  # before it goes: who looks meanwhile finds one or the other
                del self.traces[key]

    def note_closed(self, span: Span) -> None:
        """Remember a span that we ended ourselves, and its trace."""
        self.closed_spans.add(span._span_id)
        self.closed[span._trace.hex_id] = span._trace  # in one step: others look without the lock
        if len(self.closed) > CLOSED_TRACES_REMEMBERED:
            del self.closed[next(iter(self.closed))]

    def all(self) -> list[LiveTrace]:
        """Return every open trace once, oldest first."""
        return list({id(trace): trace for trace in self.traces.copy().values()}.values())
