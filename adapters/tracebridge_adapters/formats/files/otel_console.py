"""What OpenTelemetry's console exporter for Python prints, read back (opentelemetry-sdk 1.38, `ReadableSpan.to_json`).

Times have microseconds, and what is neither text, number nor truth value was made text; no scope and no flags are printed.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.records.known_keys import KnownKeys
from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge.records.values import Reducer, Tally
from tracebridge_adapters.dialects import take_apart

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_NO_LIMIT = 2**40  # limits are the client's, and act when it takes a record in
_NO_SCOPE = Scope("")
_reducer = Reducer(text_limit=_NO_LIMIT, payload_limit=_NO_LIMIT, keys=KnownKeys(lambda _: False))
_decode = msgspec.json.Decoder().decode


class OtelConsole:
    """`tracebridge.plugins.format.Format` for the console exporter of OpenTelemetry's Python SDK, to be read."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._take_apart = partial(take_apart, trace_id_attribute=trace_id_attribute)

    def looks_right(self, line: bytes) -> bool:
        """Whether the line is an object with a span's context, IDs as Python writes hexadecimal numbers."""
        return (
            line[:1] == b"{"
            and b'"context"' in line
            and b'"span_id"' in line
            and b'"0x' in line
            and b'"mlflow.' not in line
        )

    def decode(self, line: bytes) -> Decoded:
        """Return the span of one document. Raises ValueError when it is not one."""
        try:
            return Decoded([self._record(_decode(line))])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
            raise ValueError(f"not a span of OpenTelemetry's console: {error}") from error

    def _record(self, span: Any) -> SpanRecord:
        context, status = _object(span, "context"), _object(span, "status")
        tally = Tally()
        fields: dict[str, Any] = {
            "end_time_ns": _time_ns(span.get("end_time")),
            **self._take_apart(_values(span, tally)),
        }
        fields["repaired"] = fields.get("repaired", 0) + tally.repaired
        resource = _object(span, "resource")
        parent = span.get("parent_id")
        return SpanRecord(
            trace_id=_id(context, "trace_id", 16),
            span_id=_id(context, "span_id", 8),
            parent_id=_id(span, "parent_id", 8) if parent else None,
            name=str(span.get("name") or ""),
            start_time_ns=_time_ns(span.get("start_time")),
            kind=int(Kind.__members__.get(str(span.get("kind")).removeprefix("SpanKind."), Kind.UNSPECIFIED)),
            status=int(StatusCode.__members__.get(str(status.get("status_code")), StatusCode.UNSET)),
            status_message=str(status.get("description") or ""),
            events=tuple([_event(each, tally) for each in span.get("events") or () if isinstance(each, dict)]),
            links=tuple([_link(each, tally) for each in span.get("links") or () if isinstance(each, dict)]),
            resource=Resource(_values(resource, tally), str(resource.get("schema_url") or "")),
            scope=_NO_SCOPE,
            **fields,
        )


def _object(holder: Any, key: str) -> dict[str, Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def _values(holder: Mapping[str, Any], tally: Tally) -> dict[str, Value]:
    given = holder.get("attributes")
    return _reducer.attributes(given, tally) if isinstance(given, dict) else {}


def _id(holder: Mapping[str, Any], key: str, size: int) -> bytes:
    text = str(holder.get(key)).removeprefix("0x")
    raw = bytes.fromhex(text.zfill(2 * size))
    if len(raw) != size or not any(raw):
        raise ValueError(f"{key} {text!r:.60} is not an ID of {size} bytes")
    return raw


def _time_ns(given: Any) -> int:
    """Return nanoseconds from an ISO 8601 instant; 0 where there is none: a span that has not ended."""
    if given is None:
        return 0
    since = datetime.datetime.fromisoformat(str(given)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000


def _event(given: Mapping[str, Any], tally: Tally) -> Event:
    return Event(str(given.get("name") or ""), _time_ns(given.get("timestamp")), _values(given, tally))


def _link(given: Mapping[str, Any], tally: Tally) -> Link:
    context = _object(given, "context")
    return Link(_id(context, "trace_id", 16), _id(context, "span_id", 8), "", _values(given, tally))
