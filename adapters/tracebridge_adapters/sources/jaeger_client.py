"""Spans of jaeger-client (4.8): a reporter to hand to its `Tracer`.

    tracer = jaeger_client.Tracer("shop", client.source("jaeger-client"), jaeger_client.ConstSampler(True))

Scope manager, propagation, sampling and baggage stay jaeger-client's own. What its Thrift batch would have said is what the record
says: the same IDs, the same microseconds, the same typed tags. OpenTracing's own names for kind and error (`span.kind`, `error`) become the span's
kind and status; references become the parent and links, which keep their type as `opentracing.ref_type` (the name that OpenTelemetry's semantic
conventions give it).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterable
from typing import Any

from tracebridge.errors import ConfigError
from tracebridge.plugins.source import Intake
from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode
from tracebridge_adapters.sources.ids import id_bytes

try:
    from jaeger_client.reporter import BaseReporter
except ImportError as error:
    raise ConfigError(
        f"the source \"jaeger-client\" needs jaeger-client and six ({error}): pip install 'tracebridge[jaeger-client]'"
    ) from error

REF_TYPE = "opentracing.ref_type"
CHILD_OF, FOLLOWS_FROM = "child_of", "follows_from"
_SAMPLED, _DEBUG = 1, 2  # jaeger-client's flags
_KINDS = {
    "client": int(Kind.CLIENT),
    "server": int(Kind.SERVER),
    "producer": int(Kind.PRODUCER),
    "consumer": int(Kind.CONSUMER),
}
_TAG_FIELDS = ("vStr", "vDouble", "vBool", "vLong", "vBinary")  # by Thrift's TagType
_NO_SCOPE = Scope("")
_MICROSECOND = 1000


class JaegerClientSource(BaseReporter):
    """A reporter; one for each `Tracer`, because a tracer tells its reporter who it is."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._resource: Resource | None = None

    def set_process(self, service_name: str, tags: Any, max_length: int) -> None:
        """Learn the service and its process tags, which become the resource. Called by the tracer as it is built."""
        try:
            attributes = {str(key): _process_value(value, max_length) for key, value in (tags or {}).items()}
            self._resource = Resource({"service.name": str(service_name), **attributes})
        except Exception:
            self._intake.reject("unreadable process tags", tags)
            self._resource = Resource({"service.name": str(service_name)})

    def report_span(self, span: Any) -> None:
        """Take one finished span, in the thread that finished it."""
        try:
            record = _record(span, self._resource)
        except Exception:
            self._intake.reject("not a jaeger-client span", span)
        else:
            self._intake.ingest(record)

    def close(self) -> Any:
        """Return a future that is done: every reported span is with the client already, which delivers it.

        A tornado (asyncio) future where a loop is running, as jaeger-client's own; elsewhere one that needs no loop.
        """
        future: Any
        try:
            future = asyncio.get_running_loop().create_future()
        except RuntimeError:
            future = concurrent.futures.Future()
        future.set_result(True)
        return future


def _record(span: Any, resource: Resource | None) -> SpanRecord:
    context = span.context
    unreadable: list[Any] = []
    attributes = _tags(span.tags, unreadable)
    kind, status, message = _taken_apart(attributes)
    start_us, duration_us = _microseconds(span.start_time), 0
    if start_us is not None and span.end_time is not None:
        duration_us = _microseconds(span.end_time - span.start_time) or 0
    elif span.end_time is None:
        unreadable.append(span)  # reported before it was finished
    flags = context.flags or 0
    trace_id, parent_id = id_bytes(context.trace_id, 16), context.parent_id
    parent = id_bytes(parent_id, 8) if parent_id else None
    return SpanRecord(
        trace_id=trace_id,
        span_id=id_bytes(context.span_id, 8),
        parent_id=parent,
        name=span.operation_name,
        start_time_ns=-1 if start_us is None else start_us * _MICROSECOND,
        end_time_ns=-1 if start_us is None else (start_us + duration_us) * _MICROSECOND,
        kind=kind,
        status=status,
        status_message=message,
        attributes=attributes,
        events=tuple([_event(log, unreadable) for log in span.logs]),
        links=tuple(_links(span.references, trace_id, parent)) if span.references else (),
        flags=flags & _SAMPLED,
        debug=bool(flags & _DEBUG),
        repaired=len(unreadable),
        scope=_NO_SCOPE,
        resource=resource,
    )


def _microseconds(seconds: Any) -> int | None:
    """Return what jaeger-client's own Thrift says of a time: whole microseconds, as many as a float holds; None for what is not a time."""
    try:
        return int(seconds * 1_000_000)
    except (TypeError, ValueError, OverflowError):  # NaN and infinity among them
        return None


def _tags(tags: Iterable[Any], unreadable: list[Any]) -> dict[str, Any]:
    """Return Thrift tags as attributes; of two with one key the last counts, as OpenTracing asks."""
    try:
        return {tag.key: getattr(tag, _TAG_FIELDS[tag.vType]) for tag in tags}
    except (AttributeError, IndexError, TypeError):
        return dict(_odd_tag(tag, unreadable) for tag in tags)


def _odd_tag(tag: Any, unreadable: list[Any]) -> tuple[str, Any]:
    """Return one tag as well as it can be read: its value by its type, else whichever value it has, else its own text."""
    try:
        return tag.key, getattr(tag, _TAG_FIELDS[tag.vType])
    except (AttributeError, IndexError, TypeError):
        unreadable.append(tag)
    values = [value for name in _TAG_FIELDS if (value := getattr(tag, name, None)) is not None]
    return str(getattr(tag, "key", "unreadable")), values[0] if values else tag


def _taken_apart(attributes: dict[str, Any]) -> tuple[int, int, str]:
    """Take kind and error out of the attributes; return (kind, status, message)."""
    kind = _KINDS.get(str(attributes.get("span.kind")), int(Kind.UNSPECIFIED))
    if kind:
        del attributes["span.kind"]
    error = attributes.get("error")
    if error is None or error is False or (isinstance(error, str) and error.lower() in {"", "false"}):
        return kind, int(StatusCode.UNSET), ""
    del attributes["error"]
    message = error if isinstance(error, str) and error.lower() != "true" else ""
    return kind, int(StatusCode.ERROR), message


def _event(log: Any, unreadable: list[Any]) -> Event:
    """Return a log as an event: the field `event` names it when it is text."""
    fields = _tags(log.fields, unreadable)
    name = fields.pop("event") if isinstance(fields.get("event"), str) else ""
    return Event(name, log.timestamp * _MICROSECOND, fields)


def _links(references: Any, trace_id: bytes, parent_id: bytes | None) -> list[Link]:
    """Return what is referred to besides the parent; the parent too when it is followed, not waited for."""
    links = []
    for reference in references:
        context = reference.referenced_context
        follows = str(reference.type).rpartition(".")[2].lower() == FOLLOWS_FROM
        link = Link(
            id_bytes(context.trace_id, 16),
            id_bytes(context.span_id, 8),
            attributes={REF_TYPE: FOLLOWS_FROM if follows else CHILD_OF},
        )
        if follows or (link.trace_id, link.span_id) != (trace_id, parent_id):
            links.append(link)
    return links


def _process_value(value: Any, max_length: int) -> Any:
    """Return a process tag as jaeger-client types it: bool, int and float as they are, the rest as text of at most so many characters."""
    return value if isinstance(value, (bool, int, float)) else str(value)[:max_length]
