"""Zipkin v2 protobuf to SpanRecords (zipkin-api 1.0.0, `zipkin.proto`: ListOfSpans)."""

from __future__ import annotations

import ipaddress
from typing import Any

from tracebridge.plugins.format import Decoded
from tracebridge_adapters.formats.shared.protobuf_fields import Message
from tracebridge_adapters.formats.zipkin.reader import TakeApart, read_all

KIND_NAMES = {1: "CLIENT", 2: "SERVER", 3: "PRODUCER", 4: "CONSUMER"}


def decode(data: bytes, take_apart: TakeApart) -> Decoded:
    """Return the records of a ListOfSpans.

    `take_apart` splits a span's tags into record fields. A span whose IDs cannot be told is left out and named. Raises ValueError for bytes
    that are not a ListOfSpans.
    """
    try:
        spans = [_span(message) for message in Message(data).messages(1)]
    except ValueError as error:
        raise ValueError(f"not Zipkin protobuf: {error}") from error
    return read_all(spans, take_apart)


def _span(message: Message) -> dict[str, Any]:
    """Return a span as v2 writes it in JSON."""
    return {
        "traceId": message.bytes(1).hex(),
        "parentId": message.bytes(2).hex(),
        "id": message.bytes(3).hex(),
        "kind": KIND_NAMES.get(message.number(4)),
        "name": message.text(5),
        "timestamp": message.number(6),
        "duration": message.number(7),
        "localEndpoint": _endpoint(message.message(8)),
        "remoteEndpoint": _endpoint(message.message(9)),
        "annotations": [{"timestamp": each.number(1), "value": each.text(2)} for each in message.messages(10)],
        "tags": {pair.text(1): pair.text(2) for pair in message.messages(11)},
        "debug": bool(message.number(12)),
        "shared": bool(message.number(13)),
    }


def _endpoint(message: Message) -> dict[str, Any]:
    return {
        "serviceName": message.text(1),
        "ipv4": _address(message.bytes(2)),
        "ipv6": _address(message.bytes(3)),
        "port": message.number(4),
    }


def _address(packed: bytes) -> str:
    """Return an address as text; what has neither 4 nor 16 bytes as hex, for the reader to mark."""
    return str(ipaddress.ip_address(packed)) if len(packed) in {4, 16} else packed.hex()
