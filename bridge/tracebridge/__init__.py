"""Tracebridge: your traces, with your IDs, into the tracing systems you already run."""

from tracebridge.accounts import AdapterStats, Stats
from tracebridge.client import Client
from tracebridge.deadletters import DeadLetter
from tracebridge.entities import Link, SpanEvent, SpanStatus, SpanStatusCode, SpanType, TraceState
from tracebridge.errors import (
    ConfigError,
    DuplicateTraceError,
    InvalidParameterError,
    NoReaderError,
    TracebridgeError,
    TraceFinishedError,
    TraceNotFoundError,
)
from tracebridge.ids.parent import RemoteParent
from tracebridge.managers import TraceStack
from tracebridge.record import EndCause, Kind, SpanRecord, StatusCode
from tracebridge.settings.model import Settings
from tracebridge.span import Span
from tracebridge.trace import FinishedSpan, PagedList, Trace, TraceData, TraceInfo

__all__ = [
    "AdapterStats",
    "Client",
    "ConfigError",
    "DeadLetter",
    "DuplicateTraceError",
    "EndCause",
    "FinishedSpan",
    "InvalidParameterError",
    "Kind",
    "Link",
    "NoReaderError",
    "PagedList",
    "RemoteParent",
    "Settings",
    "Span",
    "SpanEvent",
    "SpanRecord",
    "SpanStatus",
    "SpanStatusCode",
    "SpanType",
    "Stats",
    "StatusCode",
    "Trace",
    "TraceData",
    "TraceFinishedError",
    "TraceInfo",
    "TraceNotFoundError",
    "TraceStack",
    "TraceState",
    "TracebridgeError",
]
