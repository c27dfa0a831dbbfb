"""What an adapter encodes batches with: a format, and where the native module is, the format's twin in C for records that come as bytes.

A record that the twin finds unusual is decoded and encoded here, and stands in its place; what is around the spans is made here in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tracebridge.native import functions
from tracebridge.records.encoded import EncodedRecords, Group, decode_record
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
        lambda encoded: encoded[0][1],
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
        is_grouped=form.IS_GROUPED,
    )


def _either(
    encode: Encode,
    twin: str,
    shared_of: Callable[[Resource], tuple[Any, ...] | None],
    one_of: Callable[[Resource], EncodeOne],
    around: Callable[[list[tuple[Group, bytes]]], bytes],
    *,
    is_grouped: bool = False,
) -> Encode:
    """Return `encode`, or what uses its twin where it can.

    `shared_of` gives what the twin needs to know of a resource, None where it cannot be used; `one_of` what encodes a single record, `around` what
    puts encoded records into a body. `is_grouped`: the body has records by resource and scope; otherwise they stand in their order, and have to be of one source.
    """
    if functions is None:
        return encode
    spans_of = getattr(functions, twin)

    def encode_group(group: Group, shared: tuple[Any, ...]) -> bytes:
        data, none = group.data, (None,) * len(group.data)
        spans = spans_of(data, none, shared)
        if type(spans) is list:
            one, unusual = one_of(group.resource), set(spans)
            own = tuple([one(_decoded(data[at], group)) if at in unusual else None for at in range(len(data))])
            spans = spans_of(data, own, shared)
        return spans  # type: ignore[no-any-return]

    def encode_either(records: Sequence[SpanRecord]) -> bytes:
        if not isinstance(records, EncodedRecords):
            return encode(records)
        groups = records.groups()
        shared = [shared_of(group.resource) for group in groups] if is_grouped or len(groups) == 1 else [None]
        if None in shared:
            return encode(list(records))
        return around([(group, encode_group(group, known)) for group, known in zip(groups, shared, strict=True)])  # type: ignore[arg-type]

    return encode_either


def _decoded(data: bytes, group: Group) -> SpanRecord:
    record = decode_record(data)
    msgspec.structs.force_setattr(record, "resource", group.resource)
    return record
