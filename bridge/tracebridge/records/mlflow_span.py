"""What MLflow's spans have beside OpenTelemetry's, and their JSON form (read in MLflow 3.18, `entities/span.py`).

In that form IDs are base64 and every attribute is JSON text of its own, inputs, outputs and type among them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any

from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.entities import Link, SpanEvent, SpanStatus
from tracebridge.records.record import Event, Kind, SpanRecord, StatusCode
from tracebridge.records.record import Link as LinkRecord

REQUEST_ID, TYPE = "mlflow.traceRequestId", "mlflow.spanType"
INPUTS, OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
DESCRIPTION, LOG_LEVEL = "mlflow.spanDescription", "mlflow.spanLogLevel"
MODEL, COST, USAGE = "mlflow.llm.model", "mlflow.llm.cost", "mlflow.chat.tokenUsage"


class SpanLogLevel(IntEnum):
    """How severe what a span tells is, with the numbers of MLflow's `SpanLogLevel` (and of `logging`)."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


def read_log_level(level: Any) -> SpanLogLevel | None:
    """Return the level that a name in any case, a number or a member of such an enumeration means; None for what means none.

    >>> read_log_level("warning"), read_log_level(40), read_log_level("loud")
    (<SpanLogLevel.WARNING: 30>, <SpanLogLevel.ERROR: 40>, None)
    """
    try:
        if isinstance(level, Enum):
            level = level.name
        if isinstance(level, str):
            return SpanLogLevel.__members__.get(level.strip().upper())
        return None if isinstance(level, bool) else SpanLogLevel(level)
    except BaseException as error:  # an object that will not even be asked
        raise_interrupt(error)
        return None


class MlflowMembers:
    """The members of MLflow's spans that are attributes of ours."""

    __slots__ = ()

    def get_attribute(self, key: str) -> Any:
        """Return one recorded attribute, or None."""
        raise NotImplementedError

    @property
    def description(self) -> str | None:
        """What `set_description` recorded; None when not set."""
        told: str | None = self.get_attribute(DESCRIPTION)
        return told

    @property
    def log_level(self) -> SpanLogLevel | None:
        """What `set_log_level` recorded; None when not set."""
        return read_log_level(self.get_attribute(LOG_LEVEL))

    @property
    def model_name(self) -> str | None:
        """The attribute `mlflow.llm.model`."""
        told: str | None = self.get_attribute(MODEL)
        return told

    @property
    def llm_cost(self) -> dict[str, float] | None:
        """The attribute `mlflow.llm.cost`: input_cost, output_cost and total_cost in US dollars."""
        told: dict[str, float] | None = self.get_attribute(COST)
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return the span as MLflow's JSON has it: IDs in base64, times in nanoseconds, each attribute as JSON text."""
        return span_as_dict(self)


# ---------------------------------------------------------------------- there


def span_as_dict(span: Any) -> dict[str, Any]:
    """Return a span, live or finished, as MLflow's JSON has it."""
    status: SpanStatus = span.status
    events: list[SpanEvent] = span.events
    links: list[Link] = span.links
    payloads = {INPUTS: span.inputs, OUTPUTS: span.outputs}
    attributes = {
        REQUEST_ID: span.trace_id,
        TYPE: span.span_type,
        **{key: value for key, value in payloads.items() if value is not None},
        **span.attributes,
    }
    return {
        "trace_id": _base64(span.wire_trace_id),
        "span_id": _base64(span.span_id),
        "parent_span_id": None if span.parent_id is None else _base64(span.parent_id),
        "name": span.name,
        "kind": f"SPAN_KIND_{Kind(span.kind).name}",
        "start_time_unix_nano": span.start_time_ns,
        "end_time_unix_nano": span.end_time_ns,
        "events": [{"name": e.name, "time_unix_nano": e.timestamp, "attributes": e.attributes} for e in events],
        "status": {"code": f"STATUS_CODE_{status.status_code.value}", "message": status.description},
        "attributes": {key: as_json(value) for key, value in attributes.items()},
        "links": [link.to_dict() for link in links],
    }


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Return a recorded value as JSON text, as Python's `json` writes it; bytes in base64."""
    return json.dumps(value, ensure_ascii=False, default=lambda given: base64.b64encode(given).decode(), indent=indent)


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


# ---------------------------------------------------------------------- and back


def record_of(given: Mapping[str, Any]) -> SpanRecord:
    """Return the record of a span in MLflow's JSON form. Raises ValueError, TypeError or KeyError for anything else."""
    attributes = {key: _value(text) for key, text in given["attributes"].items()}
    wire = _bytes(given["trace_id"], 16)
    shown = attributes.pop(REQUEST_ID, None)
    status = given.get("status") or {}
    code = StatusCode[str(status.get("code") or "STATUS_CODE_UNSET").removeprefix("STATUS_CODE_")]
    parent = given.get("parent_span_id")
    start_ns = int(given["start_time_unix_nano"])
    return SpanRecord(
        trace_id=wire,
        span_id=_bytes(given["span_id"], 8),
        parent_id=_bytes(parent, 8) if parent else None,
        name=str(given["name"]),
        start_time_ns=start_ns,
        end_time_ns=int(given.get("end_time_unix_nano") or start_ns),
        kind=int(Kind[str(given.get("kind") or "SPAN_KIND_INTERNAL").removeprefix("SPAN_KIND_")]),
        status=int(code),
        status_message=str(status.get("message") or ""),
        span_type=str(attributes.pop(TYPE, None) or "UNKNOWN"),
        inputs=attributes.pop(INPUTS, None),
        outputs=attributes.pop(OUTPUTS, None),
        attributes=attributes,
        events=tuple(
            Event(str(event["name"]), int(event["time_unix_nano"]), dict(event.get("attributes") or {}))
            for event in given.get("events") or ()
        ),
        links=tuple(map(_link, given.get("links") or ())),
        custom_trace_id=shown if isinstance(shown, str) and shown not in {wire.hex(), f"tr-{wire.hex()}"} else None,
    )


def _bytes(text: str, size: int) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if len(raw) != size:
        raise ValueError(f"{text!r} is not an ID of {size} bytes in base64")
    return raw


def _value(text: Any) -> Any:
    """Return what an attribute's text says; one that is not JSON is itself the value."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _link(given: Mapping[str, Any]) -> LinkRecord:
    trace_id = bytes.fromhex(str(given["trace_id"]).removeprefix("tr-"))
    return LinkRecord(trace_id, bytes.fromhex(given["span_id"]), "", dict(given.get("attributes") or {}))
