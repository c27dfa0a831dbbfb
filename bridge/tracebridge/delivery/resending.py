"""Dead letters sent again: to the destination that refused them and to no other."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tracebridge.delivery.books import PARTIAL
from tracebridge.delivery.deadletters.files import DeadFiles, Refusal
from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.worker import Delivery
from tracebridge.journal.accounts import Accounts, AdapterAccount
from tracebridge.journal.base import encode_record
from tracebridge.journal.memory import MemoryJournal
from tracebridge.plugins.adapter import Context
from tracebridge.plugins.registry import adapter_class
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.settings.model import Settings

ROOM = 2**30  # bytes; one refusal is here at a time, and it was a batch once


class Resender:
    """Delivery to one adapter, as the client does it, whose refusals become dead letters in the same files again."""

    def __init__(self, files: DeadFiles, settings: Settings, adapter: str, give_up_s: float) -> None:
        self._files = files
        self._give_up_s = give_up_s
        self._answering = True
        self._accounts = Accounts()
        self._books = self._accounts.adapters[adapter] = AdapterAccount()
        self._journal = MemoryJournal(self._accounts, max_bytes=ROOM)
        chosen = settings.adapters[adapter]
        resource = Resource(dict(settings.resource.attributes))
        made = adapter_class(chosen.type)(chosen.options, Context(adapter, resource, settings.trace_ids.attribute))
        cursor = self._journal.cursor(adapter)
        self._delivery = Delivery(adapter, made, chosen.options, cursor, self._accounts, DeadLetters(files), resource)
        self._delivery.start()

    def resend(self, refusals: Sequence[Refusal]) -> dict[str, int]:
        """Send refusals again, for so long as all of them may take.

        Return how many spans were `taken`, `refused` again, `kept` as they were, and `busy` because another process is sending them. A
        refusal is kept when no answer came in time, when its file cannot be read, and when the answer does not say which spans were not
        taken. Raises OSError.
        """
        until = time.monotonic() + self._give_up_s
        outcome = {"taken": 0, "refused": 0, "kept": 0, "busy": 0}
        for refusal in refusals:
            try:
                with self._files.claimed(refusal.id) as ours:
                    if ours:
                        self._resend(refusal, until, outcome)
                    else:
                        outcome["busy"] += refusal.spans
            except FileNotFoundError:  # dropped, or sent by another process, since it was listed
                continue
        return outcome

    def _resend(self, refusal: Refusal, until: float, outcome: dict[str, int]) -> None:
        """Send one refusal again and count what became of it."""
        try:
            records = self._files.records(refusal.id)
        except ValueError:  # edited by hand, and not well
            outcome["kept"] += refusal.spans
            return
        before = self._books.dropped.copy()
        self._answering = self._answering and self._send(records, until)
        new = self._books.dropped - before
        if not self._answering or new[PARTIAL]:
            outcome["kept"] += len(records)
            return
        self._files.remove(refusal.id)
        outcome["taken"] += len(records) - new.total()
        outcome["refused"] += new.total()

    def _send(self, records: Sequence[SpanRecord], until: float) -> bool:
        """Send and wait for the answer; return whether it came in time."""
        lock = self._accounts.lock
        with lock:
            for record in records:
                self._journal.append(encode_record(record))
            end = self._journal.end
            self._delivery.request_flush(end)
            lock.notify_all()
            return self._accounts.wait_for(lambda: self._delivery.flushed(end), max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Send no more."""
        with self._accounts.lock:
            self._delivery.request_close(time.monotonic())
            self._accounts.lock.notify_all()
        self._delivery.join()
