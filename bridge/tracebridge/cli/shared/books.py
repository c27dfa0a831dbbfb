"""An adapter's books in words."""

from __future__ import annotations

from typing import Any


def unconfirmed(books: dict[str, Any]) -> str:
    """Return what to add to the number of confirmed spans: how many went where arrival is never confirmed (UDP).

    >>> unconfirmed({"exported": 15, "sent": 0}), unconfirmed({"exported": 0, "sent": 1500})
    ('', ', 1,500 sent unconfirmed')
    """
    return f", {books['sent']:,} sent unconfirmed" if books["sent"] else ""
