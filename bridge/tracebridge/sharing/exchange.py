"""One client's dealings with an engine: starts, changes and ends go out, spans that ended come back, each to exactly one client.

An end is told to the caller as done only when this client's journal has the span; until then the engine keeps it, under a lease that a survivor takes over. What
the engine does not answer to waits in order, within a bound; what is over the bound is delivered from here, as far as it is an end, and counted.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Event, Lock
from typing import NamedTuple

import msgspec

from tracebridge.journal.accounts import SharedStats
from tracebridge.masking.loggers import logger
from tracebridge.plugins.open_spans import Change, Engine, Entry, SpanKey
from tracebridge.process.threads import background
from tracebridge.records.record import SpanRecord
from tracebridge.sharing.guard import Guard, Unavailable
from tracebridge.sharing.parts import Kind, Together, is_newer, part, together

LEASE_S = 30.0  # a dead ender's spans are another's after so long
LOOK_EVERY_S = 5.0
AT_ONCE = 128  # spans taken in one look
MOST_WAITING = 10_000  # changes and ends that wait for an engine which does not answer
MOST_WAITING_BYTES = 64 * 2**20
CLOSING_S = 5.0  # longest wait for a look that is under way
LEFT_FOR_S = 3600.0  # how long a span is left to newer processes; then what can be read of it is delivered
MOST_LEFT = 10_000  # such spans that are known at a time
MOST_OPEN = 1_000  # spans of other processes that one call shows

_log = logger("tracebridge")


class _Waiting(NamedTuple):
    """A change, or an end, that the engine has not answered to."""

    key: SpanKey
    kind: Kind
    part: bytes
    even_unknown: bool = False


class Exchange:
    """An engine, and what waits for it."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        deliver: Callable[[SpanRecord], bool],
        max_open_s: float,
        lease_s: float = LEASE_S,
    ) -> None:
        self._engine = engine
        self._guard = Guard(name)
        self._deliver = deliver
        self._max_open_s = max_open_s
        self._lease_s = lease_s
        self._claim = os.urandom(16)
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._unsettled: list[SpanKey] = []
        self._left: dict[SpanKey, float] = {}
        """Spans with parts of a newer version, and until when they are left alone, in monotonic seconds."""
        self._sending = Lock()
        self._looking = Lock()
        self._counting = Lock()
        self._counts = dict.fromkeys(
            (
                "delivered",
                "taken_over",
                "unfinished",
                "orphaned",
                "kept_local",
                "lost_changes",
                "unreadable",
                "left_alone",
            ),
            0,
        )
        self._wake = Event()
        self._running = self._stopped = False

    # ------------------------------------------------------------------ calls

    def start(self, key: SpanKey, data: bytes, *, is_root: bool) -> bool | None:
        """Give a span to the engine; return whether it is new there, None where the engine does not answer."""
        made = part(Kind.START, data)
        try:
            return self._guard.ask(lambda: self._engine.start(key, made, is_root=is_root, max_open_s=self._max_open_s))
        except Unavailable:
            self._count("kept_local")
            return None

    def change(self, key: SpanKey, data: bytes) -> Change:
        """Tell what was set on a span; `open` also where that has to wait."""
        made = part(Kind.CHANGE, data)
        if not self._waiting:
            try:
                return self._guard.ask(lambda: self._engine.change(key, made))
            except Unavailable:
                pass
        self._wait(_Waiting(key, Kind.CHANGE, made))
        return "open"

    def end(self, key: SpanKey, data: bytes, *, has_status: bool, even_unknown: bool) -> bool:
        """End a span; return False where it has been ended already, or is unknown and `even_unknown` is not said.

        It is in this client's journal, or waits, when this returns.
        """
        kind = Kind.END_WITH_STATUS if has_status else Kind.END
        made = part(kind, data)
        if not self._waiting:
            try:
                return self._end(key, made, even_unknown)
            except Unavailable:
                pass
        self._wait(_Waiting(key, kind, made, even_unknown))
        return True

    def open(self, trace_id: bytes | None) -> list[SpanRecord]:
        """Return spans that are open at the engine: of a trace, or the roots of all. None of them while it does not answer."""
        try:
            entries = self._guard.ask(lambda: self._engine.open(trace_id, MOST_OPEN))
        except Unavailable:
            return []
        found = (together(entry.parts) for entry in entries)
        return [each.record for each in found if each is not None and each.has_start]

    # ------------------------------------------------------------------ what comes back

    def _end(self, key: SpanKey, made: bytes, even_unknown: bool) -> bool:
        parts = self._guard.ask(
            lambda: self._engine.end(key, made, self._claim, self._lease_s, even_unknown=even_unknown)
        )
        if parts is None:
            return False
        self._take([Entry(key, parts)], taken=False)
        return True

    def _take(self, entries: Iterable[Entry], *, taken: bool) -> int:
        """Deliver spans that this client has claimed, then have the engine forget them; return how many of them this client is done with."""
        settled = []
        for key, parts in entries:
            if self._is_left_alone(key, parts):
                continue
            whole = together(parts)
            if whole is None:
                self._count("unreadable", len(parts))
                _log.warning("open_spans: nothing of span %s could be read; it is left out", key.span_id.hex())
            elif not self._deliver(_of(key, whole)):
                continue  # the client has ended: a survivor delivers it
            else:
                self._count("delivered")
                self._count("unreadable", whole.unreadable)
                self._count("orphaned", not whole.has_start)
                self._count("unfinished", whole.has_start and not whole.has_end)
                self._count("taken_over", taken and whole.has_end)
            settled.append(key)
        self._settle(settled)
        return len(settled)

    def _is_left_alone(self, key: SpanKey, parts: Sequence[bytes]) -> bool:
        """Return whether a newer process is to deliver a span: whoever looks first when this claim has run out."""
        if not any(map(is_newer, parts)):
            return False
        now = time.monotonic()
        with self._counting:
            is_first, is_known = not self._left, key in self._left
            if not is_known and len(self._left) < MOST_LEFT:
                self._left[key] = now + LEFT_FOR_S
            is_left = now < self._left.get(key, now)
            if not is_left:
                self._left.pop(key, None)
        if is_first:
            _log.warning(
                "open_spans: a newer tracebridge has changed span %s; such spans are left to it for an hour, upgrade",
                key.span_id.hex(),
            )
        if is_left and not is_known:
            self._count("left_alone")
        return is_left

    def _settle(self, keys: list[SpanKey]) -> None:
        if not keys:
            return
        try:
            self._guard.ask(lambda: self._engine.settle(keys, self._claim))
        except (
            Unavailable
        ):  # if it stays so until the lease is over, they are delivered once more: the IDs are the same
            with self._counting:
                self._unsettled += keys

    def look(self) -> int:
        """Deliver what is overdue and what dead enders left; return how many spans. Raises Unavailable where the engine does not answer."""
        self._send()
        total = 0
        while True:
            with self._looking:
                if self._stopped:  # looked at in here: `close` waits for this lock before it lets go of the engine
                    break
                entries = self._guard.ask(lambda: self._engine.take(self._claim, self._lease_s, AT_ONCE))
                handled = self._take(entries, taken=True)
            if not handled:  # or what there is is left to others
                break
            total += handled
        return total

    # ------------------------------------------------------------------ what waits

    def _wait(self, what: _Waiting) -> None:
        with self._counting:
            fits = len(self._waiting) < MOST_WAITING and self._waiting_bytes + len(what.part) <= MOST_WAITING_BYTES
            if fits:
                self._waiting.append(what)
                self._waiting_bytes += len(what.part)
        if not fits:
            self._give_up(what)
        self._wake.set()
        self.start_looking()

    def _give_up(self, what: _Waiting) -> None:
        """Deliver an end from here, as one without a start; count a change as lost."""
        whole = None if what.kind is Kind.CHANGE else together((what.part,))
        if whole is None:
            self._count("lost_changes")
            return
        self._deliver(_of(what.key, whole))
        self._count("orphaned")
        self._count("delivered")

    def _send(self) -> None:
        """Tell the engine what waits, in order. Raises Unavailable where it stops answering."""
        with self._sending:
            with self._counting:
                keys, self._unsettled = self._unsettled, []
            self._settle(keys)
            while self._waiting:
                key, kind, made, even_unknown = self._waiting[0]
                if kind is Kind.CHANGE:
                    self._guard.ask(lambda key=key, made=made: self._engine.change(key, made))  # type: ignore[misc]
                else:
                    self._end(key, made, even_unknown)
                with self._counting:
                    self._waiting.popleft()
                    self._waiting_bytes -= len(made)

    # ------------------------------------------------------------------ life

    def start_looking(self) -> None:
        """Start the thread that looks for what is to be delivered, once."""
        with self._counting:
            if self._running or self._stopped:
                return
            self._running = True
        background(self._run, "tracebridge-open-spans").start()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopped:
            try:
                self.look()
                wait_s = LOOK_EVERY_S
            except Unavailable:
                wait_s = min(max(2 * wait_s, 0.25), LOOK_EVERY_S)
            except Exception:  # a bug of ours must not end the looking
                _log.exception("looking for shared spans failed")
                wait_s = LOOK_EVERY_S
            self._wake.clear()
            if not self._stopped:
                self._wake.wait(wait_s)

    def close(self) -> None:
        """Tell the engine what waits, once more; deliver ends that it does not take from here; let go of it."""
        try:
            self._send()
        except Unavailable:
            with self._sending:
                while self._waiting:
                    self._give_up(self._waiting.popleft())
        self._stopped = True
        self._wake.set()
        if self._looking.acquire(timeout=CLOSING_S):  # what is being taken is in the journal then
            self._looking.release()
        try:
            self._engine.close()
        except Exception as error:
            _log.debug("open_spans: closing: %s", type(error).__name__)

    def stats(self) -> SharedStats:
        """Return the counters."""
        with self._counting:
            return SharedStats(
                **self._counts,
                waiting=len(self._waiting),
                errors=self._guard.errors,
                last_error=self._guard.last_error,
            )

    def _count(self, what: str, by: int = 1) -> None:
        with self._counting:
            self._counts[what] += by


def _of(key: SpanKey, whole: Together) -> SpanRecord:
    """Return the record of a span; its IDs are those that the engine keeps it under, whatever its parts say."""
    record = whole.record
    return msgspec.structs.replace(
        record, trace_id=key.trace_id, span_id=key.span_id, repaired=record.repaired + whole.unreadable
    )
