"""What comes out of the application's own objects while a call of ours looks at them: all of it is caught, but for a person's Ctrl-C."""

from __future__ import annotations

import threading


def raise_interrupt(error: BaseException) -> None:
    """Raise what was caught again if it can be Ctrl-C: a KeyboardInterrupt in the main thread, the only one that Python delivers it to.

    Anything else, SystemExit and GeneratorExit included, came out of a `__repr__` or the like, and must not end a business. A `__repr__` that raises
    KeyboardInterrupt in the main thread cannot be told from the key, and is taken for it.
    """
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise error
