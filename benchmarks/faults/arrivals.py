"""What arrived at one destination, by number, and in which request."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.faults.spans import IN_A_TRACE, Arrived

MOST_EXAMPLES = 20


@dataclass(slots=True)
class Request:
    """One request whose spans were taken."""

    life: str
    """Which process sent it, where the protocol lets it say so."""
    numbers: array[int]
    answered: bool
    """Whether the sender was given a whole answer that says yes."""


@dataclass(slots=True)
class _Trace:
    trace_ids: set[str] = field(default_factory=set)
    root_ids: set[str] = field(default_factory=set)
    parent_ids: set[str] = field(default_factory=set)


class Arrivals:
    """The book of one destination. Safe from any thread."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.strangers = 0
        """Spans without a number."""
        self.unfinished: set[int] = set()
        self.wrong: dict[int, str] = {}
        self._traces: dict[int, _Trace] = {}
        self._lock = threading.Lock()

    def take(self, spans: Iterable[Arrived], life: str, answered: bool) -> None:
        """Write down the spans of a request."""
        numbers: array[int] = array("q")
        with self._lock:
            for span in spans:
                number = span.number
                if number < 0:
                    self.strangers += 1
                    continue
                numbers.append(number)
                if span.unfinished:
                    self.unfinished.add(number)
                wrong = span.wrong(number)
                if wrong:
                    self.wrong[number] = wrong
                self._relate(span, number)
            self.requests.append(Request(life, numbers, answered))

    def _relate(self, span: Arrived, number: int) -> None:
        trace = self._traces.setdefault(number // IN_A_TRACE, _Trace())
        trace.trace_ids.add(span.trace_id)
        if number % IN_A_TRACE:
            trace.parent_ids.add(span.parent_id)
        else:
            trace.root_ids.add(span.span_id)

    @property
    def total(self) -> int:
        """How many spans arrived, each copy counted."""
        with self._lock:
            return sum(len(request.numbers) for request in self.requests)

    def torn_traces(self) -> int:
        """Return in how many traces the IDs contradict each other: two trace IDs, or a parent that is not the root."""
        with self._lock:
            return sum(
                len(trace.trace_ids) > 1
                or len(trace.root_ids) > 1
                or len(trace.parent_ids) > 1
                or bool(trace.root_ids and trace.parent_ids and trace.root_ids != trace.parent_ids)
                for trace in self._traces.values()
            )

    def copies(self) -> dict[int, list[int]]:
        """Return, by number, in which requests each span came."""
        found: dict[int, list[int]] = {}
        for index, request in enumerate(self.requests):
            for number in request.numbers:
                found.setdefault(number, []).append(index)
        return found

    def unexplained(self, copies: dict[int, list[int]], in_flight: int) -> int:
        """Return how many second copies no fault explains.

        One is explained when the request before it was not answered whole, or was among the last `in_flight` of its process, which
        then may have died between the answer and writing it down.
        """
        by_life: dict[str, list[int]] = {}
        for index, request in enumerate(self.requests):
            by_life.setdefault(request.life, []).append(index)
        last = {index for life, indexes in by_life.items() for index in indexes[len(indexes) - in_flight :] if life}
        unexplained = 0
        for indexes in copies.values():
            for before in indexes[:-1]:
                request = self.requests[before]
                unexplained += request.answered and bool(request.life) and before not in last
        return unexplained
