"""One trace under two IDs: some services send all 128 bits of it, others only the lower 64.

Zipkin's servers join such traces with `STRICT_TRACE_ID=false` by the rule that is here: trace IDs whose lower halves are equal are one.
"""

from __future__ import annotations

import msgspec

from tracebridge.ids.scheme import SPAN_BYTES
from tracebridge.records.record import Link, SpanRecord

_ZEROS = bytes(SPAN_BYTES)


def joined_id(trace_id: bytes) -> bytes:
    """Return what the long and the short ID of one trace (16 bytes each) have in common: the lower half behind zeros.

    An ID whose lower half is zero has no short form, and stays.

    >>> joined_id(bytes.fromhex("463ac35c9f6413ad48485a3953bb6124")).hex()
    '000000000000000048485a3953bb6124'
    """
    low = trace_id[SPAN_BYTES:]
    return trace_id if low == _ZEROS else _ZEROS + low


def is_short(trace_id: bytes) -> bool:
    """Return whether a trace ID (16 bytes) has 64 bits."""
    return trace_id[:SPAN_BYTES] == _ZEROS


def joined(record: SpanRecord) -> SpanRecord:
    """Return a span under the short ID of its trace, as its links are to others."""
    return msgspec.structs.replace(
        record, trace_id=joined_id(record.trace_id), links=tuple([_joined_link(link) for link in record.links])
    )


def _joined_link(link: Link) -> Link:
    return msgspec.structs.replace(link, trace_id=joined_id(link.trace_id))
