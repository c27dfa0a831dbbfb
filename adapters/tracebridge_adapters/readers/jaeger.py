"""Jaeger's query API, `/api/traces` and `/api/services`: the one that version 1 and version 2 both have."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import msgspec

from tracebridge.errors import Misconfigured
from tracebridge.plugins.adapter import Context
from tracebridge.reading.search import Condition, Page, Query
from tracebridge.records.record import SpanRecord
from tracebridge.records.span_identity import in_order
from tracebridge_adapters.dialects import absorb
from tracebridge_adapters.formats.jaeger import json_reader as jaeger_json
from tracebridge_adapters.options import link_of
from tracebridge_adapters.readers.searching import LOOKBACK_MS, kept, search
from tracebridge_adapters.wires.http_get import HttpReader

RAW = {"raw": "true"}  # else Jaeger moves spans that seem to begin before their parents
MAX_FOUND = 100  # traces that one custom ID is looked up for
AHEAD_MS = 86_400_000  # clocks of other machines may be ahead


class JaegerReader:
    """Reads traces back. Jaeger searches within one service at a time, so without one every service is asked."""

    def __init__(self, server: HttpReader, context: Context, ui: str | None) -> None:
        self._server = server
        self._absorb = partial(absorb, trace_id_attribute=context.trace_id_attribute)
        self._trace_id_attribute = context.trace_id_attribute
        self._own_service = context.resource.service_name
        self._ui = ui or f"{server.shown_url}/trace/{{trace_id}}"

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, root first; empty when the trace is unknown."""
        document = self._server.get(f"/api/traces/{trace_id.hex()}", RAW, missing=b"trace not found")
        return [] if document is None else in_order([span for trace in self._decoded(document) for span in trace])

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces of the last seven days that carry this custom ID, newest first."""
        now_ms = int(time.time() * 1000)
        conditions = [Condition("attribute", "=", custom_trace_id, self._trace_id_attribute)]
        services = self._services()
        for group in ([name for name in services if name == self._own_service], services):
            traces, _ = self._ask(conditions, group, now_ms - LOOKBACK_MS, now_ms + AHEAD_MS, MAX_FOUND)
            if traces:
                newest_first = sorted(map(in_order, traces), key=lambda trace: -trace[0].start_time_ns)
                return [trace[0].trace_id for trace in newest_first]
        return []

    def search(self, query: Query) -> Page:
        """Return one page of traces that match, newest first."""
        named = [str(c.value) for c in query.conditions if c.field == "service" and c.operator == "="]
        services = named[:1] or self._services()

        def fetch(first_ms: int, last_ms: int, limit: int) -> tuple[list[list[SpanRecord]], bool]:
            return self._ask(query.conditions, services, first_ms, last_ms, limit)

        return search(query, fetch)

    def _services(self) -> list[str]:
        document = self._server.get("/api/services") or b'{"data": []}'
        try:
            return jaeger_json.services(document)
        except ValueError as error:
            raise self._foreign(error) from error

    def _ask(
        self, conditions: Sequence[Condition], services: Sequence[str], first_ms: int, last_ms: int, limit: int
    ) -> tuple[list[list[SpanRecord]], bool]:
        """Ask each service for what surely holds all that match; Jaeger cannot say every condition."""
        asked: dict[str, str | int | Sequence[str]] = {
            "limit": limit, "start": first_ms * 1000, "end": last_ms * 1000 + 999, "lookback": "custom", **RAW,
        }  # fmt: skip
        tags = {
            c.key: c.value
            for c in conditions
            if c.field == "attribute" and c.operator == "=" and isinstance(c.value, str)
        }
        if tags:
            asked["tags"] = msgspec.json.encode(tags).decode()
        names = [str(c.value) for c in conditions if c.field == "name" and c.operator == "="]
        if names:
            asked["operation"] = names[0]
        traces: dict[bytes, list[SpanRecord]] = {}
        more = False
        for service in services:
            found = self._decoded(self._server.get("/api/traces", {**asked, "service": service}) or b'{"data": []}')
            more = more or len(found) >= limit
            traces.update({trace[0].trace_id: trace for trace in found if trace})
        return list(traces.values()), more

    def _decoded(self, document: bytes) -> list[list[SpanRecord]]:
        try:
            return kept(jaeger_json.decode(document, self._absorb), self._server.shown_url)
        except ValueError as error:
            raise self._foreign(error) from error

    def _foreign(self, error: ValueError) -> Misconfigured:
        return Misconfigured(f"{self._server.shown_url}: {error}; is query_endpoint a Jaeger?")

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of the trace in Jaeger's UI."""
        return link_of(self._ui, trace_id)
