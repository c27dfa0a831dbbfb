"""What is written to streams that cannot say every character, such as a terminal of plain ASCII."""

from __future__ import annotations

import codecs
import sys

INSTEAD = "tracebridge.instead"
"""The name of the error handler."""
_INSTEAD = str.maketrans("✓✗·…━╸│├└─×»µ—–’", "+x.~=-||`-x>u--'")


def _instead(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for what cannot be said: one character for each of our own marks, Python's escapes for anything else."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end].translate(_INSTEAD)
    return missing.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error(INSTEAD, _instead)


def let_streams_say_all() -> None:
    """Let standard output and error take any text, in whatever encoding they are."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # what a test or a notebook puts there may have none
        if reconfigure is not None:
            reconfigure(errors=INSTEAD)
