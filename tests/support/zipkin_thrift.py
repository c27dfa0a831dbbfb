"""Zipkin's v1 spans in Thrift, written field by field: what its first collectors took."""

from __future__ import annotations

import struct
from typing import Any

TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
T0 = 1_790_000_000_000_000_000


def thrift(fields: list[tuple[int, int, Any]]) -> bytes:
    """A struct in Thrift's binary protocol."""
    forms = {2: ">?", 6: ">h", 8: ">i", 10: ">q"}
    out = b""
    for number, kind, value in fields:
        out += struct.pack(">bh", kind, number)
        if kind == 11:
            out += struct.pack(">i", len(value)) + value
        elif kind == 15:
            out += struct.pack(">bi", 12, len(value)) + b"".join(value)
        else:
            out += value if kind == 12 else struct.pack(forms[kind], value)
    return out + b"\0"


def zipkin_thrift(*, own: int = 0x31) -> bytes:
    """A v1 span of a client."""
    host = thrift([(1, 8, 0x7F000001), (2, 6, 8080), (3, 11, b"shop")])
    notes = [
        thrift([(1, 10, T0 // 1000 + n), (2, 11, name), (3, 12, host)])
        for n, name in ((0, b"cs"), (2, b"miss"), (5, b"cr"))
    ]
    tags = [
        thrift([(1, 11, b"path"), (2, 11, b"/"), (3, 8, 6), (4, 12, host)]),
        thrift([(1, 11, b"n"), (2, 11, struct.pack(">i", 7)), (3, 8, 3), (4, 12, host)]),
    ]
    return thrift([
        (1, 10, int.from_bytes(TRACE[8:], "big", signed=True)), (3, 11, b"get"), (4, 10, own), (5, 10, 2), (6, 15, notes), (8, 15, tags),
        (10, 10, T0 // 1000), (11, 10, 5), (12, 10, int.from_bytes(TRACE[:8], "big", signed=True)),
    ])  # fmt: skip
