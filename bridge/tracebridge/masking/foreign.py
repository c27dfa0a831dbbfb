"""Foreign words: what servers, libraries and files say. This is the one place that makes them fit for any output of ours.

`clean` is called where such words come in (`DeliveryError` calls it by itself), so that statistics, dead letters, findings and logs hold
clean ones; the loggers of `tracebridge.masking.loggers` clean what is left, tracebacks included.
"""

from __future__ import annotations

from typing import Final

from tracebridge.masking.known import MASK, without_known_secrets
from tracebridge.masking.printable import printable, printable_lines
from tracebridge.masking.shapes import masked_credentials

MOST_EXAMINED: Final = 16_384  # characters; what comes after them is left out


def clean(words: object, most: int = MOST_EXAMINED) -> str:
    """Return foreign words as any output may repeat them: secrets masked, on one line, steering no terminal, at most `most` characters.

    >>> clean("401:\\n no such token: Bearer t0k3n\\x1b[2J")
    '401: no such token: Bearer ***[2J'
    """
    return printable(" ".join(_without_secrets(words).split()))[:most]


def clean_lines(words: object) -> str:
    """Do the same for a text whose lines are meant, such as a traceback."""
    return printable_lines(_without_secrets(words))


def _without_secrets(words: object) -> str:
    try:
        text = str(words)
    except Exception:
        text = f"<{type(words).__name__}: no text>"
    return masked_credentials(without_known_secrets(text[:MOST_EXAMINED]), MASK)[0]
