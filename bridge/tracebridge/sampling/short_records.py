"""The trace state and the flags of a record that is encoded already: most are written without, and end before them.

A record is a MessagePack array that may end early (`SpanRecord`); `calls.ending` writes most of them so. What a trace's decision adds is the same for each
of its spans, so it is encoded once and put behind.
"""

from __future__ import annotations

import msgspec

from tracebridge.journal.base import encode_record
from tracebridge.records.record import SpanRecord

_FIELDS = SpanRecord.__struct_fields__
_STATE = _FIELDS.index("trace_state")
_LENGTH = _FIELDS.index("flags") + 1
_FIXARRAY, _FIXARRAY_MOST, _ARRAY16 = 0x90, 0x9F, 0xDC  # the MessagePack specification, "array format family"
_HEAD = bytes([_ARRAY16]) + _LENGTH.to_bytes(2, "big")
_DEFAULTS = [encode_record(value) for value in msgspec.structs.astuple(SpanRecord(b"", b"", None, "", 0, 0))]
_BETWEEN = [b"".join(_DEFAULTS[begin:_STATE]) for begin in range(_STATE + 1)]


def ending_of(trace_state: str, flags: int) -> bytes:
    """Return how a short record with this trace state and these flags ends."""
    return encode_record(trace_state) + encode_record(flags)


def with_ending(data: bytes, ending: bytes) -> bytes | None:
    """Return a short record with an ending; None for one that has a trace state already."""
    kind = data[0]
    if kind <= _FIXARRAY_MOST:
        return b"".join((_HEAD, data[1:], _BETWEEN[kind - _FIXARRAY], ending))
    fields = int.from_bytes(data[1:3], "big")
    return None if fields > _STATE else b"".join((_HEAD, data[3:], _BETWEEN[fields], ending))


def exchanged(data: bytes, ending: bytes, other: bytes) -> bytes | None:
    """Return a record that has one ending with another in its place; None for one that was written in full."""
    return data[: -len(ending)] + other if data[:3] == _HEAD and data.endswith(ending) else None
