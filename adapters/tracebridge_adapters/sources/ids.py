"""IDs that other libraries keep as integers."""

from __future__ import annotations

from typing import Any


def id_bytes(given: Any, size: int) -> bytes:
    """Return an unsigned integer as so many bytes, big-endian; nothing when it is none or too big, which `ingest` repairs.

    >>> id_bytes(258, 4), id_bytes(-1, 4), id_bytes(None, 4)
    (b'\\x00\\x00\\x01\\x02', b'', b'')
    """
    try:
        return int(given).to_bytes(size, "big")
    except (TypeError, ValueError, OverflowError):
        return b""
