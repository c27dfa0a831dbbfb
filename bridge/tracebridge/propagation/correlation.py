"""A plain correlation header, `X-Request-ID` by default: the caller's own trace ID, letter for letter."""

from __future__ import annotations

from tracebridge.ids.schemes import MAX_CUSTOM_ID
from tracebridge.propagation.formats import OWS


def read(text: str) -> str:
    """Return the ID in a header's value; empty for anything else: longer than an ID may be, or with invisible characters."""
    text = text.strip(OWS)
    return text if text.isprintable() and len(text) <= MAX_CUSTOM_ID else ""


def sendable(text: str | None) -> bool:
    """Return whether an ID can stand in a header as it is: printable ASCII, no blank at either end."""
    return bool(text) and text is not None and text.isascii() and text.isprintable() and text == text.strip(OWS)
