"""Tracebridge: your traces, with your IDs, into the tracing systems you already run.

The names are imported when they are first used, so that a command or a settings file does not pay for the client.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tracebridge.moved import Moved
from tracebridge.supported import check

if TYPE_CHECKING:
    from tracebridge.calls.managers import TraceStack as TraceStack
    from tracebridge.client import Client as Client
    from tracebridge.delivery.deadletters.letters import DeadLetter as DeadLetter
    from tracebridge.errors import ClosedError as ClosedError
    from tracebridge.errors import ConfigError as ConfigError
    from tracebridge.errors import DuplicateSpanError as DuplicateSpanError
    from tracebridge.errors import DuplicateTraceError as DuplicateTraceError
    from tracebridge.errors import InvalidParameterError as InvalidParameterError
    from tracebridge.errors import NoReaderError as NoReaderError
    from tracebridge.errors import ReadError as ReadError
    from tracebridge.errors import TracebridgeError as TracebridgeError
    from tracebridge.errors import TraceFinishedError as TraceFinishedError
    from tracebridge.errors import TraceNotFoundError as TraceNotFoundError
    from tracebridge.ids.custom import SpanId as SpanId
    from tracebridge.ids.custom import TraceId as TraceId
    from tracebridge.journal.accounts import AdapterStats as AdapterStats
    from tracebridge.journal.accounts import Stats as Stats
    from tracebridge.propagation.context import RemoteParent as RemoteParent
    from tracebridge.reading.finished import FinishedSpan as FinishedSpan
    from tracebridge.reading.trace import PagedList as PagedList
    from tracebridge.reading.trace import Trace as Trace
    from tracebridge.reading.trace import TraceData as TraceData
    from tracebridge.reading.trace import TraceInfo as TraceInfo
    from tracebridge.records.entities import Link as Link
    from tracebridge.records.entities import SpanEvent as SpanEvent
    from tracebridge.records.entities import SpanStatus as SpanStatus
    from tracebridge.records.entities import SpanStatusCode as SpanStatusCode
    from tracebridge.records.entities import SpanType as SpanType
    from tracebridge.records.entities import TraceState as TraceState
    from tracebridge.records.mlflow_span import SpanLogLevel as SpanLogLevel
    from tracebridge.records.record import EndCause as EndCause
    from tracebridge.records.record import Kind as Kind
    from tracebridge.records.record import SpanRecord as SpanRecord
    from tracebridge.records.record import StatusCode as StatusCode
    from tracebridge.settings.config import Config as Config
    from tracebridge.settings.model import Settings as Settings
    from tracebridge.spans.span import Span as Span

_HOMES = {
    "journal.accounts": "AdapterStats Stats",
    "calls.managers": "TraceStack",
    "client": "Client",
    "delivery.deadletters.letters": "DeadLetter",
    "records.entities": "Link SpanEvent SpanStatus SpanStatusCode SpanType TraceState",
    "errors": "ClosedError ConfigError DuplicateSpanError DuplicateTraceError InvalidParameterError NoReaderError ReadError TracebridgeError TraceFinishedError "
    "TraceNotFoundError",
    "ids.custom": "SpanId TraceId",
    "propagation.context": "RemoteParent",
    "records.mlflow_span": "SpanLogLevel",
    "records.record": "EndCause Kind SpanRecord StatusCode",
    "settings.config": "Config",
    "settings.model": "Settings",
    "spans.span": "Span",
    "reading.finished": "FinishedSpan",
    "reading.trace": "PagedList Trace TraceData TraceInfo",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

check()
sys.meta_path.append(Moved)  # an old path says where its module is now

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - a test holds the list and the imports above together


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
