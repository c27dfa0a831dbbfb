"""What differs between Linux, macOS and Windows, in one place: how files are opened and locked, and what comes before and after a fork.

Importing this imports no `pathlib`: the shell's commands start with it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HAS_LOCKS = fcntl is not None
"""Whether files can be locked by `flock`, whose locks end with the process, also by `kill -9`."""
WITHOUT_LOCKS = (
    f"this system ({sys.platform}) has no locks on files (flock), which tell a living process from a dead one, so no journal can be "
    "on its disk; leave the key out, and spans wait in memory"
)
NOT_A_LINK = getattr(os, "O_NOFOLLOW", 0)
NOT_WAITING = getattr(os, "O_NONBLOCK", 0)
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)


def open_file(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file for bytes and for this process alone; return its descriptor. A new one is of 0600, where the system has modes. Raises OSError."""
    return os.open(path, flags | _ALWAYS, 0o600)


def lock(fd: int, *, shared: bool = False, wait: bool = False) -> None:
    """Lock an open file. Raises BlockingIOError when somebody else has it and `wait` is false, OSError where there are no locks."""
    if fcntl is None:
        raise OSError(errno.ENOLCK, WITHOUT_LOCKS)
    fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


def unlock(fd: int) -> None:
    """Give the lock of an open file back."""
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _nothing() -> None:
    """Do nothing."""


def at_fork(
    *,
    before: Callable[[], object] = _nothing,
    after_in_parent: Callable[[], object] = _nothing,
    after_in_child: Callable[[], object],
) -> None:
    """Have something done around each fork, where there are any."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)


def send_to_ourselves(number: signal.Signals) -> None:
    """Send this process a signal, which its handler gets."""
    if fcntl is None:
        signal.raise_signal(number)  # `os.kill` on Windows ends a process at once
    else:
        os.kill(os.getpid(), number)  # wakes the main thread, whichever thread sends it
