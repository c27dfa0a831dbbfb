"""A destination read back with traces joined whose services disagree between 128 and 64 bits of ID (`ids.joining`)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tracebridge.errors import TracebridgeError
from tracebridge.ids.joining import is_short, joined_id
from tracebridge.plugins.adapter import TraceReader
from tracebridge.reading.search import Condition, Page, Query
from tracebridge.records.record import SpanRecord
from tracebridge.records.span_identity import in_order

MOST_LONG = 100  # long IDs that are looked for to a short one


class JoinedReader:
    """`tracebridge.plugins.adapter.TraceReader` around another one. A joined trace has the longest of its IDs."""

    def __init__(self, reader: TraceReader) -> None:
        self._reader = reader

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the spans of the trace under any of its IDs, in start order."""
        short = joined_id(trace_id)
        ids = dict.fromkeys([trace_id, short] if not is_short(trace_id) else [*self._long(short), short])
        spans = [span for each in ids for span in self._reader.get(each)]
        return in_order(_under(max((span.trace_id for span in spans), default=trace_id), spans))

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the IDs of the traces that carry this custom ID, one for each trace, newest first."""
        return _first_of_each(self._reader.find(custom_trace_id))

    def search(self, query: Query) -> Page:
        """Return one page of the traces of which a part under one ID matches, each whole."""
        page = self._reader.search(query)
        found = [spans[0].trace_id for spans in page.traces if spans]
        return Page([self.get(trace_id) for trace_id in _first_of_each(found)], page.token)

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of the part under this ID."""
        return self._reader.link(trace_id)

    def _long(self, short: bytes) -> list[bytes]:
        """Return the long IDs that end like a short one."""
        wanted = Condition("trace_id", "RLIKE", f"{short.hex()[16:]}$")
        try:
            found = self._reader.search(Query([wanted], max_results=MOST_LONG)).traces
        except TracebridgeError:  # it cannot be asked for that
            return []
        return [spans[0].trace_id for spans in found if spans]


def _first_of_each(trace_ids: Iterable[bytes]) -> list[bytes]:
    """Return the first ID of each trace."""
    first: dict[bytes, bytes] = {}
    for trace_id in trace_ids:
        first.setdefault(joined_id(trace_id), trace_id)
    return list(first.values())


def _under(trace_id: bytes, spans: Iterable[SpanRecord]) -> list[SpanRecord]:
    return [msgspec.structs.replace(span, trace_id=trace_id) for span in spans]
