"""Attribute dialects: under which names a destination shows what MLflow calls inputs, outputs and span type.

A record keeps the user's attributes and what tracebridge itself has to say apart; here they become the one mapping that wires
carry, and (`take_apart`) come apart again when a destination is read back. User attributes are never renamed or overwritten: where
one has a name that tracebridge needs itself, tracebridge's own value stands under `tracebridge.displaced.<name>` instead.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.records.record import EndCause, SpanRecord, Value
from tracebridge_adapters.options import Dialect

SCHEME_SUFFIX = ".scheme"
SPAN_ID = "tracebridge.span_id"
SPAN_TYPE = "tracebridge.span_type"
END_CAUSE = "tracebridge.end_cause"
OPENED_AT = "tracebridge.opened_at"
END_BEFORE_START, GIVEN_END = "tracebridge.end_before_start", "tracebridge.end_time_unix_nano"
COUNTS = {"truncated": "tracebridge.truncated", "redacted": "tracebridge.redacted", "repaired": "tracebridge.repaired"}
DISPLACED = "tracebridge.displaced."
JSON_MIME, TEXT_MIME = "application/json", "text/plain"
MLFLOW_TYPE, MLFLOW_TAG = "mlflow.spanType", "mlflow.traceTag."
MLFLOW_EXPERIMENT = "mlflow.experimentId"
_OUR_BEGINNINGS = ("tracebridge.", "mlflow.", "input.", "output.")  # how the names begin that `take_apart` knows
MAX_OTHERS, MAX_OTHER = 1_024, 128  # keys that it remembers as none of them, and characters of such a key
_others: defaultdict[str, set[str]] = defaultdict(set)
"""By the attribute of the caller's own trace ID: keys that were looked at before. To ask for each key how it begins takes five times as long."""

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
    custom = record.custom_trace_id
    if (
        record.inputs is None
        and record.outputs is None
        and record.id_scheme is None
        and record.custom_span_id is None
        and record.span_type == "UNKNOWN"
        and record.end_cause == "finished"
        and not (record.tags or record.truncated or record.redacted or record.repaired)
        and record.end_time_ns >= record.start_time_ns
        and dialect != "mlflow"
        and (custom is None or trace_id_attribute not in record.attributes)
    ):
        return record.attributes if custom is None else {trace_id_attribute: custom, **record.attributes}
    added: dict[str, Value] = {}
    if custom is not None:
        added[trace_id_attribute] = custom
        if record.id_scheme is not None:
            added[trace_id_attribute + SCHEME_SUFFIX] = record.id_scheme
    if record.custom_span_id is not None:
        added[SPAN_ID] = record.custom_span_id
        if record.span_id_scheme is not None:
            added[SPAN_ID + SCHEME_SUFFIX] = record.span_id_scheme
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
        added[GIVEN_END] = record.end_time_ns  # no wire can carry it as the span's end
    _add_tags(record, dialect, added)
    for key in added.keys() & record.attributes.keys():
        added[DISPLACED + key] = added.pop(key)
    added.update(record.attributes)
    return added


def attributes_for(dialect: Dialect, trace_id_attribute: str) -> Callable[[SpanRecord], dict[str, Value]]:
    """Return `attributes_of` for one destination: called once a span, and twice as fast as a partial with keywords."""
    return lambda record: attributes_of(record, dialect, trace_id_attribute)


def _add_tags(record: SpanRecord, dialect: Dialect, added: dict[str, Value]) -> None:
    """MLflow makes trace tags of a root's `mlflow.traceTag.*`; elsewhere a tag stands under its own key, which is the user's too."""
    for key, value in record.tags.items():
        name = MLFLOW_TAG + key if dialect == "mlflow" else key
        while name in record.attributes or name in added:
            name = f"tag.{name}"
        added[name] = value


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
    """Add what MLflow's `/v1/traces` looks for, in the form in which its own client sends it (read in 3.17).

    The server writes every value as JSON and, reading, takes one layer of JSON off text, lists and mappings alone. Those are therefore sent as
    JSON text, so that text which looks like JSON stays text; numbers and truth values go as they are. The type goes as it is
    too: the server indexes it before it takes any layer off. UNKNOWN is said, because MLflow shows its absence as None.
    """
    added[MLFLOW_TYPE] = record.span_type
    for name, value in (("mlflow.spanInputs", record.inputs), ("mlflow.spanOutputs", record.outputs)):
        if value is not None:
            added[name] = value if isinstance(value, (bool, int, float)) else as_json(value)
    if record.experiment_id:
        added[MLFLOW_EXPERIMENT] = record.experiment_id


def _genai(record: SpanRecord, added: dict[str, Value]) -> None:
    """OpenTelemetry's GenAI conventions name operations; payloads stay under the OpenInference names."""
    _openinference(record, added)
    operation = GENAI_OPERATIONS.get(record.span_type)
    if operation is not None:
        added["gen_ai.operation.name"] = operation


_PAYLOADS = {"openinference": _openinference, "mlflow": _mlflow, "genai": _genai}


