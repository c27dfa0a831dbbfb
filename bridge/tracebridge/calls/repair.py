"""What no destination could take, repaired in records that were made elsewhere."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from tracebridge.ids.random_ids import shared_ids
from tracebridge.records.record import Kind, SpanRecord, StatusCode

LATEST_NS = 2**63 - 1
TRACE_BYTES, SPAN_BYTES = 16, 8
_NO_TRACE, _NO_SPAN = bytes(TRACE_BYTES), bytes(SPAN_BYTES)
_LAST_KIND, _LAST_STATUS = max(Kind), max(StatusCode)


def mended(record: SpanRecord) -> SpanRecord:
    """Return the record itself when its IDs, times and numbers are sound, else a repaired copy with `repaired` counted.

    An ID of zero or of a wrong size becomes a random one, a parent that is none (or the span itself) is left out, a time outside 64 bits
    becomes the other end of the span (now, when neither is sound), an unknown kind or status "not said". An end before its start stays:
    adapters mark it.
    """
    trace_id, span_id, parent_id = record.trace_id, record.span_id, record.parent_id
    try:
        if (
            len(trace_id) == TRACE_BYTES
            and len(span_id) == SPAN_BYTES
            and trace_id != _NO_TRACE
            and span_id != _NO_SPAN
            and (parent_id is None or (len(parent_id) == SPAN_BYTES and parent_id not in (span_id, _NO_SPAN)))
            and 0 <= record.start_time_ns <= LATEST_NS
            and 0 <= record.end_time_ns <= LATEST_NS
            and 0 <= record.kind <= _LAST_KIND
            and 0 <= record.status <= _LAST_STATUS
            and type(record.name) is str
            and not (record.events or record.links)
        ):
            return record
    except TypeError:  # not even bytes and numbers
        pass
    changes: dict[str, Any] = {}
    if not _is_id(trace_id, TRACE_BYTES):
        changes["trace_id"] = shared_ids.trace_id()
    if not _is_id(span_id, SPAN_BYTES):
        changes["span_id"] = shared_ids.span_id()[0]
    if parent_id is not None and (not _is_id(parent_id, SPAN_BYTES) or parent_id == span_id):
        changes["parent_id"] = None
    changes |= _times(record.start_time_ns, record.end_time_ns)
    if not _is_within(record.kind, _LAST_KIND):
        changes["kind"] = int(Kind.UNSPECIFIED)
    if not _is_within(record.status, _LAST_STATUS):
        changes["status"] = int(StatusCode.UNSET)
    if type(record.name) is not str:
        changes["name"] = _text(record.name)
    changes |= _parts(record)
    if not changes:
        return record
    return msgspec.structs.replace(record, repaired=record.repaired + len(changes), **changes)


def _parts(record: SpanRecord) -> dict[str, Any]:
    """Return what has to change about a span's events and links: times that are none, references to nothing."""
    changes: dict[str, Any] = {}
    links = tuple(
        [link for link in record.links if _is_id(link.trace_id, TRACE_BYTES) and _is_id(link.span_id, SPAN_BYTES)]
    )
    if len(links) < len(record.links):
        changes |= {"links": links, "dropped_links": record.dropped_links + len(record.links) - len(links)}
    if not all(_is_within(event.time_ns, LATEST_NS) for event in record.events):
        start_ns = record.start_time_ns if _is_within(record.start_time_ns, LATEST_NS) else time.time_ns()
        changes["events"] = tuple(
            [
                event if _is_within(event.time_ns, LATEST_NS) else msgspec.structs.replace(event, time_ns=start_ns)
                for event in record.events
            ]
        )
    return changes


def _times(start_ns: Any, end_ns: Any) -> dict[str, int]:
    """Return what has to change about the two times of a span."""
    start_is_sound, end_is_sound = _is_within(start_ns, LATEST_NS), _is_within(end_ns, LATEST_NS)
    if start_is_sound and end_is_sound:
        return {}
    if start_is_sound:
        return {"end_time_ns": start_ns}
    now_ns = end_ns if end_is_sound else time.time_ns()
    return {"start_time_ns": now_ns} if end_is_sound else {"start_time_ns": now_ns, "end_time_ns": now_ns}


def _text(given: Any) -> str:
    try:
        return "" if given is None else str.__str__(str(given))
    except Exception:
        return f"<{type(given).__name__}>"


def _is_id(given: Any, size: int) -> bool:
    return type(given) is bytes and len(given) == size and any(given)


def _is_within(given: Any, most: int) -> bool:
    return isinstance(given, int) and 0 <= given <= most
