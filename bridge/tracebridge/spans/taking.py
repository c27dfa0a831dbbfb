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
        _calls: Core
        _raw_id: bytes
        _attributes: dict[str, Value]
        _attributes_change: bool
        _fast_path: bool
        _code: int
        _status_message: str
        _counts: Tally | None
        _dropped_attributes: int
    else:
        __slots__ = ()

    @property
    def _lock(self) -> RLock:
        """Guards what several threads may change at once: a span shares it with others, because one of its own would cost more than it does."""
        locks = self._calls._span_locks
        return locks[self._raw_id[-1] % len(locks)]

    @property
    def _tally(self) -> Tally:
        """The counts of what had to be done to this span's values, for whoever has the span alone; others `_mark` it."""
        if self._counts is None:
            self._counts = Tally()
        self._fast_path = False  # something about this span is out of the ordinary
        return self._counts

    def _mark(self, tally: Tally) -> None:
        """Note that a value was not plain, and what had to be done to it.

        Before the value is recorded, because whoever ends the span meanwhile looks in the other order: no value that may be a secret
        goes past the stages.
        """
        self._fast_path = False
        if tally.repaired or tally.truncated:
            with self._lock:
                counts = self._counts or Tally()
                self._counts = Tally(counts.repaired + tally.repaired, counts.truncated + tally.truncated)

    def _payload(self, given: Any) -> Value:
        """Return inputs or outputs as they are recorded."""
        reducer = self._calls._reducer
        plain = reducer.fast_payload(given)
        if plain is not None:
            return plain
        tally = Tally()
        taken = reducer.payload(given, tally)
        self._mark(tally)
        return taken

    def _fill(self, attributes: Any) -> dict[str, Value]:
        """Do what `_take_attributes` does, for whoever has the span alone."""
        return self._put(self._reduced(attributes))

    def _take_attributes(self, attributes: Any) -> dict[str, Value]:
        """Add attributes up to the limit of keys, and return what was added; what is over is counted."""
        reduced = self._reduced(
            attributes
        )  # runs the application's code, such as `__str__`, and therefore without the lock
        with self._lock:
            return self._put(reduced)

    def _reduced(self, attributes: Any) -> dict[str, Value]:
        reducer = self._calls._reducer
        most = max(MOST_AT_ONCE, self._calls._most_attributes)
        if type(attributes) is dict and len(attributes) > most:
            attributes = self._first_of(attributes, most)
        plain = reducer.fast_attributes(attributes)
        if plain is not None:
            return plain
        tally = Tally()
        reduced = reducer.attributes(attributes, tally)
        self._mark(tally)
        return reduced

    def _put(self, reduced: dict[str, Value]) -> dict[str, Value]:
        if not self._attributes_change:
            self._attributes_change = True  # before the copy is there to be changed
            self._attributes = self._attributes.copy()
        into, limit = self._attributes, self._calls._most_attributes
        if len(into) + len(reduced) <= limit:
            into.update(reduced)
            return reduced
        added = {}
        for key, value in reduced.items():
            if key in into or len(into) < limit:
                added[key] = into[key] = value
            else:
                self._dropped_attributes += 1
                self._fast_path = False
        return added

    def _first_of(self, attributes: dict[Any, Any], most: int) -> dict[Any, Any]:
        """Return the first so many attributes of an enormous mapping: judging each of ten thousand keys would cost milliseconds."""
        taken = attributes.copy()
        with self._lock:
            self._fast_path = False
            self._dropped_attributes += len(taken) - most
        return dict(islice(taken.items(), most))

    def _text(self, given: Any) -> str:
        tally = Tally()
        text = self._calls._reducer.text(given, tally)
        self._mark(tally)
        return text

    def _take_status(self, status: Any) -> None:
        """Record a status; one that means nothing is misuse, and recorded as ERROR with its text."""
        found = read_status(status)
        if found is not None:
            self._say_status(found[0], self._text(found[1]) if found[0] is StatusCode.ERROR else "")
            return
        self._say_status(StatusCode.ERROR, self._text(f"unknown status {self._calls._reducer.show(status)}"))
        self._calls._refuse(
            "bad_status",
            f"unknown status: {self._calls._told(status)}; the span is recorded as ERROR. Give OK, ERROR or UNSET.",
        )

    def _say_status(self, code: StatusCode, message: str) -> None:
        with self._lock:
            self._code, self._status_message = int(code), message
