"""Which keys name secrets, and which values are credentials: what redaction masks and what no report prints.

A key is secret when one of its words is (split at punctuation and camelCase, any case): `dbPassword`, `api-key`, `X-Auth-Token`,
`refreshTokens`. Counts of tokens (`max_tokens`, `usage.token_count`) are not secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_plus

SECRET_WORDS: Final = frozenset(
    "password passwords passwd pwd passphrase passphrases passcode secret secrets token apikey apikeys authorization cookie cookies "
    "credential credentials privatekey privatekeys accesskey accesskeys".split()
)
_SECRET_ENDS: Final = tuple(SECRET_WORDS - {"token", "pwd"})
"""A word that ends with one of them is secret, too: `dbpassword`, `clientsecret`."""
_KEY_KINDS: Final = "api private access signing encryption master shared account subscription".split()
SECRET_PAIRS: Final = frozenset(
    [(kind, key) for kind in _KEY_KINDS for key in ("key", "keys")]
    + [("pass", end) for end in ("word", "words", "wd", "phrase", "code")]
)
TOKEN_OWNERS: Final = frozenset(
    "auth access refresh session bearer api csrf xsrf jwt oauth oauth2 oidc saml sso id security device push login personal reset "
    "verification".split()
)
"""Beside `token` or `tokens`, these say that tokens are carried, not counted."""
COUNT_WORDS: Final = frozenset(
    "max min count counts total limit usage used num number remaining budget input output prompt completion cached reasoning".split()
)
"""Beside `token`, these say that tokens are counted, not carried; `tokens` alone are counted."""

QUERY_KEYS: Final = frozenset({"url.query", "url.fragment"})
"""Attributes that hold the part of an address in which parameters stand, without what introduces it."""
ADDRESS_KEYS: Final = QUERY_KEYS | {
    "url.full", "url.original", "http.url", "http.target", "http.request.header.referer", "http.response.header.location",
    "db.connection_string",
}  # fmt: skip
"""Attributes that hold an address, with a query that may hold secrets (OpenTelemetry semantic conventions, URL)."""
_SIGNATURES: Final = frozenset({"sig", "signature", "awsaccesskeyid", "x-goog-signature", "x-amz-signature"})
"""Parameters that the same conventions ask to mask, besides those whose name says that they are secret."""
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#\s]{1,256}+)=([^&;#\s]++)")
USER_INFO: Final = re.compile(r"(?<=//)[^/?#@\s]{1,512}+@")
_DEEPEST = 3  # addresses inside parameters of addresses that are looked at

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def is_secret_key(key: str, deny: frozenset[str] = frozenset(), allow: frozenset[str] = frozenset()) -> bool:
    """Return whether a key names a secret; `deny` and `allow` hold whole keys in lower case.

    >>> is_secret_key("dbPassword"), is_secret_key("max_tokens"), is_secret_key("refreshTokens"), is_secret_key("secretary")
    (True, False, True, False)
    """
    lower = key.lower()
    if lower in allow:
        return False
    if lower in deny:
        return True
    words = [word.lower() for word in _WORD.findall(key)]
    if "apikey" in "".join(words) or any(pair in SECRET_PAIRS for pair in pairwise(words)):
        return True
    if any(word in SECRET_WORDS or word.endswith(_SECRET_ENDS) for word in words if word != "token"):
        return True
    return any(map(_names_tokens, words)) and _are_carried(words)


def _names_tokens(word: str) -> bool:
    return word.endswith(("token", "tokens"))


def _are_carried(words: list[str]) -> bool:
    """Return whether the tokens that a key names are credentials, and not what a language model counts."""
    beside = {word.removesuffix("s").removesuffix("token") if _names_tokens(word) else word for word in words}
    if beside & TOKEN_OWNERS:
        return True
    return not any(word.endswith("tokens") for word in words) and not beside & COUNT_WORDS


def is_credential(text: str) -> bool:
    """Return whether a value is an HTTP credential, whatever its key: `Bearer …` or `Basic …` in any case."""
    return text[:7].lower() == "bearer " or text[:6].lower() == "basic "


def masked_address(
    text: str, mask: str, is_secret: Callable[[str], bool], *, only_query: bool = False
) -> tuple[str, int]:
    """Return an address (or its query) with its user info and the values of secret parameters masked, and how many that were.

    Parameters are those of the query and of the fragment; a value that is itself an address with a secret in it is masked as a whole.

    >>> masked_address("https://me:pw@host/a?page=2&token=abc#access_token=x", "***", is_secret_key)
    ('https://***@host/a?page=2&token=***#access_token=***', 3)
    """
    return _masked_address(text, mask, is_secret, only_query, _DEEPEST)


def _masked_address(
    text: str, mask: str, is_secret: Callable[[str], bool], only_query: bool, deepest: int
) -> tuple[str, int]:
    found = 0

    def judge(match: re.Match[str]) -> str:
        nonlocal found
        name, value = unquote_plus(match[1]), match[2]
        if name.lower() not in _SIGNATURES and not is_secret(name):
            inner = unquote_plus(value) if "%" in value and deepest else ""
            if "=" not in inner or not _masked_address(inner, mask, is_secret, False, deepest - 1)[1]:
                return match[0]
        found += 1
        return f"{match[1]}={mask}"

    alone = "?" if only_query else ""
    masked = _PARAMETER.sub(judge, alone + text).removeprefix(alone)
    masked, users = USER_INFO.subn(f"{mask}@", masked)
    return masked, found + users
