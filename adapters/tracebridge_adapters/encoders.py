"""What an adapter encodes batches with: a format, and where the native module is, the format's twin in C for records that come as bytes.

A record that the twin finds unusual is decoded and encoded here, and stands in its place; what is around the spans is made here in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracebridge.native import functions
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.dialects import SCHEME_SUFFIX, attributes_for
from tracebridge_adapters.options import Dialect

Encode = Callable[[Sequence[SpanRecord]], bytes]
_DIALECTS: dict[Dialect, int] = {"openinference": 0, "mlflow": 1, "genai": 2}
"""As `shown.h` numbers them."""


def otlp_protobuf(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes an ExportTraceServiceRequest."""
    from tracebridge_adapters.formats.otlp import protobuf

    return _encoder(protobuf, protobuf.encode, "otlp_protobuf_spans", dialect, trace_id_attribute)


def otlp_json(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes the same in JSON."""
    from tracebridge_adapters.formats.otlp import json

    return _encoder(json, json.encode_request, "otlp_json_spans", dialect, trace_id_attribute)


def zipkin_json(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes a list of Zipkin's spans."""
    from tracebridge_adapters.formats.zipkin import json

    return _encoder(json, json.encode, "zipkin_json_spans", dialect, trace_id_attribute)


def zipkin_protobuf(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes the same in protobuf; it has no twin in C."""
    from tracebridge_adapters.formats.zipkin import protobuf

    shown = attributes_for(dialect, trace_id_attribute)
    return lambda records: protobuf.encode(records, shown)


def _encoder(form: Any, encode: Any, twin: str, dialect: Dialect, trace_id_attribute: str) -> Encode:
    shown = attributes_for(dialect, trace_id_attribute)
    if functions is None:
        return lambda records: encode(records, shown)
    spans_of = getattr(functions, twin)
    keys = [key.encode("utf-8", "replace") for key in (trace_id_attribute, trace_id_attribute + SCHEME_SUFFIX)]
    naming = (_DIALECTS[dialect], *keys)

    def encode_either(records: Sequence[SpanRecord]) -> bytes:
        if not isinstance(records, EncodedRecords):
            return encode(records, shown)  # type: ignore[no-any-return]
        source = form.source_of(records.resource)
        data = records.data
        encoded: tuple[bytes | None, ...] = (None,) * len(data)
        spans = spans_of(data, encoded, naming, *source)
        if type(spans) is list:
            one = form.one_span(records.resource, shown)
            unusual = set(spans)
            encoded = tuple(one(records[at]) if at in unusual else None for at in range(len(data)))
            spans = spans_of(data, encoded, naming, *source)
        return form.around(records.resource, spans)  # type: ignore[no-any-return]

    return encode_either
