"""The `otlp_json` profile: a line that a Collector reads as a real span, with the IDs flat behind it.

The line begins with `{"resourceSpans":[`, which is how the Collector's otlpjson connector knows spans among log bodies; an OTLP receiver
skips the fields that follow (OTLP specification, "JSON Protobuf Encoding": unknown fields are ignored).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from tracebridge.masking.printable import printable_json
from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Resource, SpanRecord
from tracebridge_adapters.dialects import attributes_of, take_apart
from tracebridge_adapters.formats.otlp import json as otlp_json
from tracebridge_adapters.formats.otlp import json_reader as otlp_json_reader
from tracebridge_adapters.formats.spanlog.line import END
from tracebridge_adapters.formats.spanlog.writer import Writer, level_of

_encode = msgspec.json.Encoder().encode


class OtlpWriter(Writer):
    """Makes lines in the `otlp_json` profile. Arguments as for `Writer`, and the attribute under which the caller's own ID travels."""

    def __init__(self, *, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE, **choices: Any) -> None:
        super().__init__("otel", **choices)
        self._short_way = False
        self._attributes_of = partial(attributes_of, dialect="openinference", trace_id_attribute=trace_id_attribute)

    def _render(self, record: SpanRecord, counts: dict[str, int]) -> bytes:
        flat = self._identity(record, END, record.start_time_ns + record.duration_ns, level_of(record))
        flat.truncated = counts
        if not self._carries_resource(record):
            record = msgspec.structs.replace(record, resource=Resource({"service.name": flat.service}))
        return printable_json(otlp_json.encode([record], self._attributes_of)[:-1] + b"," + _encode(flat)[1:]) + b"\n"


def decode(data: bytes, trace_id_attribute: str) -> Decoded:
    """Return the spans of the OTLP part. Raises ValueError."""
    return otlp_json_reader.decode(data, partial(take_apart, trace_id_attribute=trace_id_attribute))
