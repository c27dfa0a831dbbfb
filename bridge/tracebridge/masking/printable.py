"""Text and JSON that cannot steer a terminal, whoever wrote what is in them: the one rule for control, C1 and bidirectional characters.

What Python does not call printable is replaced in text and escaped in JSON, whose value stays the same.
"""

from __future__ import annotations

import re

_NOT_ASCII = re.compile(rb"\x7f|[\xc2-\xf4][\x80-\xbf]{1,3}+")  # one character in UTF-8, and DEL


def printable(text: str) -> str:
    """Return one line of text that cannot steer a terminal, whoever wrote it.

    >>> printable("bad\\x1b[31m\\nspan")
    'bad [31m span'
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def printable_lines(text: str) -> str:
    """Do the same for text of several lines."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def printable_json(data: bytes) -> bytes:
    """Return JSON in UTF-8 with every character that is not printable escaped; ASCII's control characters are escaped in JSON anyway.

    >>> printable_json('"a\\u202eb\\u009b"'.encode())
    b'"a\\\\u202eb\\\\u009b"'
    """
    return data if data.isascii() and b"\x7f" not in data else _NOT_ASCII.sub(_escaped, data)


def _escaped(found: re.Match[bytes]) -> bytes:
    text = found[0].decode("utf-8", "replace")
    if text.isprintable():
        return found[0]
    units = text.encode("utf-16-be")
    return b"".join(b"\\u%04x" % int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
