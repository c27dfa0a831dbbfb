"""The threads of ours: daemons, so that no process hangs on one, with nothing of the context of whoever started them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextvars import Context
from threading import Thread
from typing import Any

INTERRUPTIBLE_S = 0.5  # longest single wait of a caller: Ctrl-C just before it begins is noticed only when it ends


def background(call: Callable[..., object], name: str | None = None, arguments: tuple[Any, ...] = ()) -> Thread:
    """Return a thread that is yet to be started.

    Since Python 3.14 threads may inherit a copy of their creator's context, for as long as they live: what is current there is none of our
    business, and would be kept alive (https://docs.python.org/3.14/library/threading.html#threading.Thread).
    """
    if sys.version_info >= (3, 14):
        return Thread(target=call, args=arguments, name=name, daemon=True, context=Context())
    return Thread(target=call, args=arguments, name=name, daemon=True)


def joined(thread: Thread, deadline: float) -> bool:
    """Wait for a thread until a moment of `time.monotonic`, in short pieces that Ctrl-C can interrupt; return whether it has ended."""
    while thread.is_alive() and (left_s := deadline - time.monotonic()) > 0:
        thread.join(min(left_s, INTERRUPTIBLE_S))
    return not thread.is_alive()


def returns_within(wait_s: float, call: Callable[[], object], name: str) -> bool:
    """Call in a thread of its own and return whether it has returned in time: what hangs is left behind.

    Where the interpreter is ending and starts no threads any more, the call is made here.
    """
    thread = background(call, name)
    try:
        thread.start()
    except RuntimeError:
        call()
        return True
    return joined(thread, time.monotonic() + wait_s)
