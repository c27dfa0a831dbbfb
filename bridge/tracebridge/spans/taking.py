"""What an open span takes from its callers: reduced to what can be recorded, up to its limits, from several threads at once.

The application's own code, such as a `__str__`, runs without a lock; what is kept of its result is added under one.
"""

from __future__ import annotations

from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any

from tracebridge.records.entities import read_status
from tracebridge.records.fast_path import MOST_AT_ONCE
from tracebridge.records.record import StatusCode, Value
from tracebridge.records.values import Tally

if TYPE_CHECKING:
    from tracebridge.calls.core import Core


class Taking:
    """The half of `Span` that fills it in."""

    if TYPE_CHECKING:  # the fields are the struct's
        calls: Core
        raw_id: bytes
        attributes_now: dict[str, Value]
        harmless: bool
        code: int
        status_message: str
        counts: Tally | None
        dropped_attributes: int
    else:
        __slots__ = ()

    @property
    def _lock(self) -> RLock:
        """Guards what several threads may change at once: a span shares it with others, because one of its own would cost more than it does."""
        locks = self.calls.span_locks
        return locks[self.raw_id[-1] % len(locks)]

    @property
    def tally(self) -> Tally:
        """The counts of what had to be done to this span's values, for whoever has the span alone; others `mark` it."""
        if self.counts is None:
            self.counts = Tally()
        self.harmless = False  # something about this span is out of the ordinary
        return self.counts

    def mark(self, tally: Tally) -> None:
        """Note that a value was not plain, and what had to be done to it.

        Before the value is recorded, because whoever ends the span meanwhile looks in the other order: no value that may be a secret
        goes past the stages.
        """
        self.harmless = False
        if tally.repaired or tally.truncated:
            with self._lock:
                counts = self.counts or Tally()
                self.counts = Tally(counts.repaired + tally.repaired, counts.truncated + tally.truncated)

    def payload(self, given: Any) -> Value:
        """Return inputs or outputs as they are recorded."""
        reducer = self.calls.reducer
        plain = reducer.plain_payload(given)
        if plain is not None:
            return plain
        tally = Tally()
        taken = reducer.payload(given, tally)
        self.mark(tally)
        return taken

    def fill(self, attributes: Any) -> dict[str, Value]:
        """Do what `take_attributes` does, for whoever has the span alone."""
        return self._put(self._reduced(attributes))

    def take_attributes(self, attributes: Any) -> dict[str, Value]:
        """Add attributes up to the limit of keys, and return what was added; what is over is counted."""
        reduced = self._reduced(
            attributes
        )  # runs the application's code, such as `__str__`, and therefore without the lock
        with self._lock:
            return self._put(reduced)

    def _reduced(self, attributes: Any) -> dict[str, Value]:
        reducer = self.calls.reducer
        most = max(MOST_AT_ONCE, self.calls.limits.attribute_count_limit)
        if type(attributes) is dict and len(attributes) > most:
            attributes = self._first_of(attributes, most)
        plain = reducer.plain(attributes)
        if plain is not None:
            return plain
        tally = Tally()
        reduced = reducer.attributes(attributes, tally)
        self.mark(tally)
        return reduced

    def _put(self, reduced: dict[str, Value]) -> dict[str, Value]:
        into, limit = self.attributes_now, self.calls.limits.attribute_count_limit
        if len(into) + len(reduced) <= limit:
            into.update(reduced)
            return reduced
        added = {}
        for key, value in reduced.items():
            if key in into or len(into) < limit:
                added[key] = into[key] = value
            else:
                self.dropped_attributes += 1
                self.harmless = False
        return added

    def _first_of(self, attributes: dict[Any, Any], most: int) -> dict[Any, Any]:
        """Return the first so many attributes of an enormous mapping: judging each of ten thousand keys would cost milliseconds."""
        taken = attributes.copy()
        with self._lock:
            self.harmless = False
            self.dropped_attributes += len(taken) - most
        return dict(islice(taken.items(), most))

    def _text(self, given: Any) -> str:
        tally = Tally()
        text = self.calls.reducer.text(given, tally)
        self.mark(tally)
        return text

    def take_status(self, status: Any) -> None:
        """Record a status; one that means nothing is misuse, and recorded as ERROR with its text."""
        found = read_status(status)
        if found is not None:
            self._say_status(found[0], self._text(found[1]) if found[0] is StatusCode.ERROR else "")
            return
        self._say_status(StatusCode.ERROR, self._text(f"unknown status {self.calls.reducer.show(status)}"))
        self.calls.refuse(
            "bad_status",
            f"unknown status: {self.calls.told(status)}; the span is recorded as ERROR. Give OK, ERROR or UNSET.",
        )

    def _say_status(self, code: StatusCode, message: str) -> None:
        with self._lock:
            self.code, self.status_message = int(code), message
