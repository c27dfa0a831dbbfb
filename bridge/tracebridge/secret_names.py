"""Which keys name secrets, and which values are credentials: what redaction masks and what no report prints.

A key is secret when one of its words is (split at punctuation and camelCase, any case): `dbPassword`, `api-key`,
`X-Auth-Token`. Counts of tokens (`max_tokens`, `usage.token_count`) are not secrets.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

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
