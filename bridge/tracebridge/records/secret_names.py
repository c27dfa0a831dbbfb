"""Which keys name secrets, and which values are credentials: what redaction masks and what no report prints.

A key is secret when one of its words is (split at punctuation and camelCase, any case): `dbPassword`, `api-key`,
`X-Auth-Token`. Counts of tokens (`max_tokens`, `usage.token_count`) are not secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_plus

SECRET_WORDS: Final = frozenset(
    [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "secrets",
        "token",
        "apikey",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "passwords",
        "privatekey",
        "accesskey",
    ]
)
SECRET_PAIRS: Final = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("api", "keys")})
COUNT_WORDS: Final = frozenset(
    [
        "max",
        "min",
        "count",
        "counts",
        "total",
        "limit",
        "usage",
        "used",
        "num",
        "number",
        "remaining",
        "budget",
        "input",
        "output",
        "prompt",
        "completion",
        "cached",
        "reasoning",
    ]
)
"""Beside `token`, these say that tokens are counted, not carried."""

QUERY_KEY: Final = "url.query"
ADDRESS_KEYS: Final = frozenset({"url.full", QUERY_KEY, "http.url", "http.target"})
"""Attributes that hold an address, with a query that may hold secrets (OpenTelemetry semantic conventions, URL)."""
_SIGNATURES: Final = frozenset({"sig", "signature", "awsaccesskeyid", "x-goog-signature", "x-amz-signature"})
"""Parameters that the same conventions ask to mask, besides those whose name says that they are secret."""
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;#\s]{1,256})=([^&;#\s]+)")
_USER_INFO = re.compile(r"(?<=//)[^/?#@\s]{1,512}@")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def is_secret_key(key: str, deny: frozenset[str] = frozenset(), allow: frozenset[str] = frozenset()) -> bool:
    """Return whether a key names a secret; `deny` and `allow` hold whole keys in lower case.

    >>> is_secret_key("dbPassword"), is_secret_key("max_tokens"), is_secret_key("secretary")
    (True, False, False)
    """
    lower = key.lower()
    if lower in allow:
        return False
    if lower in deny:
        return True
    words = [word.lower() for word in _WORD.findall(key)]
    if any(pair in SECRET_PAIRS for pair in pairwise(words)):
        return True
    found = SECRET_WORDS.intersection(words)
    if found == {"token"} and COUNT_WORDS.intersection(words):
        return False
    return bool(found)


def is_credential(text: str) -> bool:
    """Return whether a value is an HTTP credential, whatever its key: `Bearer …` or `Basic …` in any case."""
    return text[:7].lower() == "bearer " or text[:6].lower() == "basic "


def masked_address(key: str, text: str, mask: str, is_secret: Callable[[str], bool]) -> tuple[str, int]:
    """Return what stands under one of the ADDRESS_KEYS with the values of secret parameters and its user info masked, and how many that were.

    >>> masked_address("url.full", "https://me:pw@host/a?page=2&token=abc", "***", is_secret_key)
    ('https://***@host/a?page=2&token=***', 2)
    """
    found = 0

    def judge(match: re.Match[str]) -> str:
        nonlocal found
        name = unquote_plus(match[1])
        if name.lower() not in _SIGNATURES and not is_secret(name):
            return match[0]
        found += 1
        return f"{match[1]}={mask}"

    alone = "?" if key == QUERY_KEY else ""
    masked = _PARAMETER.sub(judge, alone + text).removeprefix(alone)
    masked, users = _USER_INFO.subn(f"{mask}@", masked)
    return masked, found + users
