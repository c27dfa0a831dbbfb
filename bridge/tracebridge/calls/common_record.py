"""The common record made elsewhere, straight to its bytes: sound, with attributes, a resource and a scope, and all else at its default.

What is written of the other fields is the same for every such record, so it is encoded once. A field that only equals its default (a number that
is a flag, a text of a type of its own) is written as the default itself. Anything else takes the long way (`repair`, and the limits), which decides.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tracebridge.calls.repair import LATEST_NS, SPAN_BYTES, TRACE_BYTES, is_parent
from tracebridge.journal.base import encode_record
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.record import Kind, Resource, Scope, SpanRecord, StatusCode, Value
from tracebridge.spans.span import MAX_NAME

_SPELLED = 11  # fields in front, up to the custom trace ID, that records differ in
_SCOPE = SpanRecord.__struct_fields__.index("scope")  # and behind it the resource
_EMPTY = SpanRecord(b"", b"", None, "", 0, 0)
_DEFAULTS = msgspec.structs.astuple(_EMPTY)
_SPAN_TYPE = _EMPTY.span_type
_BETWEEN, _BEHIND = _DEFAULTS[_SPELLED:_SCOPE], _DEFAULTS[_SCOPE + 2 :]
_ARRAY = encode_record(_EMPTY)[:3]  # what an array of all the fields begins with
_NO_TRACE, _NO_SPAN = bytes(TRACE_BYTES), bytes(SPAN_BYTES)
_LAST_KIND, _LAST_STATUS = int(max(Kind)), int(max(StatusCode))


def ending_of(resource: Resource | None, scope: Scope | None) -> bytes | None:
    """Return how a common record with this resource and this scope ends; empty without either, None for what cannot be encoded."""
    if resource is None and scope is None:
        return b""
    try:
        return b"".join(map(encode_record, (*_BETWEEN, scope, resource, *_BEHIND)))
    except (UnicodeEncodeError, OverflowError, TypeError):
        return None


def common_bytes(record: SpanRecord, attributes: dict[str, Value], ending: bytes) -> bytes | None:
    """Return a record with these attributes in its place as the journal keeps it; None for one that is not common."""
    fields: tuple[Any, ...] = msgspec.structs.astuple(record)
    trace_id, span_id, parent_id, name, start_ns, end_ns, kind, status, _, span_type, custom_id = fields[:_SPELLED]
    try:
        if (
            type(trace_id) is type(span_id) is bytes
            and len(trace_id) == TRACE_BYTES
            and len(span_id) == SPAN_BYTES
            and trace_id != _NO_TRACE
            and span_id != _NO_SPAN
            and (parent_id is None or is_parent(parent_id, span_id))
            and type(name) is type(span_type) is str
            and len(name) <= MAX_NAME
            and (custom_id is None or type(custom_id) is str)
            and type(start_ns) is type(end_ns) is type(kind) is type(status) is int
            and 0 <= start_ns <= LATEST_NS
            and 0 <= end_ns <= LATEST_NS
            and 0 <= kind <= _LAST_KIND
            and 0 <= status <= _LAST_STATUS
            and fields[_SPELLED:_SCOPE] == _BETWEEN
            and fields[_SCOPE + 2 :] == _BEHIND
        ):
            spelled = (
                trace_id, span_id, parent_id, name, start_ns, end_ns, kind, status, attributes, span_type, custom_id,
            )  # fmt: skip
            data = encode_record(spelled)
            return _ARRAY + data[1:] + ending if ending else data
    except (
        BaseException
    ) as error:  # a lone surrogate; or a field compared with its default, and its type would not have it
        raise_interrupt(error)
    return None
