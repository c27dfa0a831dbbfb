"""SpanRecords from the JSON of Jaeger's query API, `/api/traces`, which its UI's download is too (read in Jaeger 1.62 and 2, `model/json`).

What Jaeger did not keep cannot come back: times are whole microseconds, lists and mappings are JSON text, links have no attributes. A span whose IDs
cannot be told is left out and named; anything else that is broken is repaired, counted in the record's `repaired`, and read on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Event, Link, Resource, SpanRecord, Value
from tracebridge.records.span_identity import settled
from tracebridge.records.values import INT64_MAX, INT64_MIN, Tally
from tracebridge_adapters.formats.jaeger import names as n
from tracebridge_adapters.formats.shared import non_otlp

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]

_BOOKKEEPING = ("internal.span.format",)
_MAX_US = INT64_MAX // 1000
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(enc_hook=str).encode


def decode(data: bytes | str, take_apart: TakeApart) -> list[Decoded]:
    """Return the traces of one answer. Raises ValueError for what is not an answer of Jaeger's query API.

    `take_apart` splits a span's tags into record fields.
    """
    return [_trace(trace, f"data[{number}]", take_apart) for number, trace in enumerate(_data(data))]


def services(data: bytes | str) -> list[str]:
    """Return the names in an answer of `/api/services`. Raises ValueError for anything else."""
    return [name for name in _data(data) if isinstance(name, str)]


def _data(data: bytes | str) -> list[Any]:
    try:
        given = _decode(data)["data"] or []
        if not isinstance(given, list):
            raise TypeError("data is not a list")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not an answer of Jaeger's query API: {error}") from error
    return given


def _trace(trace: Any, place: str, take_apart: TakeApart) -> Decoded:
    out = Decoded([])
    if not isinstance(trace, dict) or not isinstance(trace.get("spans"), list):
        out.damage.append(f"{place}: it has no list of spans")
        return out
    processes = trace.get("processes")
    resources = {key: _resource(process) for key, process in (processes.items() if isinstance(processes, dict) else ())}
    for number, span in enumerate(trace["spans"]):
        try:
            out.records.append(_span(span, resources, take_apart))
        except ValueError as error:
            out.damage.append(f"{place}.spans[{number}]: {error}")
    return Decoded(settled(out.records), damage=out.damage)


def _resource(process: Any) -> Resource:
    if not isinstance(process, dict):
        return Resource()
    name = process.get("serviceName")
    own = {"service.name": name} if isinstance(name, str) and name else {}
    return Resource({**own, **_values(process.get("tags"), Tally())})


def _values(pairs: Any, tally: Tally) -> dict[str, Value]:
    out: dict[str, Value] = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            out[pair["key"]] = _value(pair, tally)
        else:
            tally.repaired += 1
    return out


def _value(pair: Mapping[str, Any], tally: Tally) -> Value:
    """Return a tag's value by its declared type: an integer beyond 53 bits comes as text, a whole float without its point."""
    kind, value = pair.get("type"), pair.get("value")
    try:
        if kind == "int64" and INT64_MIN <= int(value or 0) <= INT64_MAX:
            return int(value or 0)
        if kind == "float64":
            return float("nan" if value is None else value)
    except (ValueError, TypeError, OverflowError):
        kind = "int64"
    if kind == "int64" or not isinstance(value, (str, bool, int, float)):
        tally.repaired += 1
        return value if isinstance(value, str) else _encode(value).decode("utf-8", "replace")
    return value


def _span(span: Any, resources: Mapping[str, Resource], take_apart: TakeApart) -> SpanRecord:
    if not isinstance(span, dict):
        raise ValueError(f"{span!r:.40} is not an object")
    trace_id, span_id = _id(span, "traceID", 16), _id(span, "spanID", 8)
    tally = Tally()
    tags = _values(span.get("tags"), tally)
    for key in _BOOKKEEPING:
        tags.pop(key, None)
    parent, links = _references(span, trace_id, span_id, tally)
    status, message = n.status_of(tags)
    start_ns = _micros(span.get("startTime"), tally) * 1000
    end_ns = min(start_ns + _micros(span.get("duration"), tally) * 1000, INT64_MAX)
    scope, kind, trace_state = n.scope_of(tags), n.kind_of(tags), n.text_of(tags, non_otlp.TRACE_STATE_KEY)
    dropped = n.dropped_of(tags)
    fields: dict[str, Any] = {"end_time_ns": end_ns, **take_apart(tags), **dropped}
    events = tuple([_event(log, tally) for log in span.get("logs") or () if isinstance(log, dict)])
    resource = resources.get(span.get("processID", ""))
    if resource is None:  # an archive that was cut, or put together from several
        resource = _resource(span.get("process"))
        tally.repaired += "process" not in span
    fields["repaired"] = fields.get("repaired", 0) + tally.repaired
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent,
        name=_name(span.get("operationName")),
        start_time_ns=start_ns,
        kind=kind,
        status=status,
        status_message=message,
        events=events,
        links=tuple(links),
        trace_state=trace_state,
        debug=bool(_micros(span.get("flags"), tally) & n.DEBUG),
        scope=scope,
        resource=resource,
        **fields,
    )


def _name(given: Any) -> str:
    return given if isinstance(given, str) and given != n.UNKNOWN_OPERATION else ""


def _id(holder: Mapping[str, Any], key: str, size: int) -> bytes:
    """Return an ID of up to so many bytes: a 64-bit one is shown with 16 digits. Raises ValueError."""
    given = holder.get(key)
    try:
        raw = bytes.fromhex(given.zfill(2 * size)) if isinstance(given, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != size or not any(raw):
        raise ValueError(f"{key} {given!r:.60} is not an ID of {size} bytes")
    return raw


def _micros(given: Any, tally: Tally) -> int:
    if given is None:
        return 0
    try:
        number = int(given)
    except (ValueError, TypeError, OverflowError):
        number = _MAX_US + 1
    if abs(number) > _MAX_US:
        tally.repaired += 1
        return 0
    return number


def _references(
    span: Mapping[str, Any], trace_id: bytes, span_id: bytes, tally: Tally
) -> tuple[bytes | None, list[Link]]:
    """Return the parent (the first CHILD_OF within the trace) and the links (every other reference)."""
    parent: bytes | None = None
    links: list[Link] = []
    for reference in span.get("references") or ():
        try:
            link = Link(_id(reference, "traceID", 16), _id(reference, "spanID", 8))
        except (ValueError, AttributeError):
            tally.repaired += 1
            continue
        is_parent = parent is None and reference.get("refType") == "CHILD_OF" and link.trace_id == trace_id
        if is_parent and link.span_id != span_id:
            parent = link.span_id
        else:
            links.append(link)
    if parent is None and span.get("parentSpanID"):  # as Jaeger's first versions wrote it
        parent = _id(span, "parentSpanID", 8)
    return parent, links


def _event(log: Mapping[str, Any], tally: Tally) -> Event:
    fields = _values(log.get("fields"), tally)
    return Event(str(fields.pop(n.EVENT_KEY, "")), max(0, _micros(log.get("timestamp"), tally)) * 1000, fields)
