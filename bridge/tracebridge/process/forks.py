"""What no fork should come into the middle of, such as an import: the child would wait for ever for its end.

The lock of a module that a thread imports is copied by a fork and never given back, because only the thread that forks lives on in the child.

Modules that have to do something before a fork say so here, and not to `os.register_at_fork`: a fork asks that one for its list when it begins.
It would wait here for an import, and then know nothing of what the imported module had registered meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracebridge.process.system import at_fork

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


class _Guard(NamedTuple):
    before: Callable[[], object]
    after_in_parent: Callable[[], object]
    after_in_child: Callable[[], object]


_guards: list[_Guard] = []
_called: list[_Guard] | None = None
"""The guards whose first half this fork has called; None when the fork had begun before this module was there."""


def guard(
    before: Callable[[], object], after_in_parent: Callable[[], object], after_in_child: Callable[[], object]
) -> None:
    """Have one thing done before every fork, newest guard first, and the others after it, oldest first."""
    _guards.append(_Guard(before, after_in_parent, after_in_child))


def _before() -> None:
    global _called  # noqa: PLW0603 - guarded by `_changed`
    this, started = threading.get_ident(), time.monotonic()
    _changed.acquire()
    while others := [longest_s for thread, longest_s in _inside.values() if thread != this]:
        left = started + max(others) - time.monotonic()
        if left <= 0:
            break
        _changed.wait(left)
    _called = _guards.copy()
    for each in reversed(_called):
        each.before()


def _after_in_child() -> None:
    global _changed, _called  # noqa: PLW0603 - threads that are not here may be waiting in the old one
    called, _called = _called, None
    _changed = threading.Condition()
    _inside.clear()
    for each in called or ():
        each.after_in_child()


def _after_in_parent() -> None:
    global _called
    if _called is None:
        return
    called, _called = _called, None
    for each in called:
        each.after_in_parent()
    _changed.release()


at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
