"""Jaeger, versions 1 and 2, read back by whichever of its query APIs loses least."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from tracebridge.errors import DeliveryError
from tracebridge.plugins.adapter import Context
from tracebridge.reading.search import Condition, Page, Query
from tracebridge.records.record import SpanRecord
from tracebridge.records.span_identity import in_order
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.options import link_of
from tracebridge_adapters.readers.jaeger_apis import TOO_DEEP, JaegerApi, choose_api
from tracebridge_adapters.readers.searching import LOOKBACK_MS, search, start_ms
from tracebridge_adapters.wires.http_get import HttpReader

MAX_FOUND = 100  # traces that one custom ID is looked up for
AHEAD_MS = 86_400_000  # clocks of other machines may be ahead


class JaegerReader:
    """Reads traces back. Jaeger searches within one service at a time, so without one every service is asked."""

    def __init__(self, server: HttpReader, context: Context, ui: str | None) -> None:
        self._server = server
        self._take_apart = partial(take_apart, trace_id_attribute=context.trace_id_attribute)
        self._chosen: JaegerApi | None = None
        self._most: int | None = None
        """What a server that holds few traces lets one search ask for, once it has refused more."""
        self._trace_id_attribute = context.trace_id_attribute
        self._own_service = context.resource.service_name
        self._ui = ui or f"{server.shown_url}/trace/{{trace_id}}"

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, root first; empty when the trace is unknown."""
        return in_order(self._api().get(trace_id))

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces of the last seven days that carry this custom ID, newest first."""
        now_ms = int(time.time() * 1000)
        conditions = [Condition("attribute", "=", custom_trace_id, self._trace_id_attribute)]
        services = self._api().services()
        for group in ([name for name in services if name == self._own_service], services):
            traces, _ = self._ask(conditions, group, now_ms - LOOKBACK_MS, now_ms + AHEAD_MS, MAX_FOUND)
            matching = [trace for trace in traces if any(span.custom_trace_id == custom_trace_id for span in trace)]
            if matching:
                newest_first = sorted(map(in_order, matching), key=lambda trace: -trace[0].start_time_ns)
                return [trace[0].trace_id for trace in newest_first]
        return []

    def search(self, query: Query) -> Page:
        """Return one page of traces that match, newest first."""
        named = [str(c.value) for c in query.conditions if c.field == "service" and c.operator == "="]
        services = named[:1] or self._api().services()

        def fetch(first_ms: int, last_ms: int, limit: int) -> tuple[list[list[SpanRecord]], bool]:
            return self._ask(query.conditions, services, first_ms, last_ms, limit)

        return search(query.with_own_ids(self._trace_id_attribute), fetch)

    def _api(self) -> JaegerApi:
        if self._chosen is None:
            self._chosen = choose_api(self._server, self._take_apart)
        return self._chosen

    def _ask(
        self, conditions: Sequence[Condition], services: Sequence[str], first_ms: int, last_ms: int, limit: int
    ) -> tuple[list[list[SpanRecord]], bool]:
        """Ask each service for what surely holds all that match; Jaeger cannot say every condition.

        A service that has more is listed down to some moment only: what others have from before it comes another time, in its turn.
        """
        traces: dict[bytes, list[SpanRecord]] = {}
        down_to = first_ms
        for service in services:
            found, from_ms = self._newest(service, conditions, first_ms, last_ms, limit)
            traces.update({trace[0].trace_id: trace for trace in found})
            down_to = max(down_to, from_ms)
        everything = list(traces.values())
        return [trace for trace in everything if start_ms(trace) >= down_to] or everything, down_to > first_ms

    def _newest(
        self, service: str, conditions: Sequence[Condition], first_ms: int, last_ms: int, limit: int
    ) -> tuple[list[list[SpanRecord]], int]:
        """Return the newest traces of a service, and from which moment on they are all.

        Of more than were asked for a storage need not give the newest: Jaeger 2's memory gives any. So the time is narrowed until all fit.
        """
        while True:
            found, asked = self._list(service, conditions, first_ms, last_ms, limit)
            if len(found) < asked or first_ms >= last_ms:
                return found, first_ms
            middle = sorted(map(start_ms, found))[len(found) // 2]
            first_ms = max(first_ms + 1, min(middle, last_ms))

    def _list(
        self, service: str, conditions: Sequence[Condition], first_ms: int, last_ms: int, limit: int
    ) -> tuple[list[list[SpanRecord]], int]:
        """Return traces, and how many were asked for: a Jaeger in memory refuses to be asked for more than it may hold."""
        while True:
            asked = limit if self._most is None else min(limit, self._most)
            try:
                found = self._api().newest(service, conditions, first_ms, last_ms, asked)
                return [trace for trace in found if trace], asked
            except DeliveryError as error:
                if TOO_DEEP not in str(error) or asked == 1:
                    raise
                self._most = asked // 2

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of the trace in Jaeger's UI."""
        return link_of(self._ui, trace_id)
