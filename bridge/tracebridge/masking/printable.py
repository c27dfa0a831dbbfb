"""Text and JSON that cannot steer a terminal, whoever wrote what is in them: the one rule for control, C1 and bidirectional characters.

What Python does not call printable is replaced in text and escaped in JSON, whose value stays the same.
"""

from __future__ import annotations


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
    r"""Return JSON in UTF-8, on one line or several, with every character escaped that is not printable.

    JSON's own rules already escape what is below U+0020; these are DEL, the C1 controls (NEL among them), the separators U+2028 and U+2029, which some
    readers take for the end of a line, marks of direction and the like.

    >>> printable_json('"a\u202eb\u009b"'.encode())
    b'"a\\u202eb\\u009b"'
    """
    if data.isascii() and b"\x7f" not in data:
        return data
    text = data.decode("utf-8", "surrogatepass")
    if text.replace("\n", "").isprintable():
        return data
    return "".join([char if char.isprintable() or char == "\n" else _escaped(char) for char in text]).encode()


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))
