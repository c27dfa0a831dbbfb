"""Credentials: how those of an address are sent, and how none is repeated.

Some servers repeat in their refusal what they were sent, and a refusal ends up in logs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from tracebridge.masking.known import KnownSecrets, secrets_of_address
from tracebridge.plugins.options import Secret

MAX_QUOTED = 500  # characters of a server's words that a message of ours repeats


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


def secrets_of(headers: Mapping[str, str | Secret], url: str = "") -> KnownSecrets:
    """Return what must not be repeated: secret header values, and what an address holds.

    `headers` are all that are sent, so that what was made of the address is among them.
    """
    values = [value.reveal() for value in headers.values() if isinstance(value, Secret)]
    return KnownSecrets([*values, *secrets_of_address(url)])


def _user_info(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[0]
