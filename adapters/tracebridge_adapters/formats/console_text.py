"""Records as lines for a person: time, trace, name, duration, status and the first attributes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import msgspec

from tracebridge.masking.printable import printable
from tracebridge.records.record import SpanRecord, StatusCode

MAX_SHOWN = 200  # characters of attributes a line
_MARKS = {StatusCode.OK: ("✓", "32"), StatusCode.ERROR: ("✗", "31"), StatusCode.UNSET: ("·", "2")}


def encode(records: Sequence[SpanRecord], *, color: bool) -> bytes:
    """Return one line a record. Control characters in the data never reach the terminal."""
    return "".join([_line(record, color) + "\n" for record in records]).encode("utf-8", "replace")


def _line(record: SpanRecord, color: bool) -> str:
    mark, code = _MARKS[StatusCode(record.status)]
    try:
        ended = datetime.datetime.fromtimestamp(record.end_time_ns / 1e9, datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        ended = "--:--:--.---"
    trace = record.custom_trace_id or record.trace_id.hex()
    shown = f"{mark} {ended} {printable(trace)} {printable(record.name)} {record.duration_ns / 1e6:.2f}ms"
    if record.status_message:
        shown += f" {printable(record.status_message)[:MAX_SHOWN]}"
    if record.attributes:
        shown += f" {printable(msgspec.json.encode(record.attributes).decode())[:MAX_SHOWN]}"
    return f"\x1b[{code}m{shown}\x1b[0m" if color else shown
