"""Jaeger's two query APIs, behind one shape: `/api/traces`, which every version has, and `/api/v3`, which loses nothing of a span.

Read in Jaeger 1.62 and 2.13. Both search within one service at a time. Version 3 answers in OTLP JSON (nanoseconds, flags, counts of what was dropped,
attributes of links and scopes), writes NaN, over which the other fails with a 500, and cannot search by tag.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from tracebridge.errors import DeliveryError, Misconfigured
from tracebridge.reading.search import Condition
from tracebridge.records.record import SpanRecord, Value
from tracebridge_adapters.formats.files import jaeger_otlp
from tracebridge_adapters.formats.jaeger import json_reader as jaeger_json
from tracebridge_adapters.readers.searching import kept
from tracebridge_adapters.wires.http_get import HttpReader

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]
Trace = list[SpanRecord]

TOO_DEEP = "search depth"  # how its memory refuses a search for more traces than it may hold


class JaegerApi(Protocol):
    """One of them. Each call raises Retryable or Misconfigured."""

    def get(self, trace_id: bytes) -> Trace:
        """Return the spans of one trace, in no order; empty when it is unknown."""
        ...

    def services(self) -> list[str]:
        """Return the names of all services."""
        ...

    def newest(
        self, service: str, conditions: Sequence[Condition], first_ms: int, last_ms: int, limit: int
    ) -> list[Trace]:
        """Return traces of a service with spans that started in between, newest first: all that match, and maybe others."""
        ...


class JaegerApi1:
    """`/api/traces`."""

    def __init__(self, server: HttpReader, take_apart: TakeApart) -> None:
        self._server, self._take_apart = server, take_apart

    def get(self, trace_id: bytes) -> Trace:
        """Return the spans of one trace."""
        document = self._server.get(f"/api/traces/{trace_id.hex()}", {"raw": "true"}, missing=b"trace not found")
        return [] if document is None else [span for trace in self._decoded(document) for span in trace]

    def services(self) -> list[str]:
        """Return the names of all services."""
        document = self._server.get("/api/services") or b'{"data": []}'
        try:
            return jaeger_json.services(document)
        except ValueError as error:
            raise _foreign(self._server, error) from error

    def newest(
        self, service: str, conditions: Sequence[Condition], first_ms: int, last_ms: int, limit: int
    ) -> list[Trace]:
        """Return traces of a service; the server looks for the operation, and for tags that are text."""
        asked: dict[str, str | int | Sequence[str]] = {
            "service": service, "limit": limit, "start": first_ms * 1000, "end": last_ms * 1000 + 999, "lookback": "custom", "raw": "true",
        }  # fmt: skip
        tags = tags_of(conditions)
        if tags:
            asked["tags"] = msgspec.json.encode(tags).decode()
        name = _name_of(conditions)
        if name:
            asked["operation"] = name
        return [trace for trace in self._decoded(self._server.get("/api/traces", asked) or b'{"data": []}') if trace]

    def _decoded(self, document: bytes) -> list[Trace]:
        try:
            return kept(jaeger_json.decode(document, self._take_apart), self._server.shown_url)
        except ValueError as error:
            raise _foreign(self._server, error) from error


class JaegerApi3:
    """`/api/v3`. A search by tag asks the other API which traces there are, because this one cannot be asked."""

    def __init__(self, server: HttpReader, take_apart: TakeApart, older: JaegerApi1) -> None:
        self._server, self._take_apart, self._older = server, take_apart, older

    def get(self, trace_id: bytes) -> Trace:
        """Return the spans of one trace."""
        return self._spans(f"/api/v3/traces/{trace_id.hex()}", {"raw_traces": "true"})

    def services(self) -> list[str]:
        """Return the names of all services."""
        try:
            return msgspec.json.decode(self._server.get("/api/v3/services") or b"{}", type=_Services).services
        except msgspec.DecodeError as error:
            raise _foreign(self._server, error) from error

    def newest(
        self, service: str, conditions: Sequence[Condition], first_ms: int, last_ms: int, limit: int
    ) -> list[Trace]:
        """Return traces of a service; the server looks for the operation, and for tags that are text."""
        if tags_of(conditions):
            try:
                found = self._older.newest(service, conditions, first_ms, last_ms, limit)
                return [self.get(trace[0].trace_id) for trace in found]
            except DeliveryError as error:
                if error.status != 500 or TOO_DEEP in str(error):
                    raise  # else a trace among them is one that it cannot write
        asked: dict[str, str | int] = {
            "query.service_name": service,
            "query.start_time_min": _moment(first_ms, 0),
            "query.start_time_max": _moment(last_ms, 999_999),
            "query.num_traces": limit,
            "query.raw_traces": "true",
        }
        name = _name_of(conditions)
        if name:
            asked["query.operation_name"] = name
        traces: dict[bytes, Trace] = {}
        for span in self._spans("/api/v3/traces", asked):
            traces.setdefault(span.trace_id, []).append(span)
        return list(traces.values())

    def _spans(self, path: str, asked: Mapping[str, str | int]) -> Trace:
        document = self._server.get(path, {**asked}, missing=b'"httpCode":404')
        if document is None:
            return []
        try:
            return kept([jaeger_otlp.decode(document, self._take_apart)], self._server.shown_url)[0]
        except ValueError as error:
            raise _foreign(self._server, error) from error


class _Services(msgspec.Struct):
    services: list[str] = []


def choose_api(server: HttpReader, take_apart: TakeApart) -> JaegerApi:
    """Return the API that loses least of those that a Jaeger has. Raises what asking it raises, but for "there is no such path"."""
    older = JaegerApi1(server, take_apart)
    newer = JaegerApi3(server, take_apart, older)
    try:
        newer.services()
    except Misconfigured as error:
        if error.status in {401, 403}:
            raise
        return older  # which will say what is wrong, if it is no Jaeger at all
    return newer


def tags_of(conditions: Sequence[Condition]) -> dict[str, str]:
    """Return what both Jaegers can look for in all tags of a span."""
    return {
        c.key: c.value for c in conditions if c.field == "attribute" and c.operator == "=" and isinstance(c.value, str)
    }


def _name_of(conditions: Sequence[Condition]) -> str:
    return next((str(c.value) for c in conditions if c.field == "name" and c.operator == "="), "")


def _moment(ms: int, more_ns: int) -> str:
    """Return an instant as RFC 3339 has it, to the nanosecond."""
    whole, rest = divmod(ms, 1000)
    day = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=whole)
    return f"{day:%Y-%m-%dT%H:%M:%S}.{rest:03d}{more_ns:06d}Z"


def _foreign(server: HttpReader, error: Exception) -> Misconfigured:
    return Misconfigured(f"{server.shown_url}: {error}; is query_endpoint a Jaeger?")
