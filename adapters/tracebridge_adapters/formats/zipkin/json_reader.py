"""Zipkin JSON, v2 and v1, to SpanRecords (zipkin-api 1.0.0: `zipkin2-api.yaml`, `zipkin-api.yaml`)."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tracebridge.plugins.format import Decoded, OtherLineError
from tracebridge_adapters.dialects import json_safe
from tracebridge_adapters.formats.zipkin.reader import TakeApart, read_all
from tracebridge_adapters.formats.zipkin.v1 import is_v1, to_v2

_ZIPKINS_OWN = {"localEndpoint", "remoteEndpoint", "binaryAnnotations", "shared"}
_KEYS = _ZIPKINS_OWN | {
    "traceId",
    "id",
    "parentId",
    "name",
    "kind",
    "timestamp",
    "duration",
    "annotations",
    "tags",
    "debug",
}
_decode = msgspec.json.Decoder().decode


def decode(data: bytes | str, take_apart: TakeApart) -> Decoded:
    """Return the records of a JSON array of spans (or of one span), v1 or v2, told apart span by span.

    `take_apart` splits a span's tags into record fields. A span that cannot be read is left out and named. Raises ValueError for what is
    not JSON, and for JSON that is neither an array nor an object; OtherLineError for an application's own object that has such IDs.
    """
    document, notes = _parse(data)
    if isinstance(document, dict):
        if not document.keys() <= _KEYS and document.keys().isdisjoint(_ZIPKINS_OWN):
            raise OtherLineError("an object with traceId and id that is not a span")
        document = [document]
    elif isinstance(document, list) and any(
        isinstance(each, list) for each in document
    ):  # traces, as Zipkin's API has them
        document = [span for each in document for span in (each if isinstance(each, list) else [each])]
    if not isinstance(document, list):
        raise ValueError("not Zipkin JSON: neither an array of spans nor a span")
    spans = [two for span in document for two in (to_v2(span) if is_v1(span) else [span])]
    read = read_all(spans, take_apart)
    return Decoded(read.records, notes, damage=read.damage)


def _parse(data: bytes | str) -> tuple[Any, list[str]]:
    try:
        return _decode(data), []
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:  # what is forgiven: text that is not UTF-8, lone surrogates, NaN and infinities
        text = data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else data
        return json_safe(json.loads(text)), ["the text was damaged: what could not be read is shown as � or ?"]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not Zipkin JSON: {error}") from error
