"""What an adapter encodes batches with: a format, and where the native module is, the format's twin in C for records that come as bytes.

A record that the twin finds unusual is decoded and encoded here, and stands in its place; what is around the spans is made here in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tracebridge.native import functions
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import Resource, SpanRecord
from tracebridge_adapters.dialects import SCHEME_SUFFIX, attributes_for
from tracebridge_adapters.options import Dialect

if TYPE_CHECKING:
    from tracebridge_adapters.formats.spanlog.writer import Writer

Encode = Callable[[Sequence[SpanRecord]], bytes]
EncodeOne = Callable[[SpanRecord], bytes]
_DIALECTS: dict[Dialect, int] = {"openinference": 0, "mlflow": 1, "genai": 2}
"""As `shown.h` numbers them."""


def otlp_protobuf(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes an ExportTraceServiceRequest."""
    from tracebridge_adapters.formats.otlp import protobuf

    return _of_format(protobuf, protobuf.encode, "otlp_protobuf_spans", dialect, trace_id_attribute)


def otlp_json(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes the same in JSON."""
    from tracebridge_adapters.formats.otlp import json

    return _of_format(json, json.encode_request, "otlp_json_spans", dialect, trace_id_attribute)


def zipkin_json(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes a list of Zipkin's spans."""
    from tracebridge_adapters.formats.zipkin import json

    return _of_format(json, json.encode, "zipkin_json_spans", dialect, trace_id_attribute)


def zipkin_protobuf(dialect: Dialect, trace_id_attribute: str) -> Encode:
    """Return what makes the same in protobuf; it has no twin in C."""
    from tracebridge_adapters.formats.zipkin import protobuf

    shown = attributes_for(dialect, trace_id_attribute)
    return lambda records: protobuf.encode(records, shown)


def span_lines(writer: Writer) -> Encode:
    """Return what makes span lines."""
    encode = writer.encode
    return _either(
        lambda records: b"".join([encode(record) for record in records]),
        "span_lines",
        writer.shared_of,
        lambda _: encode,
        lambda _, lines: lines,
    )


def _of_format(form: Any, encode: Any, twin: str, dialect: Dialect, trace_id_attribute: str) -> Encode:
    shown = attributes_for(dialect, trace_id_attribute)
    keys = [key.encode("utf-8", "replace") for key in (trace_id_attribute, trace_id_attribute + SCHEME_SUFFIX)]
    naming = (_DIALECTS[dialect], *keys)
    return _either(
        lambda records: encode(records, shown),
        twin,
        lambda resource: form.shared_of(resource, naming),
        lambda resource: form.one_span(resource, shown),
        form.around,
    )


def _either(
    encode: Encode,
    twin: str,
    shared_of: Callable[[Resource], tuple[Any, ...] | None],
    one_of: Callable[[Resource], EncodeOne],
    around: Callable[[Resource, bytes], bytes],
) -> Encode:
    """Return `encode`, or what uses its twin where it can.

    `shared_of` gives what the twin needs to know of a resource, None where it cannot be used; `one_of` what encodes a single record, `around` what
    puts encoded records into a body.
    """
    if functions is None:
        return encode
    spans_of = getattr(functions, twin)

    def encode_either(records: Sequence[SpanRecord]) -> bytes:
        shared = shared_of(records.resource) if isinstance(records, EncodedRecords) else None
        if shared is None or not isinstance(records, EncodedRecords):
            return encode(records)
        data, encoded = records.data, (None,) * len(records)
        spans = spans_of(data, encoded, shared)
        if type(spans) is list:
            one, unusual = one_of(records.resource), set(spans)
            own = tuple([one(records[at]) if at in unusual else None for at in range(len(data))])
            spans = spans_of(data, own, shared)
        return around(records.resource, spans)

    return encode_either
