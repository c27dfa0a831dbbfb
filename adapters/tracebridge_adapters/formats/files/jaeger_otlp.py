"""Records from the OTLP JSON of Jaeger's newer query API (read in Jaeger 1.62 and 2.13): what Jaeger added is taken off again.

A span that came to Jaeger in its own protocol has no scope there, and what OpenTelemetry says of it is among its attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Kind, Link, Scope, SpanRecord, Value
from tracebridge_adapters.dialects import DISPLACED
from tracebridge_adapters.formats.jaeger import names as n
from tracebridge_adapters.formats.otlp import json_reader
from tracebridge_adapters.formats.shared import non_otlp

OWN_MARK, OWN_MARKS = "internal.span.format", "@jaeger@"  # what Jaeger 1 and 2 add to a span: its origin, and warnings
_NO_SCOPE = Scope("")
_replace = msgspec.structs.replace


class _Answer(msgspec.Struct):
    result: msgspec.Raw


def decode(data: bytes | str, take_apart: Callable[[dict[str, Value]], dict[str, Any]]) -> Decoded:
    """Return the spans of one answer, of any number of traces. Raises ValueError for what is not an answer of that API.

    `take_apart` splits a span's attributes into record fields.
    """
    try:
        answer = msgspec.json.decode(data, type=_Answer)
        read = json_reader.decode(bytes(answer.result), take_apart)
        return Decoded([_restored(record) for record in read.records], damage=read.damage)
    except ValueError as error:
        raise ValueError(f"not an answer of Jaeger's query API: {error}") from error


def _restored(record: SpanRecord) -> SpanRecord:
    attributes = {
        key: value for key, value in record.attributes.items() if key != OWN_MARK and not key.startswith(OWN_MARKS)
    }
    links = tuple([_replace(link, attributes=_without_type(link)) for link in record.links])
    kind = record.kind or int(Kind.INTERNAL)  # Jaeger's own protocol leaves it out; OTLP lets receivers assume it
    record = _replace(record, attributes=attributes, links=links, kind=kind)
    return _from_tags(record) if record.scope == _NO_SCOPE else record


def _without_type(link: Link) -> dict[str, Value]:
    return {key: value for key, value in link.attributes.items() if key != n.REF_TYPE}


def _from_tags(record: SpanRecord) -> SpanRecord:
    """Return a span that came in Jaeger's own protocol as what was sent."""
    tags = dict(record.attributes)
    trace_state, scope, dropped = n.text_of(tags, non_otlp.TRACE_STATE_KEY), n.scope_of(tags), n.dropped_of(tags)
    for key in n.OWN_KEYS - tags.keys():  # Jaeger has understood these itself
        if DISPLACED + key in tags:
            tags[key] = tags.pop(DISPLACED + key)
    return _replace(
        record,
        name="" if record.name == n.UNKNOWN_OPERATION else record.name,
        trace_state=record.trace_state or trace_state,
        scope=scope,
        attributes=tags,
        **dropped,
    )
