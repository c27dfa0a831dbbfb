"""What becomes of one adapter's spans, counted: exported, sent, a dead letter or lost, each off the queue at the same moment."""

from __future__ import annotations

from collections.abc import Sequence

from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.errors import Ambiguous, Misconfigured, Retryable
from tracebridge.journal.accounts import SAMPLED_OUT, Accounts, AdapterStats, now_unix_s
from tracebridge.journal.base import Claim, Cursor
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Sent
from tracebridge.records.record import SpanRecord

REJECTED, TOO_LARGE, PARTIAL = "rejected", "too_large", "partial_success"
GAVE_UP, SHUTDOWN, FAILED, CORRUPT = "retries_exhausted", "shutdown", "internal_error", "corrupt"
MAX_SAID = 2_000  # characters kept of what a destination says

_log = logger("tracebridge.delivery")


class Stopped(Exception):
    """The client is closing and its time is up: what is in hand goes back uncounted."""


class Books:
    """The columns of one adapter. Each method takes the lock itself unless it says otherwise."""

    def __init__(self, name: str, accounts: Accounts, cursor: Cursor, dead_letters: DeadLetters) -> None:
        self.stopped = False
        """Whether everything is counted already: an answer that comes now changes nothing."""
        self._name = name
        self._accounts = accounts
        self._account = accounts.adapters[name]
        self._lock = accounts.lock
        self._cursor = cursor
        self._dead_letters = dead_letters
        self._warned: set[str] = set()

    def stats(self, now: float) -> AdapterStats:
        """Return the columns. Called with the lock held; `now` is monotonic seconds."""
        since = self._cursor.oldest_since
        dropped = self._account.dropped.copy()
        if self._accounts.left_out:
            dropped[SAMPLED_OUT] += self._accounts.left_out
        return AdapterStats(
            exported=self._account.exported,
            sent=self._account.sent,
            queued=self._cursor.queued,
            dropped=dict(dropped),
            retrying_since=self._account.retrying_since,
            oldest_queued_age_s=None if since is None else max(0.0, now - since),
            last_error=self._account.last_error,
            adopted=self._account.adopted,
        )

    @property
    def is_failing(self) -> bool:
        """Whether the destination does not take anything at the moment. Called with the lock held."""
        return self._account.retrying_since is not None

    def end(self) -> int:
        """Give up what would not outlive this process, and return how many spans that was. Called with the lock held."""
        self.stopped = True
        left = self._cursor.abandon()
        if left:
            self._account.dropped[SHUTDOWN] += left
        return left

    def arrived(self, claim: Claim, spans: int, sent: Sent) -> None:
        """Count what the destination took. Raises Stopped."""
        rejected, message = min(max(0, sent.rejected), spans), clean(sent.message, MAX_SAID)
        with self._lock:
            self._go_on()
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
            _log.info("%s: delivering again", self._name)
        if rejected:
            self.warn(PARTIAL, "%s: the destination did not take every span: %s", f"{rejected} spans: {message}")

    def lost(self, claim: Claim, spans: int, reason: str, message: str) -> None:
        """Count records of which no bytes can be kept."""
        with self._lock:
            if self.stopped:
                return
            self._account.dropped[reason] += spans
            self._account.last_error = message
            self._cursor.settle(claim, spans)
        self.warn(reason, "%s: spans lost: %s", message)

    def dead(self, claim: Claim, records: Sequence[SpanRecord], reason: str, message: str) -> None:
        """Keep the records as dead letters, and only then take them off the queue: rather twice than not at all. Raises Stopped."""
        self._go_on()
        self._dead_letters.add(self._name, records, reason, message)
        with self._lock:
            self._go_on()
            self._account.dropped[reason] += len(records)
            self._account.last_error = message
            self._cursor.settle(claim, len(records))
        self.warn(reason, "%s: dead letter: %s", message)

    def failing(self, error: BaseException) -> None:
        """Say that the destination cannot be delivered to at present, and why."""
        with self._lock:
            if self._account.retrying_since is None:
                self._account.retrying_since = now_unix_s()
            self._account.last_error = said(error)
        known = isinstance(error, (Ambiguous, Misconfigured, Retryable))
        text = "%s: cannot deliver, will keep trying: %s"
        self.warn(type(error).__name__, text, said(error), None if known else error)

    def warn(self, kind: str, text: str, message: str, error: BaseException | None = None) -> None:
        """Say each kind of trouble once, loudly; after a recovery it may be said again."""
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning(text, self._name, message, exc_info=error)

    def _go_on(self) -> None:
        if self.stopped:
            raise Stopped


def said(error: BaseException) -> str:
    """Return what an adapter's error says, most likely a server's words."""
    return clean(error, MAX_SAID) or type(error).__name__
