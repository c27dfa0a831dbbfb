"""Spans of the OpenTelemetry SDK: a span processor that is a span exporter as well.

    provider.add_span_processor(client.source("opentelemetry"))

The SDK's own objects are read through their public members only (opentelemetry-sdk 1.30 and newer); IDs, times, resource, scope, events,
links, dropped counts, flags, trace state, kind and status arrive as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracebridge.errors import ConfigError
from tracebridge.plugins.source import Intake
from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord
from tracebridge_adapters.sources.ids import id_bytes
from tracebridge_adapters.sources.remembered import Remembered

try:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
except ImportError as error:
    raise ConfigError("the source \"opentelemetry\" needs its SDK: pip install 'tracebridge[opentelemetry]'") from error

_NOT_A_SPAN = "not a readable span"
_KINDS = 1  # OpenTelemetry's Python enum starts at INTERNAL = 0, the wire's at UNSPECIFIED = 0
_MS = 1e-3


class OpenTelemetrySource(SpanProcessor, SpanExporter):
    """Hands every ended, sampled span on, in the thread that ended it.

    Give it to `TracerProvider.add_span_processor`; or, as an exporter, to a processor of the SDK's own.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._resources = Remembered(_resource)
        self._scopes = Remembered(_scope)

    def on_end(self, span: ReadableSpan) -> None:
        """Take one ended span; one that was only recorded, not sampled, stays within the process."""
        try:
            context = span.context
            if context is not None and not context.trace_flags & 1:
                return
            record = self._record(span)
        except Exception:
            self._intake.reject(_NOT_A_SPAN, span)
        else:
            self._intake.ingest(record)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take a batch of ended spans. Always SUCCESS: delivery is the client's business from here."""
        try:
            for span in spans:
                self.on_end(span)
        except Exception:
            self._intake.reject("not a batch of spans", spans)
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until every destination has what was ended before."""
        return self._intake.flush(timeout_millis * _MS)

    def shutdown(self) -> None:
        """Nothing to release: the client outlives the provider, and delivers at its own close or at exit."""

    def _record(self, span: ReadableSpan) -> SpanRecord:
        context, parent, status = span.context, span.parent, span.status
        events, links = span.events, span.links
        return SpanRecord(
            trace_id=id_bytes(context.trace_id, 16) if context is not None else b"",
            span_id=id_bytes(context.span_id, 8) if context is not None else b"",
            parent_id=None if parent is None else id_bytes(parent.span_id, 8),
            name=span.name,
            start_time_ns=span.start_time,  # type: ignore[arg-type] # a half-built span has none: repaired on ingest
            end_time_ns=span.end_time,  # type: ignore[arg-type] # the same
            kind=span.kind.value + _KINDS,
            status=status.status_code.value,
            attributes=_attributes(span.attributes),
            status_message=status.description or "",
            events=tuple([_event(event) for event in events]) if events else (),
            links=tuple([_link(link) for link in links]) if links else (),
            trace_state=_state(context),
            flags=context.trace_flags & 0xFF if context is not None else 1,
            parent_is_remote=parent is not None and parent.is_remote,
            dropped_attributes=span.dropped_attributes,
            dropped_events=span.dropped_events,
            dropped_links=span.dropped_links,
            scope=self._scopes.of(span.instrumentation_scope),
            resource=self._resources.of(span.resource),
        )


def _attributes(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy; sequences are tuples in the SDK and lists in a record."""
    if not given:
        return {}
    copy = getattr(given, "copy", None)
    taken: dict[str, Any] = dict(given) if copy is None else copy()  # the SDK's own copy is one step
    for key, value in taken.items():
        if type(value) is tuple:
            taken[key] = list(value)
    return taken


def _event(event: Any) -> Event:
    return Event(event.name, event.timestamp, _attributes(event.attributes), getattr(event, "dropped_attributes", 0))


def _link(link: Any) -> Link:
    context = link.context
    remote = 0x300 if context.is_remote else 0x100  # OTLP's flags: whether it is known, and whether it is remote
    return Link(
        id_bytes(context.trace_id, 16),
        id_bytes(context.span_id, 8),
        _state(context),
        _attributes(link.attributes),
        getattr(link, "dropped_attributes", 0),
        context.trace_flags & 0xFF | remote,
    )


def _state(context: Any) -> str:
    state = None if context is None else context.trace_state
    return state.to_header() if state else ""


def _resource(given: Any) -> Resource | None:
    return None if given is None else Resource(_attributes(given.attributes), given.schema_url or "")


def _scope(given: Any) -> Scope:
    if given is None:
        return Scope("")
    return Scope(given.name or "", given.version or "", _attributes(given.attributes), given.schema_url or "")
