"""OTLP's answers: how many spans a server did not take, and why (`ExportTraceServiceResponse`, partial success; `google.rpc.Status`)."""

from __future__ import annotations

import msgspec

from tracebridge_adapters.formats.shared.protobuf_fields import fields, signed

JSON_TYPE, PROTOBUF_TYPE = "application/json", "application/x-protobuf"


def read_partial_success(body: bytes, content_type: str) -> tuple[int, str]:
    """Return (rejected spans, the server's message) of a 2xx answer; (0, "") when it took all.

    An answer that cannot be read says nothing: the specification has a 2xx mean that the spans were taken, and many servers answer
    with no body or with a word of their own.
    """
    try:
        rejected, message = _from_json(body) if content_type == JSON_TYPE else _from_protobuf(body)
    except (ValueError, TypeError, AttributeError):
        return 0, ""
    return max(0, rejected), message


def is_answer(body: bytes, content_type: str) -> bool:
    """Return whether a 2xx answer may be OTLP's: nothing, or an ExportTraceServiceResponse and no more."""
    if not body.strip():
        return True
    try:
        if content_type == JSON_TYPE:
            return set(msgspec.json.decode(body, type=dict)) <= {"partialSuccess", "partial_success"}
        return {field for field, _ in fields(body)} <= {1}
    except ValueError:
        return False


def _from_json(body: bytes) -> tuple[int, str]:
    answer = msgspec.json.decode(body) if body.strip() else {}
    partial = answer.get("partialSuccess") or answer.get("partial_success") or {}
    count = partial.get("rejectedSpans") or partial.get("rejected_spans") or 0
    return int(count), str(partial.get("errorMessage") or partial.get("error_message") or "")


def _from_protobuf(body: bytes) -> tuple[int, str]:
    rejected, message = 0, ""
    for field, partial in fields(body):
        if field == 1 and isinstance(partial, bytes):
            for inner, value in fields(partial):
                if inner == 1 and isinstance(value, int):
                    rejected = signed(value)
                elif inner == 2 and isinstance(value, bytes):
                    message = value.decode("utf-8", "replace")
    return rejected, message


def refusal_words(body: bytes, content_type: str) -> str | None:
    """Return the message of a refusal (OTLP specification: a `google.rpc.Status`); None for any other body.

    >>> refusal_words(b"\\x08\\x0e\\x12\\x10queue is full :(", "application/x-protobuf")
    'queue is full :('
    """
    if content_type != PROTOBUF_TYPE:
        return None
    try:
        found = dict(fields(body))
    except ValueError:
        return None
    message = found.get(2, b"")
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else None
