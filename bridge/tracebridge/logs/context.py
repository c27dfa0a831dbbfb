"""The application's other log lines: the IDs of the current span on each of them.

`add_trace_context` is a structlog processor, `TraceContextFilter` the same for the standard library; `TraceContext(profile)` spells the
names as the span lines of that profile do. What is stamped is the innermost current span, ours or OpenTelemetry's.
Nothing of OpenTelemetry is imported: where the process has not imported it, it has no current span.

structlog is not imported either: a processor is a plain callable.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, NamedTuple

from tracebridge.otel.lazy import OTEL, integration
from tracebridge.otel.stranger import Stranger
from tracebridge.records.record import Resource
from tracebridge.spans.context import innermost_span
from tracebridge.spans.span import Span

Profile = Literal["otel", "ecs", "datadog", "gcp"]

_modules = sys.modules
_NOTHING: Mapping[str, Any] = {}


class Current(NamedTuple):
    """The span that a log line belongs to."""

    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    flags: int
    """W3C trace flags."""
    custom_trace_id: str | None
    """The caller's own trace ID, where one was given."""
    resource: Resource
    """What produces the spans; empty when that is not known."""


def _described(span: Span) -> Current:
    trace, origin = span._trace, span._origin
    flags = trace.flags if origin is None else origin.flags
    return Current(trace.hex_id, span._span_id, flags, trace.custom_id, span._calls._parts.resource)


def _of_stranger(found: Stranger, around: Span | None) -> Current:
    """Describe a span of OpenTelemetry's, which has the custom ID of the span of ours around it when it is in the same trace."""
    custom_id = around._trace.custom_id if around is not None and around._trace.hex_id == found.trace_id else None
    return Current(found.trace_id, found.span_id, found.flags, custom_id, Resource(found.resource))


# ---------------------------------------------------------------------- spelling


def _otel(span: Current, _: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "trace_flags": f"{span.flags & 0xFF:02x}",
    }
    return _named(out, span, "custom_trace_id", "service")


def _ecs(span: Current, _: str) -> dict[str, Any]:
    out: dict[str, Any] = {"trace.id": span.trace_id, "span.id": span.span_id}
    return _named(out, span, "spanlog.custom_trace_id", "service.name")


def _datadog(span: Current, _: str) -> dict[str, Any]:
    out = _otel(span, "")
    out["dd.trace_id"] = str(int(span.trace_id[16:], 16))
    out["dd.span_id"] = str(int(span.span_id, 16))
    attributes = span.resource.attributes
    for name, value in (
        ("dd.service", attributes.get("service.name")),
        ("dd.env", attributes.get("deployment.environment.name") or attributes.get("deployment.environment")),
        ("dd.version", attributes.get("service.version")),
    ):
        if value:
            out[name] = str(value)
    return out


def _gcp(span: Current, project: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{span.trace_id}" if project else span.trace_id,
        "logging.googleapis.com/spanId": span.span_id,
        "logging.googleapis.com/trace_sampled": bool(span.flags & 1),
    }
    return _named(out, span, "custom_trace_id", "service")


def _named(out: dict[str, Any], span: Current, custom_id: str, service: str) -> dict[str, Any]:
    if span.custom_trace_id is not None:
        out[custom_id] = span.custom_trace_id
    name = span.resource.attributes.get("service.name")
    if name:
        out[service] = name
    return out


_SPELLINGS: Mapping[str, Callable[[Current, str], dict[str, Any]]] = {
    "otel": _otel,
    "ecs": _ecs,
    "datadog": _datadog,
    "gcp": _gcp,
}


class _Last(threading.local):
    """What a thread stamped last: consecutive lines mostly belong to one span."""

    span_id = ""
    fields: Mapping[str, Any] = {}


class TraceContext:
    """A structlog processor: adds the current span's IDs to the event, under the names of a profile.

    Keys that are there already stay as they are; nothing is added when no span is current. `project` is the Google Cloud
    project that the profile `gcp` names. Raises ValueError for an unknown profile.
    """

    def __init__(self, profile: Profile = "otel", *, project: str = "") -> None:
        if profile not in _SPELLINGS:
            raise ValueError(f"{profile!r} is not a profile: use one of {', '.join(_SPELLINGS)}")
        self._spell, self._project = _SPELLINGS[profile], project
        self._last = _Last()

    def __call__(
        self,
        logger: Any,  # noqa: ARG002 - structlog's signature, this and the next
        method_name: str,  # noqa: ARG002
        event_dict: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        """Return the event with the IDs of the current span."""
        for key, value in self.fields().items():
            event_dict.setdefault(key, value)
        return event_dict

    def fields(self) -> Mapping[str, Any]:
        """Return what is added just now, to be read only; empty when no span is current."""
        span = innermost_span()
        if OTEL in _modules and (loaded := integration()) is not None:
            found = loaded.nearest_of(span)
            if isinstance(found, Stranger):
                return self._spell(_of_stranger(found, span), self._project)
            span = found
        if span is None:
            return _NOTHING
        last = self._last
        if last.span_id is not span._span_id:  # the very string: no two spans share one
            last.span_id, last.fields = span._span_id, self._spell(_described(span), self._project)
        return last.fields


add_trace_context = TraceContext()
"""The structlog processor for most: trace_id, span_id, trace_flags, custom_trace_id, service."""


class TraceContextFilter(logging.Filter):
    """The same for the standard library: puts the current span's IDs on the record as attributes, and lets every record pass.

    Add it to handlers, whose filters see the records of every logger (a logger's filter sees only its own); to a QueueHandler, not to what
    its listener feeds, because there the span is not current any more. Arguments as for `TraceContext`.
    """

    def __init__(self, profile: Profile = "otel", *, project: str = "") -> None:
        super().__init__()
        self._context = TraceContext(profile, project=project)

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes; return True."""
        for key, value in self._context.fields().items():
            record.__dict__.setdefault(key, value)
        return True
