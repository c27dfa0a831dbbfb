"""Tests that use what only POSIX has are left out on Windows, by what stands in them: nothing has to be marked by hand."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

_IMPORTED = re.compile(r"^(?:import|from) (?:fcntl|grp|pty|pwd|resource|termios)\b", re.MULTILINE)
_USED = re.compile(
    r"\b(?:chmod|fork|geteuid|getuid|killpg|mkfifo|openpty|setitimer|setsid|symlink|symlink_to|waitpid|SIG(?:ALRM|CHLD|CONT|HUP|KILL|PIPE|QUIT|STOP|USR1|XFSZ))\b"
    r"|journal.{0,10}directory|/proc/|/dev/|DiskJournal"
)


def imports_posix(path: Path) -> bool:
    """Return whether a file of tests imports, at its top, a module that only POSIX has."""
    return path.suffix == ".py" and _IMPORTED.search(path.read_text("utf-8")) is not None


def leave_out(items: list[pytest.Item]) -> None:
    """Mark the tests that use something that only POSIX has as skipped, with what it is."""
    for item in items:
        function = getattr(item, "function", None)
        found = _USED.search(inspect.getsource(function)) if function is not None else None
        if found is not None:
            item.add_marker(pytest.mark.skip(reason=f"this system has no {found[0]}"))
