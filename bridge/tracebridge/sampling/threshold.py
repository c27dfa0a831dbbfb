"""Thresholds and randomness, 56 bits each: a trace is kept when its randomness R is not below the threshold T.

OpenTelemetry, "TraceState: probability sampling" (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/): whoever keeps a
trace at one ratio keeps it at every larger one, in any process and any language.
"""

from __future__ import annotations

import hashlib
import re

BITS = 56
WHOLE = 1 << BITS
NEVER = WHOLE
"""The threshold that no randomness reaches: it is not written anywhere."""
_BYTES = BITS // 8
_DIGITS = BITS // 4

_threshold = re.compile(r"[0-9a-fA-F]{1,14}").fullmatch
_randomness = re.compile(r"[0-9a-fA-F]{14}").fullmatch


def threshold_of(ratio: float) -> int:
    """Return the threshold that this share of all randomness reaches; NEVER for 0, and for what is below half of 2**-56.

    >>> f"{threshold_of(0.1):014x}", threshold_of(1.0), threshold_of(0) == NEVER
    ('e6666666666666', 0, True)
    """
    return WHOLE - round(ratio * WHOLE)


def ratio_of(threshold: int) -> float:
    """Return the share of all randomness that reaches a threshold.

    >>> ratio_of(threshold_of(0.25))
    0.25
    """
    return (WHOLE - threshold) / WHOLE


def text_of(threshold: int) -> str:
    """Return a threshold as `th` has it: 14 digits, the zeros on the right cut off, `0` for all.

    >>> text_of(threshold_of(0.5)), text_of(threshold_of(0.99)), text_of(0)
    ('8', '028f5c28f5c29', '0')
    """
    return f"{threshold:014x}".rstrip("0") or "0"


def read_threshold(text: str) -> int | None:
    """Return the threshold in a `th`; None for what is none.

    >>> read_threshold("8") == threshold_of(0.5), read_threshold("0x8")
    (True, None)
    """
    return int(text.ljust(_DIGITS, "0"), 16) if _threshold(text) else None


def read_randomness(text: str) -> int | None:
    """Return the randomness in an `rv`, which has 14 digits; None for what is none."""
    return int(text, 16) if _randomness(text) else None


def randomness_text(randomness: int) -> str:
    """Return a randomness as `rv` has it."""
    return f"{randomness:014x}"


def randomness_in(trace_id: bytes) -> int:
    """Return the randomness that a random trace ID has: its last 7 bytes."""
    return int.from_bytes(trace_id[-_BYTES:], "big")


def hashed_randomness(trace_id: bytes) -> int:
    """Return a randomness for a trace ID that is not random: the last 7 bytes of SHA-256 over its 16 bytes."""
    return int.from_bytes(hashlib.sha256(trace_id).digest()[-_BYTES:], "big")
