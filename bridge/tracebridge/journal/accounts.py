"""The books: every span is in exactly one column, at any moment, for every adapter.

    started + ingested + adopted == open + shared + held + undecided + queued + exported + sent + sum(dropped.values())

Each number is a counter of its own; none is computed from the others, so that the equation is a check and not a
definition. `shared` are spans that an engine keeps for several processes: whoever ends one has it as `ingested`. `adopted` is counted for each adapter, because what a dead process left may be delivered in part. What
moves a span from one column to another does so under `Accounts.lock`, which is also the journal's lock: one short lock per
move, and a reader that takes it sees books that balance.
"""

from __future__ import annotations

import sys
import threading
import time
from _thread import start_new_thread
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tracebridge.process.threads import INTERRUPTIBLE_S

SAMPLED_OUT = "sampled"  # why a span is dropped that a stage or sampling left out
NAP_S = 0.00002
HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
NAPS = 50 if HAS_GIL else 0  # then the holder is not an interrupted caller of ours, but a thread at work on the journal


class AdapterAccount:
    """The counters of one adapter. Changed only under `Accounts.lock`."""

    __slots__ = ("adopted", "dropped", "exported", "last_error", "retrying_since", "sent")

    def __init__(self) -> None:
        self.adopted = 0
        self.exported = 0
        self.sent = 0
        self.dropped: Counter[str] = Counter()
        self.retrying_since: float | None = None
        self.last_error = ""


class StageAccount:
    """The counters of one of the user's stages: no columns, only what became of how many spans."""

    __slots__ = ("dropped", "failed")

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self.failed = 0


class _Condition(threading.Condition):
    """A condition that is entered and left by its lock's own methods, so that an exception of a signal handler (Ctrl-C) never leaves it locked.

    threading's are Python code: a handler may raise in them before they have released, or after they have taken, the lock. (In Python 3.14 that
    can happen to every lock.)
    """

    def __init__(self, mutex: Any) -> None:
        super().__init__(mutex)
        self._mutex = mutex

    __enter__ = property(lambda self: self._mutex.__enter__)
    __exit__ = property(lambda self: self._mutex.__exit__)


