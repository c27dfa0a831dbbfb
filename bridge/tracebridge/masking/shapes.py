"""Credentials within longer texts, known by their shape: the messages of exceptions, stack traces, servers' words.

    Authorization: Bearer …      https://user:…@host      token=…      {"password": "…"}      a JWT      a private key in PEM

Every expression here is linear: none starts twice in what another try has passed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tracebridge.masking.names import USER_INFO, is_secret_key

MESSAGE_KEYS: Final = frozenset({"exception.message", "exception.stacktrace", "error.message", "log.message"})
"""Attributes whose text somebody wrote for people, with whatever was at hand (OpenTelemetry semantic conventions, exceptions)."""
JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])((?>[A-Za-z0-9_-]*?(?=eyJ)))eyJ[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]*+"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,20}?PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,20}?PRIVATE KEY-----)?+")
_SCHEME = re.compile(
    r"(?<![A-Za-z0-9])(?P<scheme>bearer|basic)(?P<said>(?:\s|%20|[:=+])++(?:(?:token|auth|credentials?)\b(?:\s|[:=])*+)*+)"
    r"(?P<value>[^\s\"'<>,;()\[\]{}\\]++)",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?<![\w.-])(?P<key>[\w.-]{1,128}+)\\?[\"']?\s{0,8}+(?:=>?|:)(?!=)\s{0,8}+")
_WORD = re.compile(r"(?P<open>\\?[\"']?)(?P<value>(?:(?i:bearer|basic)\s{1,8})?+[^\s\"'&,;<>()\[\]{}\\]++)")
_QUOTED = re.compile(r"(?P<open>\\?\")(?P<value>[^\"\\\r\n]++)|(?P<open1>\\?')(?P<value1>[^'\\\r\n]++)")
_LINE = re.compile(r"(?P<open>\\?[\"']?)(?P<value>[^\"'\\\r\n]++)")
_WHOLE_LINE = frozenset({"authorization", "cookie", "cookies"})  # values of several words
_NO_VALUES = frozenset({"none", "null", "true", "false", "str", "bytes", "required", "missing", "invalid", "expired"})
_NO_CREDENTIALS = frozenset(
    {"token", "tokens", "auth", "authentication", "authorization", "scheme", "is", "was", "not", "and", "or", "header"}
)
_VARIABLE = re.compile(r"(?:\w{1,20}+ )?+\$\{")  # the name of a secret in a configuration is none
_LONG = 16  # characters: words of English that follow "bearer token" are shorter


def masked_credentials(text: str, mask: str, is_secret: Callable[[str], bool] = is_secret_key) -> tuple[str, int]:
    """Return a text with the credentials in it masked, and how many that were; `is_secret` judges keys.

    >>> masked_credentials("refused: Bearer t0k3n at https://me:pw@host, token=abc", "***")
    ('refused: Bearer *** at https://***@host, token=***', 3)
    """
    text, keys = _PEM.subn(mask, text)
    text, jwts = JWT.subn(rf"\1{mask}", text)
    text, users = USER_INFO.subn(f"{mask}@", text)
    count = 0

    def judge(found: re.Match[str]) -> str:
        nonlocal count
        if found["value"].startswith(mask) or not _is_credential(found):
            return found[0]
        count += 1
        return f"{found['scheme']}{found['said']}{mask}"

    text, pairs = _masked_pairs(_SCHEME.sub(judge, text), mask, is_secret)
    return text, keys + jwts + users + pairs + count


def _is_credential(found: re.Match[str]) -> bool:
    value = found["value"]
    if (
        value.lower() in _NO_CREDENTIALS
        or value.lower().startswith("realm=")
        or _VARIABLE.match(found.string, found.start("value"))
    ):
        return False
    has_digit = any(char.isdigit() for char in value)
    if found["scheme"].lower() == "basic" or any(char.isalpha() for char in found["said"]):
        return has_digit or value.endswith("=") or len(value) >= _LONG or (not value.islower() and not value.istitle())
    return True


def _masked_pairs(text: str, mask: str, is_secret: Callable[[str], bool]) -> tuple[str, int]:
    """Mask the values of secret keys: `key=value`, `key: value`, `"key": "value"`."""
    out: list[str] = []
    done = count = 0
    for found in _KEY.finditer(text):
        if found.start() < done or not is_secret(found["key"]):
            continue
        value = _value_after(found["key"], text, found.end())
        if value is None or value[1].lower() in _NO_VALUES or _VARIABLE.match(text, value[0]) or mask in value[1]:
            continue
        out += [text[done : value[0]], mask]
        done = value[0] + len(value[1])
        count += 1
    return "".join([*out, text[done:]]), count


def _value_after(key: str, text: str, at: int) -> tuple[int, str] | None:
    whole = key.lower().rpartition("-")[2].rpartition(".")[2] in _WHOLE_LINE
    found = _LINE.match(text, at) if whole else _QUOTED.match(text, at) or _WORD.match(text, at)
    if found is None:
        return None
    group = "value" if found["value"] is not None else "value1"
    return found.start(group), found[group]
