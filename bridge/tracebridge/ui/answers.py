"""What the page is told: lists of traces, and traces, out of the destinations that can be read. It changes nothing anywhere."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tracebridge.errors import InvalidParameterError
from tracebridge.html.picture import MAX_SPANS, Picture, picture
from tracebridge.ids.identity import Identity
from tracebridge.plugins.adapter import Looked, PartialReader, StreamingReader
from tracebridge.reading.destination import Destination
from tracebridge.reading.finding import Finder
from tracebridge.reading.search import Query
from tracebridge.reading.sought import sought
from tracebridge.records.record import SpanRecord
from tracebridge.ui.asked import Parameters, query_of
from tracebridge.ui.summary import Summary, one_line, service_map, summarised

MAX_SUMMARIES: Final = 2_000  # traces whose summary is remembered
MAX_NAMED: Final = 20  # other traces that an ID may mean
MAX_READ: Final = MAX_SPANS  # spans of one trace
LARGE: Final = 1_000  # spans; the picture of a larger trace is kept until another span comes, because it is asked for every two seconds
SEARCH_S: Final = 5.0
"""How long one list is looked for, where the destination can stop; the page says how far that was."""


class Answers:
    """Answers what the page asks, from several threads at once."""

    def __init__(self, destinations: Sequence[Destination], ids: Identity) -> None:
        self._destinations = {destination.name: destination for destination in destinations}
        self._ids = ids
        self._large: tuple[tuple[str, bytes, int], Picture] | None = None
        self._summaries: OrderedDict[tuple[str, bytes, int], Summary] = OrderedDict()

    def destinations(self, _: Parameters) -> dict[str, Any]:
        """Return the names of what can be read, the first of which is read where none is named."""
        return {"destinations": list(self._destinations)}

    def traces(self, asked: Parameters) -> dict[str, Any]:
        """Return the newest traces that match, one row each, and the map of their services. Raises InvalidParameterError."""
        destination = self._named(asked)
        found = _search(destination, query_of(asked))
        summaries = [self._summary(destination.name, spans) for spans in found.traces]
        return {
            "from": destination.name,
            "traces": [summary.row for summary in summaries],
            "more": found.more,
            "stopped_ms": found.stopped_ms,
            "map": service_map(summaries),
        }

    def trace(self, asked: Parameters) -> dict[str, Any]:
        """Return one trace by whatever `tracebridge find` takes, from the destination that is named or the first that has it.

        Where a text means no trace, or more than one: `near`, those that it may mean. Raises InvalidParameterError.
        """
        what = sought(next(iter(asked.get("id", ())), ""))
        if not what.text:
            raise InvalidParameterError("id: which trace is wanted?")
        finder = Finder([self._named(asked)] if asked.get("from") else list(self._destinations.values()), self._ids)
        found = next(finder.exact(what), None)
        near = list(finder.near(what, MAX_NAMED)) if found is None else []
        if found is None and len({each.trace_id for each in near}) == 1:
            found = near[0]
        if found is None:
            named = [{"id": each.trace_id.hex(), "why": each.why, "from": each.destination.name} for each in near]
            return {"near": named, "told": [*finder.failed, *finder.left_out()]}
        destination, trace_id = found.destination, found.trace_id
        same = [each.trace_id.hex() for each in Finder([destination], self._ids).exact(what)]
        return self._picture(destination, trace_id) | {
            "from": destination.name,
            "others": [each for each in same[:MAX_NAMED] if each != trace_id.hex()],
            "link": destination.reader.link(trace_id),
        }

    def _picture(self, destination: Destination, trace_id: bytes) -> Picture:
        if isinstance(destination.reader, PartialReader):  # which counts without reading
            key = (destination.name, trace_id, destination.spans(trace_id, 1)[1])
            kept = self._large
            if kept is not None and kept[0] == key:
                return kept[1]
        spans, number = destination.spans(trace_id, MAX_READ)
        drawn = picture(spans, unread=max(0, number - len(spans)))
        if number > LARGE:
            self._large = ((destination.name, trace_id, number), drawn)
        return drawn

    def _named(self, asked: Parameters) -> Destination:
        name = next(iter(asked.get("from", ())), "") or next(iter(self._destinations))
        if name not in self._destinations:
            raise InvalidParameterError(f"from: {one_line(name)!r} is none of {', '.join(self._destinations)}")
        return self._destinations[name]

    def _summary(self, name: str, spans: list[SpanRecord]) -> Summary:
        """Return a trace's summary, remembered as long as no span comes: lists are asked for again and again."""
        key = (name, spans[0].trace_id, len(spans))
        known = self._summaries.get(key)
        if known is None:
            known = self._summaries[key] = summarised(spans)
            while len(self._summaries) > MAX_SUMMARIES:
                self._summaries.pop(next(iter(self._summaries)), None)
        return known


class _Found(NamedTuple):
    traces: list[list[SpanRecord]]
    more: bool
    """Whether there may be others."""
    stopped_ms: int | None = None
    """Start of the trace where the search was stopped, Unix milliseconds; None when it was not."""


class _EnoughError(Exception):
    """Ends a search that takes too long."""


def _search(destination: Destination, query: Query) -> _Found:
    """Return the newest traces that match, as far as `SEARCH_S` reaches."""
    reader, most = destination.reader, query.max_results
    if not isinstance(reader, StreamingReader):
        page = reader.search(query)
        return _Found([spans for spans in page.traces if spans], page.token is not None)
    found: list[list[SpanRecord]] = []
    until, far = time.monotonic() + SEARCH_S, Looked(0, 0)

    def looked(now: Looked) -> None:
        nonlocal far
        far = now
        if time.monotonic() > until:
            raise _EnoughError

    try:
        for spans in reader.stream(query, looked):
            if len(found) == most:
                return _Found(found, more=True)
            found.append(spans)
    except _EnoughError:
        return _Found(found, True, far.start_ns // 1_000_000)
    return _Found(found, more=False)
