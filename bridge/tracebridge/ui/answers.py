"""What the page is told: lists of traces, and traces, out of the destinations that can be read. It changes nothing anywhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from tracebridge.errors import InvalidParameterError
from tracebridge.html.picture import picture
from tracebridge.ids.identity import Identity
from tracebridge.reading.destinations import Destination
from tracebridge.records.record import SpanRecord, carried
from tracebridge.ui.asked import Parameters, query_of
from tracebridge.ui.summary import Summary, service_map, summarised

MAX_SUMMARIES: Final = 2_000  # traces whose summary is remembered
MAX_OTHERS: Final = 20  # other traces of the same ID that are named


class Answers:
    """Answers what the page asks, from several threads at once."""

    def __init__(self, destinations: Sequence[Destination], ids: Identity) -> None:
        self._destinations = {destination.name: destination for destination in destinations}
        self._ids = ids
        self._summaries: OrderedDict[tuple[str, bytes, int], Summary] = OrderedDict()

    def destinations(self, _: Parameters) -> dict[str, Any]:
        """Return the names of what can be read, the first of which is read where none is named."""
        return {"destinations": [{"name": each.name, "type": each.type} for each in self._destinations.values()]}

    def traces(self, asked: Parameters) -> dict[str, Any]:
        """Return the newest traces that match, one row each, and the map of their services. Raises InvalidParameterError."""
        destination = self._named(asked)
        page = destination.reader.search(query_of(asked))
        summaries = [self._summary(destination.name, spans) for spans in page.traces if spans]
        return {
            "from": destination.name,
            "traces": [summary.row for summary in summaries],
            "more": page.token is not None,
            "map": service_map(summaries),
        }

    def trace(self, asked: Parameters) -> dict[str, Any] | None:
        """Return one trace, by any form of its ID, from the destination that is named or the first that has it; None when none has.

        Raises InvalidParameterError.
        """
        text = next(iter(asked.get("id", ())), "")
        if not text:
            raise InvalidParameterError("id: which trace is wanted?")
        destinations = [self._named(asked)] if asked.get("from") else list(self._destinations.values())
        for destination in destinations:
            found = destination.reader.find(carried(text))
            for wire_id in found or [wire.trace_id for wire in self._ids.meanings(text)]:
                spans = destination.reader.get(wire_id)
                if spans:
                    others = [each.hex() for each in found[: MAX_OTHERS + 1] if each != wire_id]
                    link = destination.reader.link(wire_id)
                    return picture(spans) | {"from": destination.name, "others": others, "link": link}
        return None

    def _named(self, asked: Parameters) -> Destination:
        name = next(iter(asked.get("from", ())), "") or next(iter(self._destinations))
        if name not in self._destinations:
            raise InvalidParameterError(f"from: {name[:80]!r} is none of {', '.join(self._destinations)}")
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
