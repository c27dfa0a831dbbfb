"""The common span of OTLP protobuf, read in one pass: fields in the order of their numbers, without events, links, a trace state and lengths above 16,383.

Nearly every span is written like that, by every writer. What is not is for `protobuf_reader`, which reads field by field and takes five times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from tracebridge.records.record import Kind, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.otlp.protobuf import FLAG_IS_REMOTE
from tracebridge_adapters.formats.shared.protobuf_fields import Message, fields

TakeApart = Callable[[dict[str, Value]], dict[str, Any]]
PairOf = Callable[[bytes], tuple[str, Value]]

W3C_SAMPLED = 1  # what a span without flags is taken for: it has been sent, after all
STATUS, FLAGS = 15, 16
MAX_ENDING = 16  # bytes behind the attributes, of a common span
MAX_ENDINGS = 1_024  # that are remembered; then all are forgotten and learned anew
SMALL = 0x80  # numbers below it take one byte

_ids = struct.Struct("<2s16s2s8s2s8s")  # trace_id = 1, span_id = 2, and, nearly always, parent_span_id = 4
_kind_and_times = struct.Struct("<BBBQBQ")  # kind = 6, start_time_unix_nano = 7, end_time_unix_nano = 8
_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
_NAME, _KIND, _START, _END, _ATTRIBUTE = 0x2A, 0x30, 0x39, 0x41, 0x4A
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
_LAST_KIND, _LAST_CODE = int(max(Kind)), int(max(StatusCode))


def common_span(
    data: bytes,
    resource: Resource,
    scope: Scope | None,
    pairs: dict[bytes, tuple[str, Value]],
    pair_of: PairOf,
    take_apart: TakeApart,
) -> SpanRecord | None:
    """Return the record of a common span, None for any other. `pairs` is what is remembered of attributes, `pair_of` reads those that are not."""
    size = len(data)
    try:
        one, trace_id, two, span_id, four, parent_id = _ids.unpack_from(data)
        if one != _TRACE_ID or two != _SPAN_ID or trace_id == _NO_TRACE or span_id == _NO_SPAN:
            return None
        at = _ids.size
        if four != _PARENT_ID:
            parent_id = None
            at -= 10
        elif parent_id == _NO_SPAN:
            return None
        name = ""
        if data[at] == _NAME:
            begin = at + 2
            at = begin + data[at + 1]
            if at - begin >= SMALL:
                return None
            name = data[begin:at].decode()
        six, kind, seven, start_ns, eight, end_ns = _kind_and_times.unpack_from(data, at)
        if six != _KIND or seven != _START or eight != _END or kind > _LAST_KIND:
            return None
        at += _kind_and_times.size
        attributes = []
        while at < size and data[at] == _ATTRIBUTE:
            begin = at + 2
            length = data[at + 1]
            if length >= SMALL:
                begin += 1
                more = data[at + 2]
                if more >= SMALL:
                    return None
                length += (more - 1) << 7
            at = begin + length
            content = data[begin:at]
            attributes.append(pairs.get(content) or pair_of(content))
        if at > size:
            return None
        ending = data[at:]
        end = _endings.get(ending) or _ending(ending)
    except (struct.error, IndexError, ValueError, TypeError):
        return None
    if end is None:
        return None
    taken = take_apart(dict(attributes))
    if "end_time_ns" in taken:
        end_ns = taken.pop("end_time_ns")
    status, flags, is_remote = end
    return SpanRecord(
        trace_id, span_id, parent_id, name, start_ns, end_ns, kind, status,
        flags=flags, parent_is_remote=is_remote, scope=scope, resource=resource, **taken,
    )  # fmt: skip


def _ending(content: bytes) -> tuple[int, int, bool] | None:
    """Return the status, the flags and whether the parent is remote, which end a common span; None when something else does. Few differ."""
    if len(content) > MAX_ENDING:
        return None
    code, flags = 0, W3C_SAMPLED
    for number, value in fields(content):
        if number == STATUS and type(value) is bytes:
            message = Message(value)
            code = message.number(3)
            if code > _LAST_CODE or message.has(2):
                return None
        elif number == FLAGS and type(value) is int:
            flags = value
        else:
            return None
    if len(_endings) >= MAX_ENDINGS:
        _endings.clear()
    _endings[content] = ending = code, flags & 0xFF, bool(flags & FLAG_IS_REMOTE)
    return ending


_endings: dict[bytes, tuple[int, int, bool]] = {}
