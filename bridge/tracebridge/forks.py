"""What no fork should come into the middle of, such as an import: the child would wait for ever for its end.

The lock of a module that a thread imports is copied by a fork and given back by nobody, because only the thread that forks lives on in the child.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

LONGEST_S = 10.0  # a fork waits no longer than this; who holds it up may be waiting for it, in an import that forks

_changed = threading.Condition()
_inside: dict[object, int] = {}
"""The threads that no fork should interrupt; several at a time, because they do not exclude one another."""


@contextlib.contextmanager
def no_fork() -> Iterator[None]:
    """Let forks by other threads wait until the block has ended, for a bounded time."""
    block = object()
    with _changed:
        _inside[block] = threading.get_ident()
    try:
        yield
    finally:
        with _changed:
            _inside.pop(block, None)  # a child has forgotten it
            _changed.notify_all()


def _is_free() -> bool:
    this = threading.get_ident()
    return all(thread == this for thread in _inside.values())


def _before() -> None:
    _changed.acquire()
    _changed.wait_for(_is_free, LONGEST_S)


def _after_in_child() -> None:
    global _changed  # noqa: PLW0603 - threads that are not here may be waiting in the old one
    _changed = threading.Condition()
    _inside.clear()


def _after_in_parent() -> None:
    _changed.release()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
