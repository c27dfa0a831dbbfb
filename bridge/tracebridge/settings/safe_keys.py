"""Keys as a report may print them.

A key is not secret, but what stands where a key is expected may be a value that lost its own: `{authorization, t0k3n}` and
`authorization "Bearer t0k3n": ` have such keys. So a key is printed only when it looks like a name.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from tracebridge.masking.names import is_secret_key

MASK: Final = "***"
_NAME = re.compile(r"[\w./-]{1,80}")
_PLAIN = re.compile(r"[A-Za-z_./-]{1,40}")


def shown_key(key: str, *, alone: bool = False, secret: bool = False) -> str:
    """Return the key, or `***`. `alone`: no value follows it. `secret`: what it stands in holds secrets.

    >>> shown_key("x-api-key"), shown_key("Bearer abc"), shown_key("console", alone=True), shown_key("t0k3n", alone=True)
    ('x-api-key', '***', 'console', '***')
    """
    if not _NAME.fullmatch(key) or (alone and (secret or not _PLAIN.fullmatch(key))):
        return MASK
    return key


@functools.lru_cache(maxsize=512)
def names_secret(path: str) -> bool:
    """Return whether any key of a path names a secret, whatever the type of the option says.

    >>> names_secret("adapters.zipkin.headers[0].x"), names_secret("adapters.zipkin.endpoint")
    (True, False)
    """
    keys = path.replace("[", ".").split(".")
    return any(is_secret_key(key) or key.lower() in {"headers", "metadata"} for key in keys)


def joined(path: str, key: str) -> str:
    """Return the path of what stands under a key."""
    return f"{path}.{key}" if path else key
