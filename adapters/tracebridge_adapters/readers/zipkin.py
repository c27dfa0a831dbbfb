"""Zipkin's query API, v2 (zipkin-api 1.0.0: `/api/v2/trace/{traceId}` and `/api/v2/traces`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from tracebridge.errors import Misconfigured
from tracebridge.plugins.adapter import Context
from tracebridge.plugins.format import Decoded
from tracebridge.reading.search import Condition, Page, Query
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.records.span_identity import in_order
from tracebridge_adapters.dialects import DISPLACED, take_apart
from tracebridge_adapters.formats.zipkin import json_reader as zipkin_json_reader
from tracebridge_adapters.formats.zipkin import tags as zipkin_tags
from tracebridge_adapters.options import link_of
from tracebridge_adapters.readers.searching import LOOKBACK_MS, kept, search
from tracebridge_adapters.wires.http_get import HttpReader

_DOUBLED = {DISPLACED + key for key in (zipkin_tags.PEER_SERVICE, zipkin_tags.PEER_ADDRESS, zipkin_tags.PEER_PORT)}
MAX_FOUND = 100  # traces that one custom ID is looked up for


class ZipkinReader:
    """Reads traces back. Zipkin keeps names in lower case, attributes as text and times in microseconds, and so they come back."""

    def __init__(self, server: HttpReader, context: Context, ui: str | None) -> None:
        self._server = server
        self._take_apart = partial(take_apart, trace_id_attribute=context.trace_id_attribute)
        self._trace_id_attribute = context.trace_id_attribute
        self._ui = ui or f"{server.shown_url}/zipkin/traces/{{trace_id}}"

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, root first; empty when the trace is unknown."""
        document = self._server.get(f"/api/v2/trace/{trace_id.hex()}", missing=b"not found")
        return [] if document is None else in_order(self._decoded(b"[%b]" % document)[0])

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the traces of the last seven days that carry this custom ID, newest first."""
        if not _can_ask(custom_trace_id):
            return []
        query = Query([Condition("attribute", "=", custom_trace_id, self._trace_id_attribute)], max_results=MAX_FOUND)
        asked = self._ask(query.conditions, LOOKBACK_MS, None, MAX_FOUND)
        traces = [in_order(trace) for trace in asked if any(span.custom_trace_id == custom_trace_id for span in trace)]
        return [trace[0].trace_id for trace in sorted(traces, key=lambda trace: -trace[0].start_time_ns)]

    def search(self, query: Query) -> Page:
        """Return one page of traces that match, newest first."""

        def fetch(first_ms: int, last_ms: int, limit: int) -> tuple[list[list[SpanRecord]], bool]:
            traces = self._ask(query.conditions, last_ms - first_ms, last_ms, limit)
            return traces, len(traces) >= limit

        return search(query.with_own_ids(self._trace_id_attribute), fetch, folds_names=True)

    def _ask(
        self, conditions: Sequence[Condition], lookback_ms: int, end_ms: int | None, limit: int
    ) -> list[list[SpanRecord]]:
        """Ask for what surely holds all that match; Zipkin cannot say every condition."""
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit, "lookback": max(1, lookback_ms)}
        if end_ms is not None:
            asked["endTs"] = end_ms
        annotations = []
        for condition in conditions:
            if condition.operator != "=":
                continue
            if condition.field == "service":
                asked["serviceName"] = str(condition.value).lower()
            elif condition.field == "name":
                asked["spanName"] = str(condition.value).lower()
            elif condition.field == "status" and str(condition.value).upper() == "ERROR":
                annotations.append("error")
            elif condition.field == "attribute" and _can_ask(condition.key) and _can_ask(condition.value):
                annotations.append(f"{condition.key}={condition.value}")
        if annotations:
            asked["annotationQuery"] = " and ".join(annotations)
        return self._decoded(self._server.get("/api/v2/traces", asked) or b"[]")

    def _decoded(self, document: bytes) -> list[list[SpanRecord]]:
        try:
            traces = [self._trace(bytes(trace)) for trace in msgspec.json.decode(document, type=list[msgspec.Raw])]
            return kept(traces, self._server.shown_url)
        except ValueError as error:
            raise Misconfigured(f"{self._server.shown_url}: {error}; is query_endpoint a Zipkin?") from error

    def _trace(self, document: bytes) -> Decoded:
        read = zipkin_json_reader.decode(document, self._take_apart)
        return Decoded([_plain(record) for record in read.records], damage=read.damage)

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of the trace in Zipkin's UI."""
        return link_of(self._ui, trace_id)


def _plain(record: SpanRecord) -> SpanRecord:
    """Return the record without what only a way back to Zipkin needs: endpoints that say what a tag says too, the mark of origin."""
    attributes = {key: value for key, value in record.attributes.items() if key not in _DOUBLED}
    resource = None if record.resource is None else Resource(record.resource.attributes)
    return msgspec.structs.replace(record, attributes=attributes, resource=resource)


def _can_ask(value: object) -> bool:
    """Return whether Zipkin's annotation query can say this: it splits at ` and ` and at the first `=`."""
    return (
        isinstance(value, str)
        and bool(value.strip())
        and value == value.strip()
        and " and " not in value
        and "=" not in value
    )
