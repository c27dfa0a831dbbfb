"""Delivery: one worker per adapter takes records from its cursor and sees them through.

Batching, in-flight limits, retry with jittered backoff and Retry-After, splitting, bisection of a rejected batch, dead
letters and counting are here, once, for every adapter. A destination that is ill pauses alone; the others have cursors
of their own. Nothing here is ever called from an application's thread except `close` and `flush`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

import msgspec

from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.parts import parts_of, send_parts
from tracebridge.errors import Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.journal.accounts import INTERRUPTIBLE_S, Accounts, AdapterStats, now_unix_s
from tracebridge.journal.base import Claim, Cursor, decode_record
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Adapter, Part, PartsAdapter, Sent
from tracebridge.plugins.options import DeliveryOptions
from tracebridge.process.suppression import silence_instrumentation
from tracebridge.records.record import Resource, SpanRecord

BOUNDED_RETRY_S = 300.0  # how long a Retryable(bounded=True) is tried when max_elapsed_time does not say
MISCONFIGURED_FACTOR = 5.0  # a misconfigured destination is tried this much more slowly
LONGEST_RETRY_AFTER_S = 3600.0  # a server that asks for more is asked again all the same
MAX_SAID = 2_000  # characters kept of what a destination says
CLAIM_BYTES = 8 * 2**20  # most journal bytes in one claim: bounds what a worker holds in memory

REJECTED, TOO_LARGE, PARTIAL = "rejected", "too_large", "partial_success"
GAVE_UP, SHUTDOWN, FAILED, CORRUPT = "retries_exhausted", "shutdown", "internal_error", "corrupt"

_log = logger("tracebridge.delivery")
_jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing


class _Stopped(Exception):
    """The client is closing and its time is up: what is in hand goes back uncounted."""


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
    ) -> None:
        self.name = name
        self.adapter = adapter
        self._queue = options.sending_queue
        self._retry = options.retry_on_failure
        self._cursor = cursor
        self._accounts = accounts
        self._account = accounts.adapters[name]
        self._lock = accounts.lock
        self._dead_letters = dead_letters
        self._resource = resource
        self._max_batch = min(self._queue.max_batch, adapter.max_batch_spans)
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._flush_to = 0
        self._deadline: float | None = None
        self._paused_until = 0.0
        """Monotonic seconds: the destination asked for a pause, and no worker disturbs it before."""
        self._stopped = False
        self._warned: set[str] = set()

    def start(self) -> None:
        """Start the workers, once."""
        if self._threads:
            return
        for number in range(self._queue.max_in_flight):
            thread = threading.Thread(target=self._work, name=f"tracebridge-{self.name}-{number}", daemon=True)
            self._threads.append(thread)
            with self._lock:
                self._working += 1
            thread.start()

    # ------------------------------------------------------------------ from the application's threads

    def stats(self, now: float) -> AdapterStats:
        """Return this adapter's columns. Called with the lock held; `now` is monotonic seconds."""
        since = self._cursor.oldest_since
        return AdapterStats(
            exported=self._account.exported,
            sent=self._account.sent,
            queued=self._cursor.queued,
            dropped=dict(self._account.dropped),
            retrying_since=self._account.retrying_since,
            oldest_queued_age_s=None if since is None else max(0.0, now - since),
            last_error=self._account.last_error,
            adopted=self._account.adopted,
        )

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
        return self._account.retrying_since is not None

    def request_flush(self, position: int) -> None:
        """Stop waiting for company up to this journal position. Called with the lock held."""
        self._flush_to = max(self._flush_to, position)

    def flushed(self, position: int) -> bool:
        """Return whether everything below the position is settled. Called with the lock held."""
        return self._cursor.settled_to >= position

    def request_close(self, deadline: float) -> None:
        """Deliver what is queued until `deadline` (monotonic seconds), then stop. Called with the lock held."""
        self._deadline = deadline

    def join(self) -> int:
        """Wait for the workers until the deadline, release the adapter, and return how many spans had to be dropped.

        What waits in a journal on disk is not dropped: it stays queued, for the next process. An adapter that a worker is still in is left to
        that worker: what holds up its `send` would hold up its `close` too, and with it the caller.
        """
        deadline = self._deadline or 0.0
        for thread in self._threads:
            while thread.is_alive() and (left_s := deadline - time.monotonic()) > 0:
                thread.join(min(left_s, INTERRUPTIBLE_S))
        with self._lock:
            self._stopped = True  # a worker stuck in send() will find its answer ignored
            idle = not self._working
            left = self._cursor.abandon()
            if left:
                self._account.dropped[SHUTDOWN] += left
        if idle:
            self._close_adapter()
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
                left_to_us = self._stopped and not self._working  # join() has not waited for us
            if left_to_us:
                self._close_adapter()

    def _deliver_all(self) -> None:
        """Deliver until the client is closed."""
        while (claim := self._next()) is not None:
            try:
                silence_instrumentation()
                records = self._decode(claim)
                if records:
                    self._deliver(claim, records)
                if claim.unsettled:
                    self._lost(claim, CORRUPT, "damaged in the journal")
            except _LeftAgain:
                with self._lock:
                    self._cursor.leave(claim)
            except _Stopped:
                return  # still on the queue; join() counts it
            except Exception:  # a bug of ours must not kill the worker, nor lose spans uncounted
                _log.exception("%s: delivery failed", self.name)
                if claim.unsettled:
                    self._lost(claim, FAILED, "delivery failed inside")

    def _next(self) -> Claim | None:
        """Wait for a batch worth sending; None when the client closes and nothing is left, or time is up."""
        with self._lock:
            while True:
                closing = self._deadline is not None
                ready, left = self._cursor.ready, self._cursor.left
                if closing and self.is_failing:
                    left = 0  # the next process may be luckier
                if self._stopped or (closing and (not ready + left or time.monotonic() >= (self._deadline or 0))):
                    return None
                if not ready + left:
                    self._cursor.wait(1, None)
                    continue
                if not left and not closing and ready < self._max_batch and self._cursor.settled_to >= self._flush_to:
                    age = time.monotonic() - (self._cursor.waiting_since or 0.0)
                    if age < self._queue.flush_interval:
                        self._cursor.wait(self._max_batch, self._queue.flush_interval - age)
                        continue
                return self._cursor.claim(self._max_batch, CLAIM_BYTES)

    def _decode(self, claim: Claim) -> list[SpanRecord]:
        """Return the records of a claim that can be read, their resource filled in."""
        records = []
        for run in claim.runs:
            resource = run.resource or self._resource
            for data in run.records:
                try:
                    record = decode_record(data)
                except msgspec.DecodeError:
                    continue
                if record.resource is None:
                    msgspec.structs.force_setattr(record, "resource", resource)
                records.append(record)
        return records

    def _deliver(self, claim: Claim, records: Sequence[SpanRecord]) -> None:
        """See these records of a claim through: every one ends up exported, sent, or dropped for a reason."""
        try:
            parts = parts_of(self.adapter, records)
        except Exception as error:
            self._split(claim, records, REJECTED, f"cannot be encoded: {type(error).__name__}: {_said(error)}")
            return
        if len(parts) > 1:
            claim.in_order = False
        together = isinstance(self.adapter, PartsAdapter)
        for some in [parts] if together else [[part] for part in parts]:
            self._send(claim, self._small_enough(claim, some))

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

    def _send(self, claim: Claim, parts: Sequence[Part]) -> None:
        """Send parts until each is settled; only those that were not taken are sent again."""
        started = time.monotonic()
        attempt = 0
        while parts:
            self._respect_pause()
            waiting: list[Part] = []
            longest = 0.0
            for part, answer in zip(parts, send_parts(self.adapter, parts), strict=True):
                if isinstance(answer, Sent):
                    self._arrived(claim, len(part.records), answer)
                elif isinstance(answer, Rejected):
                    self._split(claim, part.records, REJECTED, _said(answer))
                elif isinstance(answer, TooLarge):
                    self._split(claim, part.records, TOO_LARGE, _said(answer))
                elif (pause := self._pause_after(answer, attempt, time.monotonic() - started)) is None:
                    self._dead(claim, part.records, GAVE_UP, _said(answer))
                else:
                    waiting.append(part)
                    longest = max(longest, pause)
            parts = waiting
            if parts:
                attempt += 1
                if self._deadline is not None and not claim.own_unsettled:
                    raise _LeftAgain
                self._sleep(longest)

    def _split(self, claim: Claim, records: Sequence[SpanRecord], reason: str, message: str) -> None:
        """Halve a batch that was refused until the culprits stand alone."""
        if len(records) == 1:
            self._dead(claim, records, reason, message)
            return
        middle = len(records) // 2
        self._deliver(claim, records[:middle])
        self._deliver(claim, records[middle:])

    def _pause_after(self, error: BaseException, attempt: int, elapsed: float) -> float | None:
        """Return how long to wait before the next try in seconds, or None to give the batch up."""
        known = isinstance(error, (Retryable, Misconfigured))
        bounded = error.bounded if isinstance(error, Retryable) else not known
        longest = self._retry.max_elapsed_time or (BOUNDED_RETRY_S if bounded else 0.0)
        with self._lock:
            if self._account.retrying_since is None:
                self._account.retrying_since = now_unix_s()
            self._account.last_error = _said(error)
        self._warn(
            type(error).__name__,
            "%s: cannot deliver, will keep trying: %s",
            _said(error),
            error if not known else None,
        )
        pause: float = min(self._retry.max_interval, self._retry.initial_interval * 2.0 ** min(attempt, 30))
        pause *= 0.5 + _jitter.random()  # a fleet that lost its back-end together must not return together
        if isinstance(error, Misconfigured):
            pause *= MISCONFIGURED_FACTOR
        if isinstance(error, Retryable) and error.after_s is not None:
            asked = min(error.after_s, LONGEST_RETRY_AFTER_S)
            pause = max(pause, asked)
            self._paused_until = max(self._paused_until, time.monotonic() + asked)
        if longest and elapsed + pause > longest:
            return None
        if isinstance(error, Retryable) and error.tries is not None and attempt + 1 >= error.tries:
            return None
        return pause

    def _respect_pause(self) -> None:
        """Wait while the destination wants to be left alone, though it said so to another worker."""
        left = self._paused_until - time.monotonic()
        if left > 0 and self._deadline is None:
            self._sleep(left)

    def _sleep(self, seconds: float) -> None:
        """Pause this destination; cut short by closing, which is worth one try at once.

        Raises _Stopped when the client is closing and the next try would come after its deadline.
        """
        until = time.monotonic() + seconds
        with self._lock:
            was_closing = self._deadline is not None
            while True:
                if self._stopped or (was_closing and until > (self._deadline or 0.0)):
                    raise _Stopped
                left = until - time.monotonic()
                if left <= 0 or (self._deadline is not None and not was_closing):
                    return
                self._lock.wait(left)

    # ------------------------------------------------------------------ the books

    def _arrived(self, claim: Claim, spans: int, sent: Sent) -> None:
        rejected, message = min(max(0, sent.rejected), spans), clean(sent.message, MAX_SAID)
        with self._lock:
            if self._stopped:
                raise _Stopped
            if sent.confirmed:
                self._account.exported += spans - rejected
            else:
                self._account.sent += spans - rejected
            if rejected:
                self._account.dropped[PARTIAL] += rejected
                self._account.last_error = message
            recovered = self._account.retrying_since is not None
            self._account.retrying_since = None
            self._cursor.settle(claim, spans)
        if recovered:
            self._warned.clear()
            _log.info("%s: delivering again", self.name)
        if rejected:
            self._warn(PARTIAL, "%s: the destination did not take every span: %s", f"{rejected} spans: {message}")

    def _lost(self, claim: Claim, reason: str, message: str) -> None:
        """Count what is left of a claim as dropped."""
        with self._lock:
            if self._stopped:
                return  # join() has counted it
            self._account.dropped[reason] += claim.unsettled
            self._account.last_error = message
            self._cursor.settle(claim, claim.unsettled)
        self._warn(reason, "%s: spans lost: %s", message)

    def _dead(self, claim: Claim, records: Sequence[SpanRecord], reason: str, message: str) -> None:
        """Keep the records as dead letters, and only then take them off the queue: rather twice than not at all."""
        if self._stopped:
            raise _Stopped
        self._dead_letters.add(self.name, records, reason, message)
        with self._lock:
            if self._stopped:
                raise _Stopped
            self._account.dropped[reason] += len(records)
            self._account.last_error = message
            self._cursor.settle(claim, len(records))
        self._warn(reason, "%s: dead letter: %s", message)

    def _warn(self, kind: str, text: str, message: str, error: BaseException | None = None) -> None:
        """Say each kind of trouble once, loudly; after a recovery it may be said again."""
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning(text, self.name, message, exc_info=error)


def _said(error: BaseException) -> str:
    """Return what an adapter's error says, most likely a server's words."""
    return clean(error, MAX_SAID) or type(error).__name__
