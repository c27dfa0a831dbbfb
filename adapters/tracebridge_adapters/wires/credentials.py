"""Credentials: how those of an address are sent, and how none is repeated.

Some servers repeat in their refusal what they were sent, and a refusal ends up in logs.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracebridge.masking.known import KnownSecrets, secrets_of_address
from tracebridge.plugins.options import Secret
from tracebridge.plugins.proxies import HttpProxy, basic_authorization

MAX_QUOTED = 500  # characters of a server's words that a message of ours repeats


def with_authorization(headers: Mapping[str, str | Secret], url: str) -> dict[str, str | Secret]:
    """Return headers, and the user info of an address as basic authorization where they have none (RFC 7617).

    >>> with_authorization({}, "http://me:p%40ss@host")["authorization"].reveal()
    'Basic bWU6cEBzcw=='
    """
    basic = basic_authorization(url)
    if basic is None or "authorization" in {name.lower() for name in headers}:
        return dict(headers)
    return {**headers, "authorization": basic}


def secrets_of(headers: Mapping[str, str | Secret], url: str = "", proxy: HttpProxy | None = None) -> KnownSecrets:
    """Return what must not be repeated: secret header values, what an address holds, and what a proxy is told.

    `headers` are all that are sent, so that what was made of the address is among them.
    """
    values = [value.reveal() for value in headers.values() if isinstance(value, Secret)]
    if proxy is not None and proxy.authorization is not None:
        values.append(proxy.authorization.reveal())
    return KnownSecrets([*values, *secrets_of_address(url)])
