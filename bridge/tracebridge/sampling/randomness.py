"""What a trace is drawn by: its ID where that is random, the hash of its ID where it is not.

By the bare rule (the last 7 bytes of the ID) counters, decimal numbers, snowflakes, object IDs and one machine's time-based UUIDs are all kept or
all dropped. Their randomness is a hash, and goes along as `rv`, so that everybody else draws by it too.
"""

from __future__ import annotations

from typing import Literal

from tracebridge.ids.schemes import RANDOM_SCHEME, recognise
from tracebridge.ids.standards import hash_bytes
from tracebridge.sampling.threshold import hashed_randomness, randomness_in

HEX = "hex"
_RANDOM = frozenset({RANDOM_SCHEME, "hash"})
_BELIEVED = frozenset({HEX, "mlflow", "traceparent", "xray"})  # whoever made these digits drew them
_BELIEVED_LENGTHS = (16, 32)  # digits of an ID of 64 and of 128 bits; another number of digits is of another kind
_UUID_VERSION = 14  # where it stands in 8-4-4-4-12 digits
_RANDOM_UUIDS = "47"  # RFC 9562: random, and time-ordered with 74 random bits at the end
_ZERO_BYTES = bytes(3)  # the first 6 of the last 14 digits: a small number

Way = Literal["auto", "id", "hash"]


def randomness_of(trace_id: bytes, scheme: str, text: str | None, way: Way) -> tuple[int, bool]:
    """Return the randomness of a trace that begins, and whether others have to be told it (`rv`).

    `scheme` is what made the ID of `text`, the caller's own; `way` is `sampling.randomness`.
    """
    if way == "id" or (way == "auto" and is_random(trace_id, scheme, text)):
        return randomness_in(trace_id), False
    return hashed_randomness(trace_id), True


def is_random(trace_id: bytes, scheme: str, text: str | None) -> bool:
    """Return whether an ID may be taken for random.

    >>> is_random(bytes(15) + b"7", "decimal", "55"), is_random(bytes(range(16)), "random", None)
    (False, True)
    """
    if scheme in _RANDOM:
        return True
    if scheme == "uuid":
        return text is not None and len(text) == 36 and text[_UUID_VERSION] in _RANDOM_UUIDS
    if scheme not in _BELIEVED or (scheme == HEX and text is not None and len(text) not in _BELIEVED_LENGTHS):
        return False
    return trace_id[-7:-4] != _ZERO_BYTES


def scheme_of(trace_id: bytes, text: str | None) -> str:
    """Return the scheme of an ID that was made elsewhere, from the caller's own text that came along: one of a name unknown is ''."""
    if text is None:
        return HEX
    scheme = recognise(text)
    if scheme == "hash" and hash_bytes(text, 16)[8:] != trace_id[8:]:
        return ""
    return scheme
