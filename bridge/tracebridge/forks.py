"""What no fork should come into the middle of, such as an import: the child would wait for ever for its end.

The lock of a module that a thread imports is copied by a fork and given back by nobody, because only the thread that forks lives on in the child.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

LONGEST_S = 10.0  # a fork waits no longer than this for an import; who holds it up may be waiting for it

_changed = threading.Condition()
_inside: dict[object, tuple[int, float]] = {}
"""The threads that no fork should interrupt and for how long at most; several at a time, because they do not exclude one another."""


@contextlib.contextmanager
def no_fork(longest_s: float = LONGEST_S) -> Iterator[None]:
    """Let forks by other threads wait until the block has ended, for a bounded time."""
    block = object()
    with _changed:
        _inside[block] = threading.get_ident(), longest_s
    try:
        yield
    finally:
        with _changed:
            _inside.pop(block, None)  # a child has forgotten it
            _changed.notify_all()


def _before() -> None:
    this, started = threading.get_ident(), time.monotonic()
    _changed.acquire()
    while others := [longest_s for thread, longest_s in _inside.values() if thread != this]:
        left = started + max(others) - time.monotonic()
        if left <= 0:
            break
        _changed.wait(left)


def _after_in_child() -> None:
    global _changed  # noqa: PLW0603 - threads that are not here may be waiting in the old one
    _changed = threading.Condition()
    _inside.clear()


def _after_in_parent() -> None:
    _changed.release()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
