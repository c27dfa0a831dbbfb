"""Delivery: one worker per adapter takes records from its cursor and sees them through.

Batching, in-flight limits, retry with jittered backoff and Retry-After, splitting, bisection of a rejected batch, dead
letters and counting are here, once, for every adapter. A destination that is failing pauses alone; the others have cursors
of their own. Nothing here is ever called from an application's thread except `close` and `flush`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from functools import partial

from tracebridge.delivery.backoff import asked_s, pause_s
from tracebridge.delivery.books import CORRUPT, FAILED, GAVE_UP, REJECTED, TOO_LARGE, Books, Stopped, said
from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.parts import parts_of, send_parts
from tracebridge.delivery.renewal import Renewal
from tracebridge.delivery.unclear import Unclear, Waiting
from tracebridge.errors import Ambiguous, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.journal.accounts import Accounts, AdapterStats
from tracebridge.journal.base import Claim, Cursor, readable
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Adapter, Part, PartsAdapter, Sent, takes_encoded
from tracebridge.plugins.options import DeliveryOptions
from tracebridge.process.suppression import silence_instrumentation
from tracebridge.process.threads import background, joined, returns_within
from tracebridge.records.record import Resource, SpanRecord

CLOSE_S = 5.0  # how long at least an adapter has to release what it holds, even when the time to deliver is up
CLAIM_BYTES = 8 * 2**20  # most journal bytes in one claim: bounds what a worker holds in memory

_log = logger("tracebridge.delivery")


class _LeftAgain(Exception):
    """The client is closing, and the destination does not take what dead processes left: it is left to the next one."""


class Delivery:
    """The worker threads of one adapter.

    Threads are started by `start`, end by `close`, and are daemons: a process never hangs on a destination.
    """

    def __init__(
        self,
        name: str,
        adapter: Adapter,
        options: DeliveryOptions,
        cursor: Cursor,
        accounts: Accounts,
        dead_letters: DeadLetters,
        resource: Resource,
        renewal: Renewal | None = None,
    ) -> None:
        self.name = name
        self._adapter = adapter
        self._renewal = renewal
        self._answers_to = partial(send_parts, adapter) if renewal is None else renewal.send
        self._queue = options.sending_queue
        self._retry = options.retry_on_failure
        self._cursor = cursor
        self._accounts = accounts
        self._lock = accounts.lock
        self._books = Books(name, accounts, cursor, dead_letters)
        self._resource = resource
        self._max_batch = min(self._queue.max_batch, adapter.max_batch_spans)
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._flush_to = 0
        self._deadline: float | None = None
        self._given_time = False
        self._paused_until = 0.0
        """Monotonic seconds: the destination asked for a pause, and no worker disturbs it before."""
        self._unclear = Unclear(self._max_batch)

    @property
    def adapter(self) -> Adapter:
        """The adapter, of the newest credentials."""
        return self._adapter if self._renewal is None else self._renewal.newest

    def start(self) -> None:
        """Start the workers, once."""
        if self._threads:
            return
        for number in range(self._queue.max_in_flight):
            thread = background(self._work, f"tracebridge-{self.name}-{number}")
            self._threads.append(thread)
            with self._lock:
                self._working += 1
            thread.start()

    # ------------------------------------------------------------------ from the application's threads

    def stats(self, now: float) -> AdapterStats:
        """Return this adapter's columns. Called with the lock held; `now` is monotonic seconds."""
        return self._books.stats(now)

    @property
    def queued(self) -> int:
        """How many spans wait. Called with the lock held."""
        return self._cursor.queued

    @property
    def left(self) -> int:
        """How many spans of dead processes are not settled. Called with the lock held."""
        return self._cursor.left_queued

    @property
    def is_failing(self) -> bool:
        """Whether the destination does not take anything at the moment. Called with the lock held."""
        return self._books.is_failing

    def request_flush(self, position: int) -> None:
        """Stop waiting for company up to this journal position. Called with the lock held."""
        self._flush_to = max(self._flush_to, position)

    @property
    def settled_to(self) -> int:
        """The journal position below which everything is settled. Called with the lock held."""
        return self._cursor.settled_to

    def flushed(self, position: int) -> bool:
        """Return whether everything below the position is settled. Called with the lock held."""
        return self._cursor.settled_to >= position

    def request_close(self, deadline: float) -> None:
        """Deliver what is queued until `deadline` (monotonic seconds), then stop. Called with the lock held."""
        self._deadline, self._given_time = deadline, deadline > time.monotonic()
        self._unclear.retry_now()

    def join(self) -> int:
        """Wait for the workers until the deadline, release the adapter, and return how many spans had to be dropped.

        What waits in a journal on disk is not dropped: it stays queued, for the next process. An adapter that a worker is still in is left to
        that worker: what holds up its `send` would hold up its `close` too, and with it the caller.
        """
        deadline = self._deadline or 0.0
        for thread in self._threads:
            joined(thread, deadline)
        with self._lock:
            left = self._books.end()  # a worker stuck in send() will find its answer ignored
            idle = not self._working
        if idle:
            wait_s = max(deadline - time.monotonic(), CLOSE_S)
            if not returns_within(wait_s, self._close_adapter, f"tracebridge-{self.name}-close"):
                _log.warning("%s: close() has not returned for %.0f s; it is no longer waited for", self.name, wait_s)
        elif self._given_time:
            _log.warning("%s: send() has not returned; its answer is no longer waited for", self.name)
        return left

    def _close_adapter(self) -> None:
        try:
            self.adapter.close()
        except Exception:
            _log.warning("%s: close() failed", self.name, exc_info=True)

    # ------------------------------------------------------------------ the worker

    def _work(self) -> None:
        try:
            self._deliver_all()
        finally:
            with self._lock:
                self._working -= 1
                left_to_us = self._books.stopped and not self._working  # join() has not waited for us
            if left_to_us:
                self._close_adapter()

    def _deliver_all(self) -> None:
        """Deliver until the client is closed."""
        while (work := self._next()) is not None:
            claim = work.claim if isinstance(work, Waiting) else work
            try:
                silence_instrumentation()
                if isinstance(work, Waiting):
                    self._send(claim, [work.part], again=work)
                else:
                    self._deliver_claim(claim)
            except _LeftAgain:
                with self._lock:
                    self._unclear.forget(claim)
                    self._cursor.leave(claim)
            except Stopped:
                return  # still on the queue; join() counts it
            except Exception:  # a bug of ours must not kill the worker, nor lose spans uncounted
                _log.exception("%s: delivery failed", self.name)
                with self._lock:
                    self._unclear.forget(claim)
                if claim.unsettled:
                    self._books.lost(claim, claim.unsettled, FAILED, "delivery failed inside")

    def _next(self) -> Claim | Waiting | None:
        """Wait for something worth sending; None when the client closes and nothing is left, or time is up."""
        with self._lock:
            while not self._books.stopped:
                now = time.monotonic()
                end = math.inf if self._deadline is None else self._deadline
                batch_due_s, due_s = self._batch_due_in_s(now), self._unclear.due - now
                quiet_s = self._unclear.quiet_until - now
                nothing = batch_due_s == math.inf and now + due_s >= end
                if now >= end or now + quiet_s >= end or (self._deadline is not None and nothing):
                    return None
                if quiet_s > 0:
                    self._lock.wait(quiet_s)
                elif due_s <= 0 and (batch_due_s > 0 or self._unclear.takes or self._unclear.full):
                    return self._unclear.pop()
                elif self._unclear.full or (self._deadline is not None and batch_due_s > 0):
                    self._lock.wait(due_s)
                elif batch_due_s <= 0:
                    return self._cursor.claim(self._max_batch, CLAIM_BYTES)
                else:
                    wait_s = min(batch_due_s, due_s)
                    company = 1 if batch_due_s == math.inf else self._max_batch
                    self._cursor.wait(company, None if wait_s == math.inf else wait_s)
            return None

    def _batch_due_in_s(self, now: float) -> float:
        """Return for how many seconds what is ready is to wait for company; for ever, when nothing is ready. Called with the lock held."""
        closing = self._deadline is not None
        ready, left = self._cursor.ready, self._cursor.left
        if closing and self.is_failing:
            left = 0  # the next process may be luckier
        if not ready + left:
            return math.inf
        if left or closing or ready >= self._max_batch or self._cursor.claimed_to < self._flush_to:
            return 0.0
        return self._queue.flush_interval - (now - (self._cursor.waiting_since or 0.0))

    def _deliver_claim(self, claim: Claim) -> None:
        records = readable(claim, self._resource, encoded=takes_encoded(self.adapter))
        if records:
            self._deliver(claim, records)
        if damaged := claim.size - len(records):
            self._books.lost(claim, damaged, CORRUPT, "damaged in the journal")

    def _deliver(self, claim: Claim, records: Sequence[SpanRecord]) -> None:
        """See these records of a claim through: every one ends up exported, sent, or dropped for a reason."""
        parts = self._parts(claim, records)
        if len(parts) > 1:
            claim.in_order = False
        together = isinstance(self.adapter, PartsAdapter)
        for some in [parts] if together else [[part] for part in parts]:
            self._send(claim, some)

    def _parts(self, claim: Claim, records: Sequence[SpanRecord]) -> list[Part]:
        """Return what there is to send of these records: split where they are too large, and without what cannot be encoded."""
        try:
            parts = parts_of(self.adapter, records)
        except Exception as error:
            self._split(claim, records, REJECTED, f"cannot be encoded: {type(error).__name__}: {said(error)}")
            return []
        return self._small_enough(claim, parts)

    def _small_enough(self, claim: Claim, parts: Sequence[Part]) -> list[Part]:
        """Split the parts that are too large for the destination, and return the others."""
        limit = self.adapter.max_batch_bytes
        fitting = []
        for part in parts:
            if limit is not None and len(part.body) > limit:
                self._split(claim, part.records, TOO_LARGE, f"{len(part.body)} bytes encoded; the limit is {limit}")
            else:
                fitting.append(part)
        return fitting

    def _send(self, claim: Claim, parts: Sequence[Part], again: Waiting | None = None) -> None:
        """Send parts until each is settled or waits aside; only those that were not taken are sent again.

        `again` is what is known of a part that waited aside.
        """
        started = time.monotonic() if again is None else again.since
        attempt = 0
        while parts:
            self._respect_pause()
            unclear: list[tuple[Part, BaseException]] = []
            waiting: list[Part] = []
            longest = 0.0
            took = False
            for part, answer in zip(parts, self._answers_to(parts), strict=True):
                if isinstance(answer, Sent):
                    self._arrived(claim, part, answer, again)
                    took = True
                elif isinstance(answer, Rejected):
                    self._split(claim, part.records, REJECTED, said(answer))
                elif isinstance(answer, TooLarge):
                    self._split(claim, part.records, TOO_LARGE, said(answer))
                elif not isinstance(answer, (Retryable, Misconfigured)):
                    unclear.append((part, answer))
                elif (pause := self._pause_after(answer, attempt, time.monotonic() - started)) is None:
                    self._books.dead(claim, part.records, GAVE_UP, said(answer))
                else:
                    waiting.append(part)
                    longest = max(longest, pause)
            parts = [*waiting, *self._find_out(claim, unclear, again or Waiting(claim, parts[0], started), took)]
            again = None
            if waiting:
                attempt += 1
                if self._deadline is not None and not claim.own_unsettled:
                    raise _LeftAgain
                self._sleep(longest)

    def _find_out(
        self, claim: Claim, refused: Sequence[tuple[Part, BaseException]], before: Waiting, took: bool
    ) -> list[Part]:
        """Return the halves of what was refused without a reason; what is not to be halved now is set aside.

        `before` is what was known of it, `took` whether something else was taken at the same time.
        """
        if not refused:
            return []
        claim.in_order = False
        with self._lock:
            may_halve = self._unclear.takes
            if not took and not before.refused:
                self._unclear.refuses_all()
        halves: list[Part] = []
        for part, answer in refused:
            if not isinstance(answer, Ambiguous):
                self._books.failing(answer)
            if may_halve and len(part.records) > 1:
                middle = len(part.records) // 2
                halves += self._parts(claim, part.records[:middle]) + self._parts(claim, part.records[middle:])
            else:
                self._set_aside(Waiting(claim, part, before.since, 0.0, before.refused + 1, before.alone), answer)
        if not self._unclear.takes and not halves:
            self._rest(refused[0][1])
        return halves

    def _set_aside(self, refused: Waiting, answer: BaseException) -> None:
        """Let a part wait until it is due again; give it up when it is to blame, or its time is over."""
        records, now = refused.part.records, time.monotonic()
        pause = pause_s(self._retry, answer, refused.refused - 1)
        with self._lock:
            to_blame = len(records) == 1 and self._unclear.refused_alone(refused)
        if to_blame:
            self._books.dead(refused.claim, records, REJECTED, said(answer))
        elif self._is_over(now - refused.since + pause):
            self._books.dead(refused.claim, records, GAVE_UP, said(answer))
        elif self._deadline is not None and not refused.claim.own_unsettled:
            raise _LeftAgain
        else:
            refused.due = now + pause
            with self._lock:
                self._unclear.add(refused)

    def _rest(self, answer: BaseException) -> None:
        """Leave the destination alone: it has taken nothing of late, whatever it was sent."""
        with self._lock:
            self._unclear.quiet_until = time.monotonic() + pause_s(self._retry, answer, self._unclear.in_vain)
            self._unclear.in_vain += 1
        self._books.failing(answer)

    def _arrived(self, claim: Claim, part: Part, sent: Sent, before: Waiting | None) -> None:
        with self._lock:
            self._unclear.taken(before)
        self._books.arrived(claim, len(part.records), sent)

    def _split(self, claim: Claim, records: Sequence[SpanRecord], reason: str, message: str) -> None:
        """Halve a batch that was refused until the culprits stand alone."""
        if len(records) == 1:
            self._books.dead(claim, records, reason, message)
            return
        middle = len(records) // 2
        self._deliver(claim, records[:middle])
        self._deliver(claim, records[middle:])

    def _pause_after(self, error: Retryable | Misconfigured, attempt: int, elapsed: float) -> float | None:
        """Return how long to wait before the next try in seconds, or None to give the batch up."""
        self._books.failing(error)
        pause = pause_s(self._retry, error, attempt)
        if asked := asked_s(error):
            self._paused_until = max(self._paused_until, time.monotonic() + asked)
        tries = error.tries if isinstance(error, Retryable) else None
        return None if self._is_over(elapsed + pause) or (tries is not None and attempt + 1 >= tries) else pause

    def _is_over(self, elapsed: float) -> bool:
        """Return whether a batch that is so many seconds old is given up."""
        return bool(self._retry.max_elapsed_time) and elapsed > self._retry.max_elapsed_time

    def _respect_pause(self) -> None:
        """Wait while the destination wants to be left alone, though it said so to another worker."""
        left = self._paused_until - time.monotonic()
        if left > 0 and self._deadline is None:
            self._sleep(left)

    def _sleep(self, seconds: float) -> None:
        """Pause this destination; cut short by closing, which is worth one try at once.

        Raises Stopped when the client is closing and the next try would come after its deadline.
        """
        until = time.monotonic() + seconds
        with self._lock:
            was_closing = self._deadline is not None
            while True:
                if self._books.stopped or (was_closing and until > (self._deadline or 0.0)):
                    raise Stopped
                left = until - time.monotonic()
                if left <= 0 or (self._deadline is not None and not was_closing):
                    return
                self._lock.wait(left)
