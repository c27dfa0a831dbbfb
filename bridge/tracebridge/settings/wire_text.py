"""Text that goes on a wire: without blanks and line ends at its edges, and with no character that a protocol cannot carry.

A variable that was filled from a file ends in a line end more often than not, and clients refuse to send that, or servers to read it.
"""

from __future__ import annotations

import re

_EDGES = "\ufeff"  # a byte order mark, which Python does not strip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


def trimmed(text: str) -> str:
    """Return text without what cannot be seen at its edges.

    >>> trimmed("Bearer t0k3n\\r\\n")
    'Bearer t0k3n'
    """
    return text.strip().strip(_EDGES).strip()


def wrong_name(name: str) -> str:
    """Return why a header cannot have this name (RFC 9110, 5.1 and 5.6.2), or nothing. The name itself is not told.

    >>> wrong_name("x-api-key"), wrong_name("api key")
    ('', 'the name of a header is of letters, digits and - _ . only')
    """
    if name[:1] in {"'", '"'}:  # a quote is not a letter of names; an apostrophe is, but is never meant
        return "the name of a header begins with a quote, which a shell did not take off"
    if not _TOKEN.fullmatch(name):
        return "the name of a header is of letters, digits and - _ . only"
    if name.lower() in _FRAMING:
        return "this header belongs to the connection and is written by the client"
    return ""


def wrong_value(text: str) -> str:
    """Return why a header cannot have this value (RFC 9110, 5.5), or nothing. The value is not told.

    >>> wrong_value("Bearer abc"), wrong_value("a\\nb"), wrong_value("Gr\u00fc\u00dfe")
    ('', 'the value has a control character or a line end inside', 'the value has a character outside ASCII')
    """
    if not text.replace("\t", " ").isprintable():
        return "the value has a control character or a line end inside"
    return "" if text.isascii() else "the value has a character outside ASCII"
