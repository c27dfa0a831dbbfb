"""The small values that applications pass in and get back, under MLflow's names."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

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
    except Exception:  # an object that will not even be asked
        return None


_CODES = {"UNSET": StatusCode.UNSET, "OK": StatusCode.OK, "ERROR": StatusCode.ERROR} | {
    f"STATUS_CODE_{code.name}": code for code in StatusCode
}


def span_as_dict(span: Any) -> dict[str, Any]:
    """Return a span, live or finished, as plain values: IDs as hex, times in nanoseconds."""
    status: SpanStatus = span.status
    events: list[SpanEvent] = span.events
    links: list[Link] = span.links
    return {
        "trace_id": span.trace_id,
        "wire_trace_id": span.wire_trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_id,
        "name": span.name,
        "span_type": span.span_type,
        "kind": Kind(span.kind).name,
        "start_time_unix_nano": span.start_time_ns,
        "end_time_unix_nano": span.end_time_ns,
        "status": {"code": status.status_code.value, "message": status.description},
        "inputs": span.inputs,
        "outputs": span.outputs,
        "attributes": span.attributes,
        "events": [{"name": e.name, "time_unix_nano": e.timestamp, "attributes": e.attributes} for e in events],
        "links": [link.to_dict() for link in links],
    }
