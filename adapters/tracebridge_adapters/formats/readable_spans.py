"""SpanRecords as the OpenTelemetry SDK's `ReadableSpan`s: what its exporters take. Needs `pip install 'tracebridge[opentelemetry]'`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as SdkLink
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord, Value
from tracebridge.records.record import StatusCode as Code
from tracebridge_adapters.dialects import json_safe

AttributesOf = Callable[[SpanRecord], dict[str, Value]]
OWN_SCOPE = Scope()
_LINK_IS_REMOTE = 0x200  # OTLP's flag
_KINDS = [SpanKind.INTERNAL, *SpanKind]  # by the wire's number; the SDK has no "unspecified"
_key = msgspec.msgpack.Encoder().encode  # 1, 1.0 and True are different there, as in OTLP


class RecordSpan(ReadableSpan):
    """A finished span that says how much of it was dropped."""

    def __init__(self, record: SpanRecord, **fields: Any) -> None:
        super().__init__(**fields)
        self._record = record

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were over the limit."""
        return self._record.dropped_attributes

    @property
    def dropped_events(self) -> int:
        """How many events were over the limit."""
        return self._record.dropped_events

    @property
    def dropped_links(self) -> int:
        """How many links were over the limit."""
        return self._record.dropped_links


class _Event(SdkEvent):
    def __init__(self, event: Event) -> None:
        super().__init__(event.name, attributes_of_sdk(event.attributes), event.time_ns)
        self._dropped = event.dropped_attributes

    @property
    def dropped_attributes(self) -> int:
        return self._dropped


class _Link(SdkLink):
    def __init__(self, link: Link) -> None:
        remote = bool(link.flags & _LINK_IS_REMOTE)
        context = _context(link.trace_id, link.span_id, link.flags or 1, link.trace_state, remote)
        super().__init__(context, attributes_of_sdk(link.attributes))
        self._dropped = link.dropped_attributes

    @property
    def dropped_attributes(self) -> int:
        return self._dropped


def readable_spans(records: Sequence[SpanRecord], attributes_of: AttributesOf) -> list[ReadableSpan]:
    """Return the records as the SDK has them; those of one resource share it. `attributes_of` gives what each span shows."""
    resources: dict[bytes, SdkResource] = {}
    scopes: dict[bytes, InstrumentationScope] = {}
    out: list[ReadableSpan] = []
    for record in records:
        resource, scope = record.resource or Resource(), record.scope or OWN_SCOPE
        resource_key, scope_key = _key(resource), _key(scope)
        if resource_key not in resources:
            resources[resource_key] = _resource(resource)
        if scope_key not in scopes:
            scopes[scope_key] = _scope(scope)
        shown = attributes_of_sdk(attributes_of(record))
        out.append(_span(record, shown, resources[resource_key], scopes[scope_key]))
    return out


def _span(
    record: SpanRecord, attributes: dict[str, Any], resource: SdkResource, scope: InstrumentationScope
) -> ReadableSpan:
    trace_id, state = record.trace_id, record.trace_state
    parent = record.parent_id
    return RecordSpan(
        record,
        name=record.name,
        context=_context(trace_id, record.span_id, record.flags, state, False),
        parent=None if parent is None else _context(trace_id, parent, record.flags, state, record.parent_is_remote),
        resource=resource,
        attributes=attributes,
        events=[_Event(event) for event in record.events],
        links=[_Link(link) for link in record.links],
        kind=_KINDS[record.kind],
        status=Status(
            StatusCode(record.status), (record.status_message or None) if record.status == Code.ERROR else None
        ),
        start_time=record.start_time_ns,
        end_time=max(record.start_time_ns, record.end_time_ns),
        instrumentation_scope=scope,
    )


def _context(trace_id: bytes, span_id: bytes, flags: int, state: str, is_remote: bool) -> SpanContext:
    return SpanContext(
        int.from_bytes(trace_id, "big"),
        int.from_bytes(span_id, "big"),
        is_remote,
        TraceFlags(flags & 0xFF),
        TraceState.from_header([state]) if state else TraceState(),
    )


def attributes_of_sdk(given: Mapping[str, Value]) -> dict[str, Any]:
    """Return attributes as the SDK holds them: sequences are tuples, nothing is None.

    NaN and infinities are text, as in our own OTLP: `otlp_protobuf._any_value` says why.
    """
    return {key: _sdk_value(value) for key, value in given.items() if value is not None}


def _sdk_value(value: Value) -> Any:
    if type(value) is list:
        return tuple(_sdk_value(item) for item in value)
    if type(value) is dict:
        return {key: _sdk_value(item) for key, item in value.items()}
    if type(value) is float and not isfinite(value):
        return json_safe(value)
    return value


def _resource(resource: Resource) -> SdkResource:
    attributes = {**resource.attributes, "service.name": resource.service_name}
    return SdkResource(attributes_of_sdk(attributes), resource.schema_url)


def _scope(scope: Scope) -> InstrumentationScope:
    attributes = attributes_of_sdk(scope.attributes)
    return InstrumentationScope(scope.name, scope.version, scope.schema_url, attributes)
