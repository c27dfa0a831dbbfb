"""Schemes: from the caller's own trace ID to the 16 bytes that every back-end accepts.

A scheme is a function `str -> bytes | None`: the wire ID, or None when the text is not of its form. The derivations are
public: any process, host or language that knows the text derives the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tracebridge.errors import InvalidParameterError, misuse

MAX_CUSTOM_ID = 512  # characters
ZERO_TRACE_ID = bytes(16)

Scheme = Callable[[str], bytes | None]


class WireId(NamedTuple):
    """A derived trace ID and how it came about."""

    trace_id: bytes
    """16 bytes, never zero."""
    scheme: str
    """The scheme that matched: for `auto` the form it recognised, such as `uuid`."""


_HEX = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{16}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_XRAY = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_MLFLOW = re.compile(r"tr-([0-9a-fA-F]{32})")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def hash_id(text: str) -> bytes:
    """Return the first 16 bytes of SHA-256 of the UTF-8 text; the last bit is set should all be zero."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
    return digest if digest != ZERO_TRACE_ID else (1).to_bytes(16, "big")


def _hex(text: str) -> bytes | None:
    return bytes.fromhex(text.zfill(32)) if _HEX.fullmatch(text) else None


def _uuid(text: str) -> bytes | None:
    return bytes.fromhex(text.replace("-", "")) if _UUID.fullmatch(text) else None


def _xray(text: str) -> bytes | None:
    found = _XRAY.fullmatch(text)
    return bytes.fromhex(found[1] + found[2]) if found else None


def _mlflow(text: str) -> bytes | None:
    found = _MLFLOW.fullmatch(text)
    return bytes.fromhex(found[1]) if found else None


def _traceparent(text: str) -> bytes | None:
    found = _TRACEPARENT.fullmatch(text)
    return bytes.fromhex(found[1]) if found else None


UNAMBIGUOUS: Mapping[str, Scheme] = {
    "hex": _hex,
    "uuid": _uuid,
    "xray": _xray,
    "mlflow": _mlflow,
    "traceparent": _traceparent,
}
"""The forms that `auto` recognises: no text is of two of them."""


def derive(text: str, scheme: str = "auto") -> WireId:
    """Return the wire ID of a custom trace ID under `auto` or `hash`.

    Raises InvalidParameterError for text that is empty, longer than 512 characters, or whose wire ID would be zero.

    >>> derive("4bf92f3577b34da6a3ce929d0e0e4736").scheme
    'hex'
    >>> derive("user123_report").trace_id.hex()
    '140dc898d36b37c2f0aeb513b7ab908e'
    """
    if not isinstance(text, str) or not text or len(text) > MAX_CUSTOM_ID:
        shown = f"{len(text)} characters" if isinstance(text, str) else type(text).__name__
        raise misuse(
            InvalidParameterError,
            f"trace_id must be a non-empty string of at most {MAX_CUSTOM_ID} characters, got {shown}.",
        )
    if scheme == "auto":
        for name, form in UNAMBIGUOUS.items():
            trace_id = form(text)
            if trace_id is not None:
                return WireId(_not_zero(trace_id, text), name)
    return WireId(hash_id(text), "hash")


def _not_zero(trace_id: bytes, text: str) -> bytes:
    if trace_id == ZERO_TRACE_ID:
        raise misuse(
            InvalidParameterError,
            f"trace_id {text!r} is all zeros, which no tracing system accepts; give another one, or scheme 'hash'.",
        )
    return trace_id
