"""Credentials in what a server says: some repeat in their refusal what they were sent, and a refusal ends up in logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tracebridge.errors import printable
from tracebridge.settings.options import Secret

MASK = "***"
MAX_QUOTED = 500  # characters of a server's words that a message of ours repeats
SHORTEST = 6  # characters; hiding shorter words would hide half of every message


def secrets_of(headers: Mapping[str, str | Secret], more: Iterable[str | None] = ()) -> tuple[str, ...]:
    """Return what must not be repeated: secret header values, whole and word by word, and `more`; the longest first."""
    values = [value.reveal() for value in headers.values() if isinstance(value, Secret)] + [
        text for text in more if text
    ]
    words = {word for value in values for word in (value, *value.split()) if len(word) >= SHORTEST}
    return longest_first(words)


def longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return secrets in the order in which they have to be hidden: one may be the beginning of another."""
    return tuple(sorted(set(secrets), key=len, reverse=True))


def quoted(text: str, secrets: Iterable[str]) -> str:
    """Return a server's words as a message may repeat them: on one line, the secrets masked, no longer than that."""
    return hidden(printable(" ".join(text.split())), secrets)[:MAX_QUOTED]


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each of the secrets masked.

    >>> hidden("unknown token t0k3n-1", secrets_of({"authorization": Secret("Bearer t0k3n-1")}))
    'unknown token ***'
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
