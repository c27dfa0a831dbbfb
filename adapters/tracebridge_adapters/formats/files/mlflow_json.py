"""SpanRecords from the JSON of MLflow's trace API (`/api/3.0/mlflow/traces/get` and `batchGet`, read in MLflow 3.17).

Spans come in OTLP's shape, with IDs in base64 and attribute values as MLflow understood them. MLflow keeps no kind, scope, flags or
resource with a span: resource attributes are among the trace's tags, from which the root gets its service name back.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tracebridge.records.record import Resource, SpanRecord, Value
from tracebridge_adapters.dialects import as_json
from tracebridge_adapters.formats.otlp import json_reader as otlp_json_reader

Absorb = Callable[[dict[str, Value]], dict[str, Any]]

TRACE_PREFIX = "tr-"
_OWN_ATTRIBUTES = ("mlflow.traceRequestId", "mlflow.experimentId")
_OWN_TAGS = "mlflow."
_NAME_TAG = "mlflow.traceName"  # which says again what the root is called
_PAYLOADS = ("mlflow.spanInputs", "mlflow.spanOutputs")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode(data: bytes | str, absorb: Absorb) -> list[list[SpanRecord]]:
    """Return the traces of one answer, of one trace or of many. Raises ValueError for what is no answer of MLflow.

    `absorb` splits a span's attributes into record fields.
    """
    try:
        document = _decode(data)
        traces = [document["trace"]] if "trace" in document else document.get("traces") or []
        return [_trace(trace, absorb) for trace in traces]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an answer of MLflow's trace API: {error}") from error


def trace_ids(data: bytes | str) -> list[bytes]:
    """Return the wire IDs in an answer of the search, in its order. Raises ValueError for what is no answer of MLflow."""
    try:
        shown = [info["trace_id"] for info in _decode(data).get("traces") or ()]
        return [bytes.fromhex(text.removeprefix(TRACE_PREFIX)) for text in shown if text.startswith(TRACE_PREFIX)]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an answer of MLflow's trace API: {error}") from error


def _trace(trace: Mapping[str, Any], absorb: Absorb) -> list[SpanRecord]:
    def whole(attributes: dict[str, Value]) -> dict[str, Any]:
        shown = {key: value for key, value in attributes.items() if key not in _OWN_ATTRIBUTES}
        for key in _PAYLOADS:  # text has had its layer of JSON taken off: put it on again, so that it stays text
            if isinstance(shown.get(key), str):
                shown[key] = as_json(shown[key])
        return absorb(shown)

    info = trace.get("trace_info") or {}
    given = info.get("tags") or {}
    experiment = ((info.get("trace_location") or {}).get("mlflow_experiment") or {}).get("experiment_id")
    tags = {key: text for key, text in given.items() if not key.startswith(_OWN_TAGS)}
    service = tags.pop("service.name", None)
    spans = [_with_hex_ids(span) for span in trace.get("spans") or ()]
    document = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    records = []
    for record in otlp_json_reader.decode(_encode(document), whole).records:
        resource = Resource({"service.name": service}) if service and record.is_root else None
        own = {key: text for key, text in record.tags.items() if (key, text) != (_NAME_TAG, record.name)}
        all_tags = {**tags, **own} if record.is_root else own
        records.append(
            msgspec.structs.replace(
                record,
                tags=all_tags,
                resource=resource,
                scope=None,
                experiment_id=experiment if isinstance(experiment, str) else "",
            )
        )
    return records


def _with_hex_ids(span: Mapping[str, Any]) -> dict[str, Any]:
    links = [{**link, **_hex_ids(link)} for link in span.get("links") or ()]
    return {**span, **_hex_ids(span), "links": links}


def _hex_ids(holder: Mapping[str, Any]) -> dict[str, str]:
    """Return the IDs of a span or a link as OTLP JSON has them: hex, where protobuf's mapping has base64."""
    return {
        key: base64.b64decode(holder[key]).hex() for key in ("trace_id", "span_id", "parent_span_id") if holder.get(key)
    }
