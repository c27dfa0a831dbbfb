"""The small values that applications pass in and get back, under MLflow's names."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.record import Kind, StatusCode


class SpanType:
    """MLflow's predefined span types; any other string is allowed."""

    LLM = "LLM"
    CHAIN = "CHAIN"
    AGENT = "AGENT"
    TOOL = "TOOL"
    CHAT_MODEL = "CHAT_MODEL"
    RETRIEVER = "RETRIEVER"
    PARSER = "PARSER"
    EMBEDDING = "EMBEDDING"
    RERANKER = "RERANKER"
    MEMORY = "MEMORY"
    UNKNOWN = "UNKNOWN"
    WORKFLOW = "WORKFLOW"
    TASK = "TASK"
    GUARDRAIL = "GUARDRAIL"
    EVALUATOR = "EVALUATOR"


class SpanStatusCode(StrEnum):
    """A span's status as text."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


@dataclass
class SpanStatus:
    """A status and, for ERROR, its description. The code may be given as text."""

    status_code: SpanStatusCode
    description: str = ""

    def __post_init__(self) -> None:
        """Accept `"OK"` for SpanStatusCode.OK; raises ValueError for any other text."""
        self.status_code = SpanStatusCode(self.status_code)


@dataclass
class SpanEvent:
    """Something that happened within a span. `timestamp` is Unix nanoseconds, default now."""

    name: str
    timestamp: int = field(default_factory=time.time_ns)
    attributes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_exception(cls, exception: BaseException) -> SpanEvent:
        """Return the event that tells of an exception, by OpenTelemetry's names; one that cannot be shown is named by its type."""
        kind = type(exception).__name__
        try:
            message = str(exception)
        except BaseException as error:
            raise_interrupt(error)
            message = f"<{kind}>"
        told = {"exception.message": message, "exception.type": kind, "exception.stacktrace": stack_trace(exception)}
        return cls("exception", attributes=told)


MAX_STACKTRACE = 16_384  # characters kept of an exception's stack trace


def stack_trace(error: Any) -> str:
    """Return an exception's stack trace, its end where it is long."""
    try:
        text = "".join(traceback.format_exception(error)).strip()
    except BaseException as raised:  # a broken __str__ or __cause__ chain
        raise_interrupt(raised)
        return f"<{type(error).__name__}: no stack trace>"
    return text if len(text) <= MAX_STACKTRACE else "…" + text[-MAX_STACKTRACE:]


@dataclass
class Link:
    """A reference to another span: its trace ID in any form that `start_trace` takes, its span ID as 16 hex digits."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] | None = None
    trace_state: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form."""
        return {"trace_id": self.trace_id, "span_id": self.span_id, "attributes": self.attributes}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Link:
        """Return the link that MLflow's JSON form says."""
        return cls(data["trace_id"], data["span_id"], data.get("attributes"))


class TraceState(StrEnum):
    """The state of a trace."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"


def read_status(status: Any) -> tuple[StatusCode, str] | None:
    """Return (code, description) for anything that means a status, or None for what does not.

    Takes "OK" and its like in any case, SpanStatusCode, SpanStatus, StatusCode, and MLflow's and OpenTelemetry's
    look-alikes (an enum whose name, or an object whose `status_code`, says it).
    """
    kind = type(status)
    if kind is str:
        code = _CODES.get(status.upper())
        return None if code is None else (code, "")
    if kind is StatusCode:
        return status, ""
    try:
        inner = getattr(status, "status_code", None)
        if inner is not None:
            found = read_status(inner)
            described = getattr(status, "description", "") or ""
            return None if found is None else (found[0], described if isinstance(described, str) else "")
        if issubclass(kind, Enum):
            return read_status(status.name)
        return read_status(str.__str__(status)) if issubclass(kind, str) else None
    except BaseException as error:  # an object that will not even be asked
        raise_interrupt(error)
        return None


def read_kind(kind: Any) -> int | None:
    """Return the number of the `Kind` that something means, or None for what means none.

    Takes a name in any case, with OTLP's prefix `SPAN_KIND_` or without; a member of any enumeration by its name, because each library
    counts from another number (OpenTelemetry's `SpanKind`, py_zipkin's `Kind`); OTLP's numbers; and None, which is INTERNAL.

    >>> read_kind("client"), read_kind("SPAN_KIND_SERVER"), read_kind(5), read_kind(None), read_kind(6)
    (3, 2, 5, 1, None)
    """
    given = type(kind)
    if kind is None:
        return int(Kind.INTERNAL)
    try:
        if issubclass(given, Enum):
            return read_kind(str.__str__(kind.name))
        if issubclass(given, str):
            return _KINDS.get(str.__str__(kind).upper().removeprefix("SPAN_KIND_"))
    except BaseException as error:  # an object that will not even be asked
        raise_interrupt(error)
        return None
    number = int.__int__(kind) if issubclass(given, int) and given is not bool else -1
    return number if 0 <= number <= max(Kind) else None


_KINDS = {kind.name: int(kind) for kind in Kind} | {"LOCAL": int(Kind.INTERNAL)}  # py_zipkin's name for it
_CODES = {"UNSET": StatusCode.UNSET, "OK": StatusCode.OK, "ERROR": StatusCode.ERROR} | {
    f"STATUS_CODE_{code.name}": code for code in StatusCode
}
