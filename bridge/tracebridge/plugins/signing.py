"""Proofs of lines: who writes a span line signs what it says, and who reads it back can tell whether it was changed, or made by somebody else.

BLAKE2b with a key (RFC 7693), over bytes that the format makes of a span's fields, so that a shipper may write the line anew. Keys have IDs,
which stand on the line: several are accepted while one takes the place of another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tracebridge.masking.known import KnownSecrets

SHORTEST_KEY: Final = 32  # characters
KEYS_VARIABLE: Final = "TRACEBRIDGE_VERIFY_KEYS"
"""`ID=KEY` for each key that `replay --verify` accepts, with blanks between them."""
_PERSON = b"spanlog/1"
_MAC_BYTES = 24
is_key_id = re.compile(r"[A-Za-z0-9_-]{1,32}").fullmatch


class Key:
    """One key and its ID. Raises ValueError for an ID or a key that cannot be used; no message holds the key."""

    def __init__(self, key_id: str, key: str) -> None:
        if is_key_id(key_id) is None:
            raise ValueError("the ID of a key is 1 to 32 letters, digits, - or _")
        if len(key) < SHORTEST_KEY:
            raise ValueError(
                f"the key {key_id} is shorter than {SHORTEST_KEY} characters; make one with: openssl rand -hex 32"
            )
        self.id = key_id
        self._known = KnownSecrets([key])  # masked in whatever is said
        self._start = hashlib.blake2b(
            key=hashlib.blake2b(key.encode()).digest(), digest_size=_MAC_BYTES, person=_PERSON
        )

    def mac(self, data: bytes) -> str:
        """Return the code of some bytes as text: 32 characters of base64 for URLs."""
        state = self._start.copy()
        state.update(data)
        return base64.urlsafe_b64encode(state.digest()).decode()


@dataclass(frozen=True, slots=True)
class Proof:
    """What a line says of its own making."""

    key_id: str
    mac: str
    signed: Callable[[], bytes]
    """Return the bytes that were signed, as the line tells them now. Raises ValueError."""

    def fault(self, keys: Mapping[str, Key]) -> str:
        """Return what is wrong with it; an empty text when one of these keys made it, and what it says is what was signed."""
        key = keys.get(self.key_id)
        if key is None:
            return f"it is signed with the key {self.key_id!r:.40}, which is not among those in {KEYS_VARIABLE}"
        try:
            right = hmac.compare_digest(key.mac(self.signed()), self.mac)
        except (ValueError, TypeError, RecursionError):
            right = False
        return "" if right else "its signature is wrong: it was changed, or another key of that name made it"


def keys_of(text: str) -> dict[str, Key]:
    """Return the keys that a text such as `2026-11=… 2026-05=…` names, by their IDs. Raises ValueError, without the keys."""
    keys = {}
    for number, pair in enumerate(text.split(), 1):
        key_id, equals, key = pair.partition("=")
        if not equals:
            raise ValueError(f"entry {number} is not ID=KEY")
        keys[key_id] = Key(key_id, key)
    if not keys:
        raise ValueError("it holds no key")
    return keys
