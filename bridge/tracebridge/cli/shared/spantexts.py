"""What commands say of spans: their values, and a span as plain JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from tracebridge.records.record import SpanRecord, StatusCode


def as_text(value: Any) -> str:
    """Return text as it is and anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def span_json(span: SpanRecord) -> dict[str, Any]:
    """Return a record as plain values: IDs as hex, times in nanoseconds as integers."""
    plain: dict[str, Any] = msgspec.structs.asdict(span)
    for key in ("trace_id", "span_id", "parent_id"):
        plain[key] = None if plain[key] is None else plain[key].hex()
    plain["status"] = StatusCode(span.status).name
    plain["events"] = [msgspec.structs.asdict(event) for event in span.events]
    plain["links"] = [
        {**msgspec.structs.asdict(link), "trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}
        for link in span.links
    ]
    plain["resource"] = span.resource.attributes if span.resource is not None else {}
    plain["scope"] = None if span.scope is None else msgspec.structs.asdict(span.scope)
    return plain
