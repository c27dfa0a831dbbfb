"""Text from elsewhere, as it may reach a terminal: what a server, a log or a span says steers none."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with every control character, line breaks among them, replaced by a space.

    >>> printable("one\\n\\x1b[31mtwo")
    'one  [31mtwo'
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