def take_apart(attributes: Mapping[str, Value], trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> dict[str, Any]:
    """Return SpanRecord field values for a mapping that `attributes_of` made, in any dialect.

    Values that came through a destination that knows only text are understood too. Tags cannot be told from attributes, except
    in the mlflow dialect, and stay among them. `end_time_ns` is among the fields of a span that ended before it started.
    """
    rest = dict(attributes)
    others = _others[trace_id_attribute]
    if others.issuperset(rest):
        return {"attributes": rest}
    names = (*_OUR_BEGINNINGS, trace_id_attribute)
    ours = [key for key in rest if key.startswith(names)]
    if not ours:  # a span of somebody else's: nothing of ours in it
        if len(others) < MAX_OTHERS:
            others.update([key for key in rest if len(key) <= MAX_OTHER])
        return {"attributes": rest}
    scheme = trace_id_attribute + SCHEME_SUFFIX
    if len(ours) == 2 and isinstance(rest.get(trace_id_attribute), str) and isinstance(rest.get(scheme), str):
        return {"custom_trace_id": rest.pop(trace_id_attribute), "id_scheme": rest.pop(scheme), "attributes": rest}
    fields: dict[str, Any] = {}
    for key, field in (
        (trace_id_attribute, "custom_trace_id"),
        (trace_id_attribute + SCHEME_SUFFIX, "id_scheme"),
        (SPAN_ID, "custom_span_id"),
        (SPAN_ID + SCHEME_SUFFIX, "span_id_scheme"),
        (END_CAUSE, "end_cause"),
        (OPENED_AT, "opened_at"),
        (MLFLOW_EXPERIMENT, "experiment_id"),
    ):
        if isinstance(_peek(rest, key), str):
            fields[field] = _take(rest, key)
    _take_type(rest, fields)
    for name, mlflow_name, field in (
        ("input", "mlflow.spanInputs", "inputs"),
        ("output", "mlflow.spanOutputs", "outputs"),
    ):
        mime = _peek(rest, f"{name}.mime_type")
        text = _peek(rest, f"{name}.value")
        if isinstance(text, str) and mime in (JSON_MIME, TEXT_MIME):
            _take(rest, f"{name}.mime_type")
            fields[field] = (
                from_json(_take(rest, f"{name}.value")) if mime == JSON_MIME else _take(rest, f"{name}.value")
            )
        elif _peek(rest, mlflow_name) is not None:
            fields[field] = from_json(_take(rest, mlflow_name))
    for field, key in COUNTS.items():
        if _is_integer(_peek(rest, key)) and int(str(_peek(rest, key))) >= 0:
            fields[field] = int(str(_take(rest, key)))
    if str(_peek(rest, END_BEFORE_START)).lower() == "true" and _is_integer(_peek(rest, GIVEN_END)):
        _take(rest, END_BEFORE_START)
        fields["end_time_ns"] = int(str(_take(rest, GIVEN_END)))
    tags = {key.removeprefix(MLFLOW_TAG): rest.pop(key) for key in list(rest) if key.startswith(MLFLOW_TAG)}
    if tags:
        fields["tags"] = {key: str(value) for key, value in tags.items()}
    fields["attributes"] = rest
    return fields


def _take_type(rest: dict[str, Value], fields: dict[str, Any]) -> None:
    given = _peek(rest, MLFLOW_TYPE)
    if isinstance(given, str):  # MLflow's own exporters of earlier versions quoted it
        _take(rest, MLFLOW_TYPE)
        fields["span_type"] = str(from_json(given)) if given.startswith('"') else given
    elif isinstance(_peek(rest, SPAN_TYPE), str):
        span_type = fields["span_type"] = _take(rest, SPAN_TYPE)
        for key, names in (
            ("openinference.span.kind", OPENINFERENCE_KINDS),
            ("gen_ai.operation.name", GENAI_OPERATIONS),
        ):
            if DISPLACED + key in rest or (key in rest and rest[key] == names.get(span_type)):
                _take(rest, key)


def _is_integer(value: Value) -> bool:
    """Whether a value is an integer of 64 bits, as a number or as text."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        value = int(value)
    return type(value) is int and -(2**63) <= value < 2**63


def _peek(rest: Mapping[str, Value], key: str) -> Value:
    """Return tracebridge's own value of a name, wherever it stands."""
    return rest[DISPLACED + key] if DISPLACED + key in rest else rest.get(key)


def _take(rest: dict[str, Value], key: str) -> Value:
    return rest.pop(DISPLACED + key) if DISPLACED + key in rest else rest.pop(key)


def as_json(value: Value) -> str:
    """Return a value as JSON text: bytes as base64, NaN and infinities as text, what UTF-8 cannot carry as `?`."""
    try:
        text = _json(value)
    except UnicodeEncodeError:
        return _json(json_safe(value)).decode()
    # msgspec writes NaN and infinities as null: only where one may have been does the value have to be walked
    return (_json(json_safe(value)) if b"null" in text else text).decode()


_json = msgspec.json.Encoder(enc_hook=str).encode


def json_safe(value: Any) -> Any:
    """Return a copy of which JSON carries all: odd floats spelled as OTLP JSON spells them, lone surrogates replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    if isinstance(value, dict):
        return {json_safe(key): json_safe(item) for key, item in value.items()}
    return value


def from_json(text: Value) -> Value:
    """Return what JSON text says, or the value itself when it is none."""
    if not isinstance(text, (str, bytes)):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text
