"""The threads of ours: daemons, so that no process hangs on one, with nothing of the context of whoever started them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import Context
from threading import Thread
from typing import Any


def background(call: Callable[..., object], name: str | None = None, arguments: tuple[Any, ...] = ()) -> Thread:
    """Return a thread that is yet to be started.

    Since Python 3.14 threads may inherit a copy of their creator's context, for as long as they live: what is current there is none of our
    business, and would be kept alive (https://docs.python.org/3.14/library/threading.html#threading.Thread).
    """
    if sys.version_info >= (3, 14):
        return Thread(target=call, args=arguments, name=name, daemon=True, context=Context())
    return Thread(target=call, args=arguments, name=name, daemon=True)
