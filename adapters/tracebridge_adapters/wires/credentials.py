"""Credentials: how those of an address are sent, and how none is repeated.

Some servers repeat in their refusal what they were sent, and a refusal ends up in logs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, unquote_plus, urlsplit

from tracebridge.errors import printable
from tracebridge.plugins.options import Secret

MASK = "***"
MAX_QUOTED = 500  # characters of a server's words that a message of ours repeats
SHORTEST = 6  # characters; hiding shorter words wherever they stand would hide half of every message
SHORTEST_ALONE = 4  # shorter ones are hidden where they stand alone; what is shorter still is no secret


def with_authorization(headers: Mapping[str, str | Secret], url: str) -> dict[str, str | Secret]:
    """Return headers, and the user info of an address as basic authorization where they have none (RFC 7617).

    >>> with_authorization({}, "http://me:p%40ss@host")["authorization"].reveal()
    'Basic bWU6cEBzcw=='
    """
    user_info = _user_info(url)
    if not user_info or "authorization" in {name.lower() for name in headers}:
        return dict(headers)
    user, _, password = user_info.partition(":")
    token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return {**headers, "authorization": Secret(f"Basic {token}")}


def secrets_of(headers: Mapping[str, str | Secret], url: str = "") -> tuple[str, ...]:
    """Return what must not be repeated, the longest first: secret header values, whole and word by word, and what an address holds.

    `headers` are all that are sent, so that what was made of the address is among them.
    """
    words = set(_of_address(url))
    for value in headers.values():
        if isinstance(value, Secret) and (text := value.reveal().strip()):
            scheme_and_more = text.split()
            words |= {text, scheme_and_more[-1], *(word for word in scheme_and_more if len(word) >= SHORTEST)}
    return longest_first(word for word in words if len(word) >= SHORTEST_ALONE)


def _of_address(url: str) -> Iterable[str]:
    """Yield what may be secret in an address, as it stands there and as it is meant."""
    user_info, query = _user_info(url), urlsplit(url).query
    user, colon, password = user_info.partition(":")
    values = [part.partition("=")[2] for part in re.split("[&;]", query)]
    for text in (user_info, password if colon and password else user, query, *values):
        yield from (text, unquote(text), unquote_plus(text))


def _user_info(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[0]


def longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return secrets in the order in which they have to be hidden: one may be the beginning of another."""
    return tuple(sorted(set(secrets), key=len, reverse=True))


def quoted(text: str, secrets: Iterable[str]) -> str:
    """Return a server's words as a message may repeat them: on one line, the secrets masked, no longer than that."""
    return hidden(printable(" ".join(text.split())), secrets)[:MAX_QUOTED]


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each of the secrets masked, short ones where they stand alone.

    >>> hidden("unknown token t0k3n-1", secrets_of({"authorization": Secret("Bearer t0k3n-1")}))
    'unknown token ***'
    >>> hidden("blue is no tenant, bluer may be", secrets_of({"x-tenant": Secret("blue")}))
    '*** is no tenant, bluer may be'
    """
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
        else:
            text = re.sub(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", MASK, text)
    return text
