"""Reading OTLP's answer: how many spans a server did not take, and why (ExportTracePartialSuccess)."""

from __future__ import annotations

import msgspec


def read_partial_success(body: bytes, *, is_json: bool) -> tuple[int, str]:
    """Return (rejected spans, the server's message); (0, "") when it took all, or answered what cannot be read."""
    try:
        return _from_json(body) if is_json else _from_protobuf(body)
    except (ValueError, IndexError, TypeError, AttributeError, UnicodeDecodeError):
        return 0, ""  # a 2xx with a garbled body has still been taken


def _from_json(body: bytes) -> tuple[int, str]:
    answer = msgspec.json.decode(body) if body.strip() else {}
    partial = answer.get("partialSuccess") or answer.get("partial_success") or {}
    count = partial.get("rejectedSpans") or partial.get("rejected_spans") or 0
    return int(count), str(partial.get("errorMessage") or partial.get("error_message") or "")


def _from_protobuf(body: bytes) -> tuple[int, str]:
    rejected, message = 0, ""
    for field, value in _fields(body):
        if field == 1 and isinstance(value, bytes):
            for inner, content in _fields(value):
                if inner == 1 and isinstance(content, int):
                    rejected = content
                elif inner == 2 and isinstance(content, bytes):
                    message = content.decode("utf-8", "replace")
    return rejected, message


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Return the fields of a protobuf message: varints as int, length-delimited ones as bytes; others are skipped."""
    out: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == 0:
            number, at = _varint(data, at)
            out.append((field, number))
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("cut off")
            out.append((field, data[at : at + size]))
            at += size
        elif kind in {1, 5}:
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("not protobuf")
    return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("not protobuf")
