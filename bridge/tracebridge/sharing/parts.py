"""What an engine keeps of a span: parts, each with an ID of its own and a record in the bytes that a journal keeps, and the one span that they are together.

The first byte is the version of this form. A span with a part of a newer version is left to who reads it (`Exchange`); where nobody comes, the part is left out, and
the span says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import IntEnum

import msgspec

from tracebridge.journal.base import decode_record
from tracebridge.records.record import EndCause, SpanRecord, StatusCode

VERSION = b"\x01"
_LAST_VERSION = b"\x1f"  # whatever is behind it was never a version
_ID = slice(0, 9)  # with the version
_KIND = 9
_RECORD = slice(10, None)

UNKNOWN_NAME = "unknown"
ORPHANED = "orphaned: the end of a span whose start is unknown"
UNFINISHED = "unfinished: it was open for longer than lifecycle.max_open"


class Kind(IntEnum):
    """What a part tells of its span."""

    START = 0
    CHANGE = 1
    END = 2
    END_WITH_STATUS = 3
    """An end whose status was given: it stands, even UNSET."""


def part(kind: Kind, data: bytes) -> bytes:
    """Return a new part of a record's bytes."""
    return b"".join((VERSION, os.urandom(8), bytes((kind,)), data))


def is_newer(given: bytes) -> bool:
    """Return whether a newer tracebridge wrote a part."""
    return VERSION < bytes(given[:1]) <= _LAST_VERSION


class Together(msgspec.Struct, frozen=True):
    """The span that some parts are."""

    record: SpanRecord
    has_start: bool
    has_end: bool
    unreadable: int
    """How many parts could not be read."""


def together(parts: Iterable[bytes]) -> Together | None:
    """Return the span of these parts, last writer first in everything that two have set; None when not one can be read.

    A part that was written twice, because the first answer was lost, counts once.
    """
    seen: set[bytes] = set()
    start = end = None
    changes: list[SpanRecord] = []
    unreadable = 0
    status_stands = False
    for each in parts:
        given = bytes(each)
        if given[_ID] in seen:
            continue
        seen.add(given[_ID])
        try:
            if given[:1] != VERSION:
                raise ValueError("a part of another version")
            kind, record = Kind(given[_KIND]), decode_record(given[_RECORD])
        except (ValueError, IndexError, RecursionError, msgspec.MsgspecError):
            unreadable += 1
            continue
        if kind is Kind.START:
            start = start or record
        elif kind is Kind.CHANGE:
            changes.append(record)
        else:
            end = record
            status_stands = kind is Kind.END_WITH_STATUS
    last = [*changes, end] if end is not None else changes
    if start is None and not last:
        return None
    record = start or last.pop(0)
    for change in last:
        record = merged(record, change)
    if start is None:
        record = _orphaned(record)
    elif end is None:
        record = _unfinished(record)
    else:
        if record.status == StatusCode.UNSET and not status_stands:
            record = msgspec.structs.replace(record, status=int(StatusCode.OK))
        elif status_stands and end.status != StatusCode.ERROR:
            record = msgspec.structs.replace(record, status=end.status, status_message="")
        record = msgspec.structs.replace(
            record, end_time_ns=end.end_time_ns, end_cause=EndCause.FINISHED.value, opened_at=""
        )
    return Together(record, start is not None, end is not None, unreadable)


def merged(record: SpanRecord, change: SpanRecord) -> SpanRecord:
    """Return a span's record with what was set on it since: of one key the last, of lists all."""
    status = change.status or record.status
    return msgspec.structs.replace(
        record,
        end_time_ns=max(record.end_time_ns, change.end_time_ns),
        status=status,
        status_message=(change.status_message if change.status else record.status_message) if status else "",
        attributes={**record.attributes, **change.attributes},
        span_type=record.span_type if change.span_type == "UNKNOWN" else change.span_type,
        inputs=record.inputs if change.inputs is None else change.inputs,
        outputs=record.outputs if change.outputs is None else change.outputs,
        events=(*record.events, *change.events),
        links=(*record.links, *change.links),
        tags={**record.tags, **change.tags},
        dropped_attributes=record.dropped_attributes + change.dropped_attributes,
        dropped_events=record.dropped_events + change.dropped_events,
        dropped_links=record.dropped_links + change.dropped_links,
        truncated=record.truncated + change.truncated,
        redacted=record.redacted + change.redacted,
        repaired=record.repaired + change.repaired,
    )


def _unfinished(record: SpanRecord) -> SpanRecord:
    return msgspec.structs.replace(
        record,
        status=int(StatusCode.ERROR),
        status_message=record.status_message or UNFINISHED,
        end_cause=EndCause.UNFINISHED.value,
    )


def _orphaned(record: SpanRecord) -> SpanRecord:
    """Return the record of an end without a start: it takes no time, because when it began is unknown."""
    return msgspec.structs.replace(
        record,
        name=record.name or UNKNOWN_NAME,
        start_time_ns=record.end_time_ns,
        status_message=record.status_message or (ORPHANED if record.status == StatusCode.ERROR else ""),
        end_cause=EndCause.ORPHANED.value,
    )
