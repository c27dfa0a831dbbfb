"""SpanRecords from MLflow's JSON of traces: the answers of its API (`/api/3.0/mlflow/traces/get` and `batchGet`) and what `Trace.to_json` writes.

The API has spans in OTLP's shape, IDs in base64, and attribute values as MLflow understood them; `to_json` has mappings in which each value is JSON text
(read in MLflow 3.18; MLflow 2 wrote its own names). MLflow keeps no scope, flags or resource with a span (and before 3.18 no kind): resource
attributes are among the trace's tags, from which the root gets its service name back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Resource, Value
from tracebridge_adapters.dialects import as_json, from_json, take_apart
from tracebridge_adapters.formats.otlp import json_reader as otlp_json_reader

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]

TRACE_PREFIX = "tr-"
_OWN_ATTRIBUTES = ("mlflow.traceRequestId", "mlflow.experimentId")
_OWN_TAGS = "mlflow."
_NAME_TAG = "mlflow.traceName"  # which says again what the root is called
_PAYLOADS = ("mlflow.spanInputs", "mlflow.spanOutputs")
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode = msgspec.json.Decoder().decode


class MlflowJson:
    """`tracebridge.plugins.format.Format` for MLflow's traces, to be read."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the line is JSON with spans that have MLflow's attributes."""
        return (
            line[:1] in (b"{", b"[") and b'"spans"' in line and b'"mlflow.' in line and b'"resourceSpans"' not in line
        )

    def decode(self, line: bytes) -> Decoded:
        """Return the spans of one line. Raises ValueError when it is not MLflow's, or holds no span that can be read."""
        traces = decode(line, self._take_apart)
        damage = [reason for trace in traces for reason in trace.damage]
        records = [record for trace in traces for record in trace.records]
        if damage and not records:
            raise ValueError(f"not MLflow's JSON of traces: {'; '.join(damage)}")
        return Decoded(records, damage=damage)


def decode(data: bytes | str, take_apart: TakeApart) -> list[Decoded]:
    """Return the traces of one answer or file, of one trace or of many. Raises ValueError for what is not MLflow's.

    `take_apart` splits a span's attributes into record fields.
    """
    try:
        document = _decode(data)
    except _NOT_JSON as error:
        raise ValueError(f"not MLflow's JSON of traces: {error}") from error
    if isinstance(document, dict):
        traces = [document["trace"]] if "trace" in document else document.get("traces", [document])
    else:
        traces = document or None
    if not isinstance(traces, list) or not all(isinstance(trace, dict) for trace in traces):
        raise ValueError("not MLflow's JSON of traces: neither a trace nor a list of traces")
    return [_trace(trace, f"traces[{number}]", take_apart) for number, trace in enumerate(traces)]


def trace_ids(data: bytes | str) -> list[bytes]:
    """Return the wire IDs in an answer of the search, in its order. Raises ValueError for what is not an answer of MLflow."""
    try:
        shown = [info["trace_id"] for info in _decode(data).get("traces") or ()]
        return [bytes.fromhex(text.removeprefix(TRACE_PREFIX)) for text in shown if text.startswith(TRACE_PREFIX)]
    except (*_NOT_JSON, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an answer of MLflow's trace API: {error}") from error


def _trace(trace: Mapping[str, Any], place: str, take_apart: TakeApart) -> Decoded:
    info, spans = _parts(trace)
    if spans is None:
        return Decoded([], damage=[f"{place}: it has no list of spans"])
    given = info.get("tags") or {}
    given = given if isinstance(given, dict) else {}
    location = info.get("trace_location")
    experiment = (
        ((location or {}).get("mlflow_experiment") or {}).get("experiment_id") if isinstance(location, dict) else None
    )
    tags = {key: text for key, text in given.items() if not key.startswith(_OWN_TAGS)}
    service = tags.pop("service.name", None)
    read = otlp_json_reader.read_spans(
        [_as_otlp(span) for span in spans], partial(_taken_apart, take_apart), f"{place}.spans"
    )
    records = []
    for record in read.records:
        own = {  # MLflow's own tags are not among those that are shown; of the others the trace's are as they are now
            key: text
            for key, text in record.tags.items()
            if key.startswith(_OWN_TAGS) and (key, text) != (_NAME_TAG, record.name)
        }
        records.append(
            msgspec.structs.replace(
                record,
                tags={**tags, **own} if record.is_root else record.tags,
                resource=Resource({"service.name": service}) if service and record.is_root else None,
                experiment_id=experiment if isinstance(experiment, str) else "",
            )
        )
    return Decoded(records, damage=read.damage)


def _parts(trace: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any] | None]:
    """Return what is known of the trace as a whole, and its spans; None where a list of them is missing."""
    data = trace.get("data")
    info = trace.get("trace_info") or trace.get("info")
    spans = data.get("spans") if isinstance(data, dict) else trace.get("spans")
    if spans is None and info is not None and data is None:
        spans = []  # the API leaves out what is empty
    return info if isinstance(info, dict) else {}, spans if isinstance(spans, list) else None


def _taken_apart(take_apart: TakeApart, attributes: dict[str, Value]) -> dict[str, Any]:
    shown = {key: value for key, value in attributes.items() if key not in _OWN_ATTRIBUTES}
    for key in _PAYLOADS:  # text has had its layer of JSON taken off: put it on again, so that it stays text
        if isinstance(shown.get(key), str):
            shown[key] = as_json(shown[key])
    return take_apart(shown)


def _as_otlp(span: Any) -> Any:
    """Return a span in OTLP's shape, in which the API's are."""
    if not isinstance(span, dict) or not isinstance(span.get("attributes"), dict):
        return span
    out = {**span, "attributes": _pairs(span["attributes"], as_text=True)}
    for key in ("events", "links"):
        if isinstance(span.get(key), list):
            out[key] = [_event(each) for each in span[key]]
    if isinstance(context := span.get("context"), dict):  # MLflow 2
        out |= {key: str(context.get(key, "")).removeprefix("0x") for key in ("trace_id", "span_id")}
        out["parent_span_id"] = str(span.get("parent_id") or "").removeprefix("0x")
        out |= {"start_time_unix_nano": span.get("start_time"), "end_time_unix_nano": span.get("end_time")}
        out["status"] = {"code": span.get("status_code"), "message": span.get("status_message")}
    return out


def _event(given: Any) -> Any:
    if not isinstance(given, dict) or not isinstance(given.get("attributes"), dict):
        return given
    time_ns = given.get("time_unix_nano", given.get("timestamp"))
    return {**given, "time_unix_nano": time_ns, "attributes": _pairs(given["attributes"], as_text=False)}


def _pairs(attributes: Mapping[str, Any], *, as_text: bool) -> Sequence[dict[str, Any]]:
    """Return a mapping as OTLP's list. `as_text`: each value is JSON text."""
    return [
        {"key": key, "value": _any_value(from_json(value) if as_text else value)} for key, value in attributes.items()
    ]


def _any_value(value: Any) -> Any:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": _any_value(item)} for key, item in value.items()]}}
    return {} if value is None else {"stringValue": value}
