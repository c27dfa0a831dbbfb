"""One thread a client that closes spans that are never ended: late children and leaked spans."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tracebridge.masking.loggers import logger
from tracebridge.process.threads import background

_log = logger("tracebridge")


class Janitor:
    """Calls `look`, which returns the seconds until it wants to be called again (None: when something is poked)."""

    def __init__(self, look: Callable[[], float | None]) -> None:
        self._look = look
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._thread = background(self._run, "tracebridge-janitor")
            self._thread.start()

    def poke(self) -> None:
        """Look again soon: something now has a deadline."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread; it may be in the middle of a look."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            try:
                wait = self._look()
            except Exception:  # a bug of ours must not end the looking
                _log.exception("looking for overdue spans failed")
                wait = None
            self._wake.wait(wait)
            self._wake.clear()
