"""Attribute dialects: under which names a destination shows what MLflow calls inputs, outputs and span type.

A record keeps the user's attributes and what tracebridge itself has to say apart; here they become the one mapping that wires
carry, and (`absorb`) come apart again when a destination is read back. User attributes are never renamed or overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tracebridge.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.record import EndCause, SpanRecord, Value

Dialect = Literal["openinference", "mlflow", "genai"]

SCHEME_SUFFIX = ".scheme"
SPAN_TYPE = "tracebridge.span_type"
END_CAUSE = "tracebridge.end_cause"
OPENED_AT = "tracebridge.opened_at"
END_BEFORE_START = "tracebridge.end_before_start"
COUNTS = {"truncated": "tracebridge.truncated", "redacted": "tracebridge.redacted", "repaired": "tracebridge.repaired"}
JSON_MIME, TEXT_MIME = "application/json", "text/plain"

OPENINFERENCE_KINDS = {
    "LLM": "LLM",
    "CHAT_MODEL": "LLM",
    "CHAIN": "CHAIN",
    "WORKFLOW": "CHAIN",
    "TASK": "CHAIN",
    "AGENT": "AGENT",
    "TOOL": "TOOL",
    "RETRIEVER": "RETRIEVER",
    "EMBEDDING": "EMBEDDING",
    "RERANKER": "RERANKER",
    "GUARDRAIL": "GUARDRAIL",
    "EVALUATOR": "EVALUATOR",
}
GENAI_OPERATIONS = {
    "LLM": "text_completion",
    "CHAT_MODEL": "chat",
    "AGENT": "invoke_agent",
    "TOOL": "execute_tool",
    "EMBEDDING": "embeddings",
}


def attributes_of(record: SpanRecord, dialect: Dialect, trace_id_attribute: str) -> dict[str, Value]:
    """Return everything that a destination shows as attributes of this span.

    The record's own mapping is returned when there is nothing to add; otherwise a new one.
    """
    if (
        record.inputs is None
        and record.outputs is None
        and record.custom_trace_id is None
        and record.span_type == "UNKNOWN"
        and record.end_cause == "finished"
        and not (record.tags or record.truncated or record.redacted or record.repaired)
        and record.end_time_ns >= record.start_time_ns
    ):
        return record.attributes
    added: dict[str, Value] = {}
    if record.custom_trace_id is not None:
        added[trace_id_attribute] = record.custom_trace_id
        if record.id_scheme is not None:
            added[trace_id_attribute + SCHEME_SUFFIX] = record.id_scheme
    _PAYLOADS[dialect](record, added)
    if record.end_cause != EndCause.FINISHED:
        added[END_CAUSE] = record.end_cause
        if record.opened_at:
            added[OPENED_AT] = record.opened_at
    for field, key in COUNTS.items():
        count = getattr(record, field)
        if count:
            added[key] = count
    if record.end_before_start:
        added[END_BEFORE_START] = True
    for key, value in record.tags.items():
        added[key if key not in record.attributes and key not in added else f"tag.{key}"] = value
    added.update(record.attributes)
    return added


def _openinference(record: SpanRecord, added: dict[str, Value]) -> None:
    if record.span_type != "UNKNOWN":
        kind = OPENINFERENCE_KINDS.get(record.span_type)
        if kind is not None:
            added["openinference.span.kind"] = kind
        added[SPAN_TYPE] = record.span_type
    for name, value in (("input", record.inputs), ("output", record.outputs)):
        if value is not None:
            added[f"{name}.value"] = value if isinstance(value, str) else as_json(value)
            added[f"{name}.mime_type"] = TEXT_MIME if isinstance(value, str) else JSON_MIME


def _mlflow(record: SpanRecord, added: dict[str, Value]) -> None:
    """MLflow keeps JSON text under these names, strings quoted too."""
    added["mlflow.spanType"] = as_json(record.span_type)
    for name, value in (("mlflow.spanInputs", record.inputs), ("mlflow.spanOutputs", record.outputs)):
        if value is not None:
            added[name] = as_json(value)


def _genai(record: SpanRecord, added: dict[str, Value]) -> None:
    """OpenTelemetry's GenAI conventions name operations; payloads stay under the OpenInference names."""
    _openinference(record, added)
    operation = GENAI_OPERATIONS.get(record.span_type)
    if operation is not None:
        added["gen_ai.operation.name"] = operation


_PAYLOADS = {"openinference": _openinference, "mlflow": _mlflow, "genai": _genai}


def absorb(attributes: Mapping[str, Value], trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> dict[str, Any]:
    """Return SpanRecord field values for a mapping that `attributes_of` made (openinference or mlflow dialect).

    Values that came through a destination that knows only text are understood too. Tags cannot be told from attributes and
    stay among them.
    """
    rest = dict(attributes)
    fields: dict[str, Any] = {}
    custom = rest.pop(trace_id_attribute, None)
    if isinstance(custom, str):
        fields["custom_trace_id"] = custom
    scheme = rest.pop(trace_id_attribute + SCHEME_SUFFIX, None)
    if isinstance(scheme, str):
        fields["id_scheme"] = scheme
    for name, mlflow_name, field in (
        ("input", "mlflow.spanInputs", "inputs"),
        ("output", "mlflow.spanOutputs", "outputs"),
    ):
        mime = rest.pop(f"{name}.mime_type", None)
        if mime in {JSON_MIME, TEXT_MIME} and f"{name}.value" in rest:
            text = rest.pop(f"{name}.value")
            fields[field] = from_json(text) if mime == JSON_MIME else text
        elif mlflow_name in rest:
            fields[field] = from_json(rest.pop(mlflow_name))
        if mime is not None and field not in fields:
            rest[f"{name}.mime_type"] = mime
    if "mlflow.spanType" in rest:
        fields["span_type"] = str(from_json(rest.pop("mlflow.spanType")))
    if isinstance(rest.get(SPAN_TYPE), str):
        fields["span_type"] = rest.pop(SPAN_TYPE)
        for key in ("openinference.span.kind", "gen_ai.operation.name"):
            rest.pop(key, None)
    for key, field in ((END_CAUSE, "end_cause"), (OPENED_AT, "opened_at")):
        if isinstance(rest.get(key), str):
            fields[field] = rest.pop(key)
    for field, key in COUNTS.items():
        if key in rest and str(rest[key]).isdigit():
            fields[field] = int(str(rest.pop(key)))
    rest.pop(END_BEFORE_START, None)
    fields["attributes"] = rest
    return fields


def as_json(value: Value) -> str:
    """Return a value as JSON text; bytes as base64, NaN and infinities as null."""
    return msgspec.json.encode(value).decode()


def from_json(text: Value) -> Value:
    """Return what JSON text says, or the text itself when it is none."""
    if not isinstance(text, (str, bytes)):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
