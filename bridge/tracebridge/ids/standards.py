"""Schemes of identifiers with a standard of their own: UUID (RFC 9562), ULID, MLflow's `tr-`, and the hash of any text."""

from __future__ import annotations

import hashlib
import re

from tracebridge.ids.scheme import (
    NOT_HEX,
    SPAN_BYTES,
    TRACE_BYTES,
    Refused,
    Scheme,
    refuse_length,
    refuse_other,
)

UUID_DASHED = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_URN = "urn:uuid:"
_DASHES = [8, 13, 18, 23]

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_CHARACTERS = 26
_NOT_CROCKFORD = re.compile(r"[^0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]")
_TO_BASE_32 = str.maketrans(CROCKFORD, "0123456789ABCDEFGHIJKLMNOPQRSTUV")  # the digits that Python's int() knows

MLFLOW_PREFIX = "tr-"


def _uuid(text: str) -> bytes:
    if UUID_DASHED.fullmatch(text):
        return bytes.fromhex(text.replace("-", ""))
    start = 0
    inner = text
    if text[: len(_URN)].lower() == _URN:
        start, inner = len(_URN), text[len(_URN) :]
    elif text[:1] == "{" and text[-1:] == "}":
        start, inner = 1, text[1:-1]
    dashes = [at for at, char in enumerate(inner) if char == "-"]
    digits = inner.replace("-", "")
    if not dashes:
        refuse_other(inner, NOT_HEX, "hex digit", start)
    if len(digits) != 32:
        raise Refused(f"it has {len(digits)} digits, not 32")
    refuse_other(inner, re.compile("[^0-9a-fA-F-]"), "hex digit", start)
    if dashes not in ([], _DASHES):
        raise Refused("its dashes do not part it as 8-4-4-4-12")
    return bytes.fromhex(digits)


def uuid_text(trace_id: bytes) -> str:
    """Return 16 bytes as 8-4-4-4-12 lower-case hex digits."""
    digits = trace_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _ulid(text: str) -> bytes:
    refuse_length(text, ULID_CHARACTERS)
    refuse_other(text, _NOT_CROCKFORD, "character of Crockford's base 32, which has no I, L, O and U")
    if text[0] > "7":
        raise Refused(f"it begins with {text[0]!r}, and 128 bits begin with 7 at most")
    return int(text.upper().translate(_TO_BASE_32), 32).to_bytes(TRACE_BYTES, "big")


def ulid_text(trace_id: bytes) -> str:
    """Return 16 bytes as 26 characters of Crockford's base 32."""
    number = int.from_bytes(trace_id, "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def _mlflow(text: str) -> bytes:
    if not text.startswith(MLFLOW_PREFIX):
        raise Refused(f"it does not begin with {MLFLOW_PREFIX!r}")
    refuse_length(text, len(MLFLOW_PREFIX) + 2 * TRACE_BYTES)
    refuse_other(text[len(MLFLOW_PREFIX) :], NOT_HEX, "hex digit", len(MLFLOW_PREFIX))
    return bytes.fromhex(text[len(MLFLOW_PREFIX) :])


def hash_bytes(text: str, size: int) -> bytes:
    """Return the first `size` bytes of SHA-256 of the UTF-8 text; the last bit is set should all be zero.

    Lone surrogates, which UTF-8 has no form for, are encoded as three bytes each like other characters of their range.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:size]
    return digest if any(digest) else (1).to_bytes(size, "big")


UUID = Scheme(
    "a UUID: 8-4-4-4-12 hex digits; dashes, braces and urn:uuid: may be left out", derive=_uuid, back=uuid_text
)
ULID = Scheme("a ULID: 26 characters of Crockford's base 32, the first at most 7", derive=_ulid, back=ulid_text)
MLFLOW = Scheme(
    "MLflow's trace ID: tr- and 32 hex digits", derive=_mlflow, back=lambda trace_id: MLFLOW_PREFIX + trace_id.hex()
)
HASH = Scheme(
    "any text; the first bytes of its SHA-256",
    derive=lambda text: hash_bytes(text, TRACE_BYTES),
    derive_span=lambda text: hash_bytes(text, SPAN_BYTES),
)