class Accounts:
    """The counters of one client, and the lock under which spans change columns."""

    __slots__ = (
        "acquire", "adapters", "closed", "held", "ingested", "is_inside", "kept", "late_ends", "left_out", "lock", "misuse", "mutex", "open",
        "rejected", "release", "sampled", "shared", "stages", "started", "undecided",
    )  # fmt: skip

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        """Guards every counter and the journal; taken directly on the hot path."""
        self.acquire, self.release = self.mutex.acquire, self.mutex.release
        """Its two halves, for the hot path, where they cost half of what `with` does.

            try:
                if not accounts.acquire(False):
                    accounts.wait_turn()
                …
            except BaseException:
                accounts.let_go()
                raise
            accounts.release()

        A signal handler that raises (Ctrl-C) runs at the end of a call: after `acquire` has taken the lock, or after it has not.
        """
        self.is_inside: Callable[[], bool] = self.mutex._is_owned  # type: ignore[attr-defined]  # what Condition asks, too
        """Whether this thread holds the lock already.

        The collector and signal handlers run the application's code in the middle of ours, and that code may trace: a finalizer ends the
        span of its object. What would change the journal then has to go `aside`.
        """
        self.lock = _Condition(self.mutex)
        """The same lock, for those who wait for a change."""
        self.closed = False
        """Whether the client has ended, and nothing but misuse is counted any more."""
        self.started = 0
        self.ingested = 0
        self.open = 0
        self.shared = 0
        self.held = 0
        self.undecided = 0
        self.late_ends = 0
        self.misuse: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.sampled: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.left_out = 0
        """Spans of traces that sampling left out: each adapter counts them as dropped, `sampled`."""
        self.adapters: dict[str, AdapterAccount] = {}
        self.stages: dict[str, StageAccount] = {}

    def wait_turn(self) -> None:
        """Take the lock that `acquire(False)` did not get.

        Under a global interpreter lock, a thread that blocks in it owns it before it may run. Until then whoever runs comes here and blocks,
        too, and soon every call is handed from thread to thread by the system: with 16 threads that cost six times the call. One that naps
        owns nothing; the holder has been interrupted by now, and goes on meanwhile. Without one the holder is running, and soon done.
        """
        for _ in range(NAPS):
            time.sleep(NAP_S)
            if self.mutex.acquire(blocking=False):
                return
        self.mutex.acquire()

    def let_go(self) -> None:
        """Release the lock after an exception, if it was taken: whoever holds it from before has got it at once."""
        if self.is_inside():
            self.release()

    def wait_for(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait, with the lock held, until it is done or `timeout_s` seconds have passed; return which."""
        deadline = time.monotonic() + timeout_s
        while not (is_done := done()) and (left_s := deadline - time.monotonic()) > 0:
            self.lock.wait(min(left_s, INTERRUPTIBLE_S))
        return is_done

    def aside(self, call: Callable[..., object], *arguments: object) -> None:
        """Make a call of ours in a thread of its own, because this one `is_inside`; it waits there until the lock is free."""
        start_new_thread(call, arguments)

    def note_misuse(self, what: str) -> bool:
        """Count a call that could not mean anything; return whether it is the first of its kind."""
        held = self._take()
        self.misuse[what] += 1
        first = self.misuse[what] == 1
        if held:
            self.mutex.release()
        return first

    def note_late_end(self) -> None:
        """Count the real end of a span that tracebridge had closed itself."""
        held = self._take()
        self.late_ends += 1
        if held:
            self.mutex.release()

    def _take(self) -> bool:
        """Take the lock; after the client's end only if it is free.

        As the interpreter shuts down it stops threads where they are, with the lock perhaps, and goes on to call finalizers.
        """
        return self.mutex.acquire(blocking=not self.closed)


class AdapterStats(msgspec.Struct, frozen=True):
    """One adapter's columns."""

    exported: int
    """Spans that the destination confirmed."""
    sent: int
    """Spans handed over where no answer exists (UDP)."""
    queued: int
    """Spans waiting in the journal or in flight."""
    dropped: Mapping[str, int]
    """Spans that this destination will not get, by reason."""
    retrying_since: float | None = None
    """Unix seconds since when the destination has been failing; None when it is well."""
    oldest_queued_age_s: float | None = None
    """At most how long the oldest queued span has waited, in seconds; None when nothing waits."""
    last_error: str = ""
    """What the destination answered last when it took nothing; empty when it is well."""
    adopted: int = 0
    """Spans taken over from processes that died, as far as this destination did not have them."""


class StageStats(msgspec.Struct, frozen=True):
    """What one of the configuration's stages has done."""

    dropped: Mapping[str, int] = {}
    """Spans that it dropped, by its reason (empty where it gave none); every adapter counts them as dropped, `sampled`."""
    failed: int = 0
    """Spans on which it raised, or returned what is not a verdict."""


class JournalStats(msgspec.Struct, frozen=True):
    """What the journal holds."""

    bytes: int = 0
    """Bytes that its segments take."""
    in_memory_only: int = 0
    """With a directory: spans that were kept in memory because the disk had no room."""
    starts_lost: int = 0
    """With a directory: open spans that would not be known after a crash, for the same reason."""
    last_error: str = ""
    """What the disk said last; empty when it is well."""
    waiting: int = 0
    """With a directory: spans that dead processes left and that wait for room to be queued."""
    left_alone: int = 0
    """With a directory: folders of dead processes that could not be taken over (the log says why)."""
    damaged: int = 0
    """With a directory: stretches of dead processes' segments that could not be read and were set aside."""
    torn: int = 0
    """With a directory: records that were being written when a process died."""
    looked: bool = False
    """With a directory: whether what dead processes left has been looked for since the start."""
    unclaimed: Mapping[str, int] = {}
    """With a directory: spans of dead processes that wait for adapters which this configuration does not name, by adapter."""
    dropped: Mapping[str, Mapping[str, int]] = {}
    """With a directory: spans that such adapters will not get, by adapter and reason."""


class SharedStats(msgspec.Struct, frozen=True):
    """What one client has done with shared spans; none of it is a column of the books. A span is `ingested` where it was delivered."""

    delivered: int = 0
    """Spans that it took from the engine: ended by it, or found there as below."""
    taken_over: int = 0
    """Of these, those whose end another process had told, which died or only wrote (the shell)."""
    unfinished: int = 0
    """Of these, those that were overdue."""
    orphaned: int = 0
    """Of these, ends that found no start."""
    waiting: int = 0
    """Changes and ends that wait until the engine answers."""
    kept_local: int = 0
    """Spans that were to be shared and stayed in their process, because the engine did not answer."""
    lost_changes: int = 0
    """Changes that found no room to wait."""
    unreadable: int = 0
    """Parts that could not be read: of another version, or damaged."""
    left_alone: int = 0
    """Spans that were left to a newer tracebridge, which has changed them."""
    errors: int = 0
    """Calls that the engine did not answer, or answered with an error."""
    last_error: str = ""
    """What the engine said last; empty when it is well."""


class Progress(msgspec.Struct, frozen=True):
    """How far delivery is, in positions of this client's journal: each queued span has one, counted from 0."""

    end: int
    """The position that the next span will get: what was ingested before is below it, unless a stage holds or dropped it."""
    settled: int
    """Every destination has every span below this position, or has refused it for good (then it is a dead letter)."""
    held: int
    """Spans that a stage or `sampling.keep` holds: they have no position yet."""
    held_since: float | None
    """Monotonic seconds: what was ingested before it is held no longer; None when nothing is held."""
    bytes: int
    """Bytes that the journal's segments take."""


class Stats(msgspec.Struct, frozen=True):
    """A frozen picture of every counter, taken at one instant."""

    started: int
    """Spans started by calls."""
    ingested: int
    """Finished spans that came in whole: from sources, replays and other processes."""
    open: int
    """Spans that have started and not ended."""
    late_ends: int
    """Real ends that came after tracebridge had closed the span itself."""
    misuse: Mapping[str, int] = {}
    """Calls that were harmless but meant nothing, by kind."""
    adapters: Mapping[str, AdapterStats] = {}
    """Each destination's columns, by its name in the configuration."""
    journal: JournalStats = JournalStats()
    """What the journal holds."""
    held: int = 0
    """Spans that a stage holds until it decides; no destination has been given them."""
    stages: Mapping[str, StageStats] = {}
    """What became of spans in the stages of the configuration, by name."""
    shared: int = 0
    """Spans that were given to the engine of `open_spans`, where any process may end them."""
    open_spans: SharedStats = SharedStats()
    """What this client has done with shared spans."""
    sampled: Mapping[str, int] = {}
    """Spans that sampling left out, by what decided: `head`, `rule`, `rate`, `parent`, `tail`; every adapter counts them as dropped, `sampled`."""
    kept: Mapping[str, int] = {}
    """Spans of traces that `sampling.keep` kept, by what they were kept for; each is in an adapter's columns like any other."""
    undecided: int = 0
    """Spans that wait for `sampling.keep`; no destination has been given them."""
    rejected: Mapping[str, int] = {}
    """What sources were handed and could not read as spans at all, by `source: reason`; it never entered the books."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts and numbers, for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def balance(self, adapter: str) -> int:
        """Return left side minus right side of the equation for one adapter: 0 when nothing is unaccounted for."""
        books = self.adapters[adapter]
        arrived = self.started + self.ingested + books.adopted
        return arrived - (
            self.open
            + self.shared
            + self.held
            + self.undecided
            + books.queued
            + books.exported
            + books.sent
            + sum(books.dropped.values())
        )


def now_unix_s() -> float:
    """Return Unix seconds, for `retrying_since`."""
    return time.time()
